//! The examples of the pages: what is between fences, and commands, which are indented by four columns.

use std::path::Path;

use crate::process::root;

/// An example on a page.
#[derive(Debug)]
pub struct Example {
    /// The page's path from the root of the checkout.
    pub page: String,
    /// The number of its first line.
    pub line: usize,
    /// The language of its fence; none where it is indented, which is for commands.
    pub language: Option<String>,
    /// Its text, without the indentation.
    pub code: String,
}

impl Example {
    /// Returns its place, as an editor takes it.
    pub fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }
}

/// Returns the paths of all pages: of this repository, of the npm package, and of a folder that `init` makes.
pub fn pages() -> Vec<String> {
    let mut pages = ["README.md", "npm/README.md", "cli/src/init/package/README.md"]
        .map(str::to_owned)
        .to_vec();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
            match Path::new(&path).extension() {
                Some(kind) if kind == "md" => pages.push(path),
                None => folders.push(path),
                Some(_) => {}
            }
        }
    }
    pages.sort();
    pages
}

/// Returns the examples of a page, in order. Those in a list lose its indentation.
pub fn examples(page: &str) -> Vec<Example> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let mut found: Vec<Example> = Vec::new();
    let mut fence = None;
    let mut is_indented = false;
    let mut last = "";
    for (line, number) in text.lines().zip(1..) {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        let begin = |language: Option<&str>, line| Example {
            page: page.to_owned(),
            line,
            language: language.map(str::to_owned),
            code: String::new(),
        };
        match (fence, bare.strip_prefix("```")) {
            (None, Some(language)) => {
                fence = Some(depth);
                found.push(begin(Some(language), number + 1));
            }
            (Some(_), Some(_)) => fence = None,
            (Some(depth), None) => add(&mut found, line.get(depth..).unwrap_or_default()),
            (None, None) if depth >= 4 && (is_indented || last.is_empty()) && !bare.is_empty() => {
                if !is_indented {
                    found.push(begin(None, number));
                }
                add(&mut found, &line[4..]);
                is_indented = true;
            }
            (None, None) => is_indented = false,
        }
        last = line;
    }
    assert_eq!(fence, None, "{page}: a fence without an end");
    found
}

fn add(found: &mut [Example], line: &str) {
    let code = &mut found.last_mut().expect("it has begun").code;
    code.push_str(line);
    code.push('\n');
}

/// Returns the code of every fence of this language on a page below `docs/`.
pub fn fences(page: &str, language: &str) -> Vec<String> {
    let of_language = |example: &Example| example.language.as_deref() == Some(language);
    let found = examples(&format!("docs/{page}")).into_iter().filter(of_language);
    found.map(|example| example.code).collect()
}
