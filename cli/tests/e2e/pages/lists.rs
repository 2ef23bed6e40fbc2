//! The examples that are not run as they are: what another test runs, and what nothing on this machine can run.

use super::COMMANDS;

/// An example that the test in a file of its own runs: the page, the language, the beginning, and the file; the number of
/// examples that this is true of; and the text in that file that takes them from the page.
pub(super) struct Elsewhere(
    pub(super) [&'static str; 4],
    pub(super) usize,
    pub(super) &'static str,
);

/// Examples that other tests run. One that is added to a page, and that no test runs, is not among them by chance: its
/// number is stated.
pub(super) const ELSEWHERE: [Elsewhere; 29] = [
    Elsewhere(
        ["README.md", COMMANDS, "npx writegate init", "cli/tests/e2e/npm.rs"],
        1,
        "words(\"README.md\", \"npx writegate init",
    ),
    Elsewhere(
        ["README.md", COMMANDS, "pass show", "cli/tests/e2e/npm.rs"],
        1,
        "words(\"README.md\", \"pass show",
    ),
    Elsewhere(
        ["npm/README.md", COMMANDS, "", "cli/tests/e2e/npm.rs"],
        1,
        "\"npm/README.md\", \"cli/src/init/package/README.md\"] {",
    ),
    Elsewhere(
        ["npm/README.md", "js", "", "cli/tests/e2e/npm.rs"],
        1,
        "= examples(\"npm/README.md\")",
    ),
    Elsewhere(
        ["cli/src/init/package/README.md", COMMANDS, "", "cli/tests/e2e/npm.rs"],
        1,
        "\"npm/README.md\", \"cli/src/init/package/README.md\"] {",
    ),
    Elsewhere(
        ["docs/admin.md", "sh", "", "cli/tests/e2e/admin_docs.rs"],
        1,
        "fences(\"admin.md\", \"sh\")",
    ),
    Elsewhere(
        ["docs/clients.md", "js", "import { createHmac }", "tests/e2e/signing_docs.rs"],
        1,
        "fences(\"clients.md\", \"js\")",
    ),
    Elsewhere(
        ["docs/clients.md", "js", "const link", "tests/e2e/signing_docs.rs"],
        1,
        "fences(\"clients.md\", \"js\")",
    ),
    Elsewhere(
        ["docs/clients.md", "csp", "", "tests/e2e/browser/site.rs"],
        1,
        "fences(\"clients.md\", \"csp\")",
    ),
    Elsewhere(
        ["docs/publishing.md", "yaml", "", "cli/tests/e2e/gitlab.rs"],
        1,
        "fences(\"publishing.md\", \"yaml\")",
    ),
    Elsewhere(
        ["docs/rotation.md", "sh", "", "cli/tests/e2e/rotate_docs.rs"],
        2,
        "fences(\"rotation.md\", \"sh\")",
    ),
    Elsewhere(
        [
            "docs/rotation.md",
            COMMANDS,
            "npx writegate token rotate --gate https://gate.example.com --hook",
            "cli/tests/e2e/rotate_docs.rs",
        ],
        1,
        "hooks(\"docs/rotation.md\")",
    ),
    Elsewhere(
        ["docs/recipes/vault.md", "sh", "", "cli/tests/e2e/rotate_docs.rs"],
        1,
        "fences(\"recipes/vault.md\", \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/vault.md", COMMANDS, "", "cli/tests/e2e/rotate_docs.rs"],
        1,
        "hooks(\"docs/recipes/vault.md\")",
    ),
    Elsewhere(
        ["docs/signing.md", "sh", "", "tests/e2e/signing_docs.rs"],
        1,
        "&[\"-euc\"], \"sh\")",
    ),
    Elsewhere(["docs/signing.md", "js", "", "tests/e2e/signing_docs.rs"], 1, "\"-e\"], \"js\")"),
    Elsewhere(
        ["docs/signing.md", "python", "", "tests/e2e/signing_docs.rs"],
        1,
        "&[\"-c\"], \"python\")",
    ),
    Elsewhere(
        ["docs/recipes/cloudflare-api.md", "sh", "", "cli/tests/command/init/recipes.rs"],
        1,
        "fence(page, \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/cloudflare-api.md", "js", "", "tests/e2e/recipes/cloudflare_api.rs"],
        1,
        "Recipe::before(\"cloudflare-api\"",
    ),
    Elsewhere(
        ["docs/recipes/cms.md", "sh", "", "cli/tests/command/init/recipes.rs"],
        1,
        "fence(page, \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/cms.md", "js", "", "tests/e2e/recipes/cms.rs"],
        1,
        "Recipe::before(\"cms\"",
    ),
    Elsewhere(
        ["docs/recipes/flotiq.md", "sh", "", "cli/tests/command/init/recipes.rs"],
        1,
        "fence(page, \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/form.md", "sh", "", "cli/tests/command/init/recipes.rs"],
        1,
        "fence(page, \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/form.md", "html", "", "tests/e2e/browser/form.rs"],
        1,
        "only(\"html\")",
    ),
    Elsewhere(
        ["docs/recipes/images.md", "sh", "", "cli/tests/command/init/recipes.rs"],
        1,
        "fence(page, \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/images.md", "html", "", "tests/e2e/recipes/images.rs"],
        1,
        "fences(\"recipes/images.md\", \"html\")",
    ),
    Elsewhere(
        ["docs/recipes/two-zones.md", "sh", "", "cli/tests/command/init/recipes.rs"],
        1,
        "fence(page, \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/workers-ai.md", "sh", "", "cli/tests/command/init/recipes.rs"],
        1,
        "fence(page, \"sh\")",
    ),
    Elsewhere(
        ["docs/recipes/workers-ai.md", "js", "", "tests/e2e/recipes/workers_ai.rs"],
        1,
        "Recipe::before(\"workers-ai\"",
    ),
];

