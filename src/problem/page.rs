//! The page `/_gate/problems`, generated from the enums so that it cannot differ from them.

use super::{Description, Problem};

/// Returns the HTML document.
#[must_use]
pub fn html() -> String {
    let mut page = String::from(PAGE_HEAD);
    for problem in Problem::all() {
        let Description { code, status, title, detail } = problem.description();
        let detail = detail.replace('"', "&quot;");
        page.push_str(&format!(
            "<section id=\"{code}\">\n<h2><code>{code}</code> <small>{status}</small></h2>\n\
             <p><strong>{title}.</strong> {detail}</p>\n</section>\n"
        ));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

const PAGE_HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>writegate: why a request was refused</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
h2 { font-size: 1.1rem; margin: 2rem 0 0 } h2 small { font-weight: normal; opacity: .7 } p { margin: .25rem 0 }
section:target { outline: 2px solid; outline-offset: .5rem }
</style>
</head>
<body>
<main>
<h1>Why the gate refused a request</h1>
<p>Every refusal is an <code>application/problem+json</code> document (RFC 9457) whose <code>code</code> is one of these.
Quote its <code>request_id</code> to the gate's operator: the log has one line with the same id.</p>
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
