//! The examples of the pages below `docs/`.

use crate::process::root;

/// The code of every fence of this language on a page.
pub fn fences(page: &str, language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let code = |fence: &str| fence.split_once("\n```\n").expect("its end").0.to_owned();
    let opening = format!("\n```{language}\n");
    page.split(&opening).skip(1).map(code).collect()
}