/// mermaid needs a browser's DOM and 80 MB.
const DIAGRAM: &str = "is parsed by mermaid itself in .ci/run";

/// Examples that nothing here can run: the page, the language, the beginning, the reason.
pub(super) const NOT_HERE: [[&str; 4]; 23] = [
    ["README.md", "mermaid", "", DIAGRAM],
    ["docs/code-map.md", "mermaid", "", DIAGRAM],
    ["docs/operations.md", "mermaid", "", DIAGRAM],
    ["docs/publishing.md", "mermaid", "", DIAGRAM],
    ["docs/rotation.md", "mermaid", "", DIAGRAM],
    ["docs/security.md", "mermaid", "", DIAGRAM],
    [
        "README.md",
        COMMANDS,
        "cargo run -- demo",
        "starts this test; cli/tests/command/main.rs walks through the demo",
    ],
    ["README.md", COMMANDS, "the page ", "what the demo prints"],
    ["docs/performance.md", COMMANDS, "cargo bench", "takes ten minutes"],
    ["docs/publishing.md", COMMANDS, "git tag", "makes a release"],
    ["docs/publishing.md", COMMANDS, "sha256sum", "needs a release at GitHub"],
    ["docs/signing.md", "go", "", "needs a Go toolchain of 200 MB; runs with Go 1.19"],
    [
        "docs/recipes/two-zones.md",
        COMMANDS,
        "npx writegate token put",
        "the double of Cloudflare has one secret; another page puts that one",
    ],
    [
        "docs/recipes/form.md",
        "astro",
        "",
        "needs 260 packages of Astro's; its page writes with Astro 4 and 7 in Chromium",
    ],
    [
        "docs/recipes/form.md",
        "go-html-template",
        "",
        "needs Hugo, 80 MB; its page writes with Hugo 0.111 in Chromium",
    ],
    [
        "docs/recipes/form.md",
        "jsx",
        "",
        "needs 200 MB of Next's; its page writes with Next 16 in Chromium",
    ],
    ["docs/clients.md", "text", "Content-Digest:", "the shape of headers, with values left out"],
    [
        "docs/clients.md",
        "text",
        "\"@method\"",
        "the shape of a signature base, with a value left out",
    ],
    ["docs/clients.md", "text", "sk = ", "a formula; testkit/src/token.rs is written to it"],
    ["docs/clients.md", "text", "Retry-After:", "headers of an answer"],
    ["docs/wire-contract.md", "text", "sk = ", "a formula; testkit/src/token.rs is written to it"],
    ["docs/wire-contract.md", "text", "sig = ", "a formula; testkit/src/links.rs is written to it"],
    ["docs/wire-contract.md", "text", "POST /_gate/session", "the shape of two messages"],
];
