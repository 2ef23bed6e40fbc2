//! The examples that are not run as they are: what another test runs, and what nothing on this machine can run. Commands, which
//! are indented, have no language.

/// Examples that the test in a file of its own runs: the page, the language, the beginning, and the file; the number of
/// examples that this is true of; and the text in that file that takes them from the page. One that is added to a page, and
/// that no test runs, cannot be among them by mistake: its number is stated.
pub(super) const ELSEWHERE: &str = r#"
    README.md | | npx writegate init | cli/tests/e2e/npm.rs | 1 | words("README.md", "npx writegate init
    README.md | | pass show | cli/tests/e2e/npm.rs | 1 | words("README.md", "pass show
    npm/README.md | | | cli/tests/e2e/npm.rs | 1 | "npm/README.md", "cli/src/init/package/README.md"] {
    npm/README.md | js | | cli/tests/e2e/npm.rs | 1 | = examples("npm/README.md")
    cli/src/init/package/README.md | | | cli/tests/e2e/npm.rs | 1 | "npm/README.md", "cli/src/init/package/README.md"] {
    docs/admin.md | sh | | cli/tests/e2e/admin_docs.rs | 1 | fences("admin.md", "sh")
    docs/clients.md | js | import { createHmac } | tests/e2e/signing_docs.rs | 1 | fences("clients.md", "js")
    docs/clients.md | js | const link | tests/e2e/signing_docs.rs | 1 | fences("clients.md", "js")
    docs/clients.md | json | {"type" | tests/core/page_examples.rs | 1 | fences("clients.md", "json")
    docs/clients.md | text | Content-Digest: | tests/core/page_examples.rs | 1 | example("Content-Digest:")
    docs/clients.md | text | "@method" | tests/core/page_examples.rs | 1 | example("\"@method\": POST")
    docs/clients.md | text | sk =  | tests/core/page_examples.rs | 1 | starts_with("sk = ")
    docs/clients.md | text | Retry-After: | src/limits/quota.rs | 1 | "```text\nRetry-After:
    docs/wire-contract.md | text | sk =  | tests/core/page_examples.rs | 1 | starts_with("sk = ")
    docs/clients.md | csp | | tests/e2e/browser/site.rs | 1 | fences("clients.md", "csp")
    docs/publishing.md | yaml | | cli/tests/e2e/gitlab.rs | 1 | fences("publishing.md", "yaml")
    docs/rotation.md | sh | | cli/tests/e2e/rotate_docs.rs | 2 | fences("rotation.md", "sh")
    docs/rotation.md | | npx writegate token rotate --gate https://gate.example.com --hook | cli/tests/e2e/rotate_docs.rs | 1 | hooks("docs/rotation.md")
    docs/recipes/vault.md | sh | | cli/tests/e2e/rotate_docs.rs | 1 | fences("recipes/vault.md", "sh")
    docs/recipes/vault.md | | | cli/tests/e2e/rotate_docs.rs | 1 | hooks("docs/recipes/vault.md")
    docs/signing.md | sh | | tests/e2e/signing_docs.rs | 1 | &["-euc"], "sh")
    docs/signing.md | js | | tests/e2e/signing_docs.rs | 1 | "-e"], "js")
    docs/signing.md | python | | tests/e2e/signing_docs.rs | 1 | &["-c"], "python")
    docs/recipes/cloudflare-api.md | sh | | cli/tests/command/init/recipes.rs | 1 | commands(text, "sh")
    docs/recipes/cloudflare-api.md | js | | tests/e2e/recipes/cloudflare_api.rs | 1 | Recipe::before("cloudflare-api"
    docs/recipes/cms.md | sh | | cli/tests/command/init/recipes.rs | 1 | commands(text, "sh")
    docs/recipes/cms.md | js | | tests/e2e/recipes/cms.rs | 1 | Recipe::before("cms"
    docs/recipes/flotiq.md | sh | | cli/tests/command/init/recipes.rs | 1 | commands(text, "sh")
    docs/recipes/form.md | sh | | cli/tests/command/init/recipes.rs | 1 | commands(text, "sh")
    docs/recipes/form.md | html | | tests/e2e/browser/form.rs | 1 | only("html")
    docs/recipes/images.md | sh | | cli/tests/command/init/recipes.rs | 1 | commands(text, "sh")
    docs/recipes/images.md | html | | tests/e2e/recipes/images.rs | 1 | fences("recipes/images.md", "html")
    docs/recipes/two-zones.md | sh | | cli/tests/command/init/recipes.rs | 1 | commands(text, "sh")
    docs/recipes/workers-ai.md | sh | | cli/tests/command/init/recipes.rs | 1 | commands(text, "sh")
    docs/recipes/workers-ai.md | js | | tests/e2e/recipes/workers_ai.rs | 1 | Recipe::before("workers-ai"
"#;

/// Examples that nothing here can run: the page, the language, the beginning, the reason. mermaid needs a browser's DOM and 80 MB.
pub(super) const NOT_HERE: &str = r#"
    README.md | mermaid | | is parsed by mermaid itself in .ci/run
    docs/code-map.md | mermaid | | is parsed by mermaid itself in .ci/run
    docs/operations.md | mermaid | | is parsed by mermaid itself in .ci/run
    docs/publishing.md | mermaid | | is parsed by mermaid itself in .ci/run
    docs/rotation.md | mermaid | | is parsed by mermaid itself in .ci/run
    docs/security.md | mermaid | | is parsed by mermaid itself in .ci/run
    README.md | | cargo run -- demo | starts this test; cli/tests/command/main.rs walks through the demo
    README.md | | the page  | what the demo prints
    docs/performance.md | | cargo bench | takes ten minutes
    docs/publishing.md | | git init | needs a repository at GitHub; cli/src/init/package.rs compares it with what init prints
    docs/publishing.md | | git tag | makes a release
    docs/publishing.md | | sha256sum | needs a release at GitHub
    docs/signing.md | go | | needs a Go toolchain of 470 MB; runs with Go 1.19
    docs/recipes/two-zones.md | | npx writegate token put | the double of Cloudflare has one secret; another page puts that one
    docs/recipes/form.md | astro | | needs 260 packages of Astro's; its page writes with Astro 4 in Chromium
    docs/recipes/form.md | go-html-template | | needs Hugo, 80 MB; its page writes with Hugo 0.111 in Chromium
    docs/recipes/form.md | jsx | | needs 340 MB of Next's; its page writes with Next 16 in Chromium
    docs/wire-contract.md | text | sig =  | a formula; testkit/src/links.rs is written to it
    docs/wire-contract.md | text | POST /_gate/session | the shape of two messages
"#;

/// Returns the entries of a list, each with its columns.
pub(super) fn entries<const N: usize>(
    list: &'static str,
) -> impl Iterator<Item = [&'static str; N]> {
    let columns = |line: &'static str| line.split('|').map(str::trim).collect::<Vec<_>>();
    list.trim().lines().map(move |line| columns(line).try_into().unwrap())
}
