//! The page `/_gate/problems`, generated from the enums so that it cannot differ from them.

use super::advice::{self, Advice};
use super::{Description, Problem};

/// Returns the HTML document. Its style sheet is shared with the console; `console/build.mjs` writes the sheet's hash
/// into
/// `public/_headers`.
pub fn html() -> String {
    let mut contents = String::new();
    let mut sections = String::new();
    for problem in Problem::all() {
        let Description { code, status, title, .. } = problem.description();
        let Advice { cause, fix, example } = advice::of(problem);
        let [title, cause, fix, example] = [title, cause, fix, example].map(escaped);
        contents.push_str(&format!(
            "<li><a href=\"#{code}\"><code>{code}</code></a> <small>{status}</small></li>\n"
        ));
        sections.push_str(&format!(
            "<section id=\"{code}\">\n<h2><code>{code}</code> <small>{status}</small></h2>\n\
             <p><strong>{title}.</strong></p>\n<dl>\n<dt>Cause</dt><dd>{cause}</dd>\n<dt>Fix</dt><dd>{fix}</dd>\n</dl>\n\
             <pre>{example}</pre>\n</section>\n"
        ));
    }
    PAGE.replace("{style}", STYLE).replace("{contents}", &contents).replace("{sections}", &sections)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = include_str!("../../console/page.css");

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>writegate: why a request was refused</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
<h1>Why the gate refused a request</h1>
<p>Every refusal is an <code>application/problem+json</code> document (RFC 9457) whose <code>code</code> is one of these.
Quote its <code>request_id</code> to the gate's operator: the log has one line with the same id.</p>
<nav aria-label="Codes">
<ul class="codes">
{contents}</ul>
</nav>
{sections}</main>
</body>
</html>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/public/_gate/problems.html");
        if std::env::var_os("UPDATE_PROBLEMS_PAGE").is_some() {
            std::fs::write(path, html()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            html(),
            "run UPDATE_PROBLEMS_PAGE=1 cargo test --lib page and commit the page"
        );
    }
}
