//! The grammar of `.dev.vars` and `.env`. wrangler reads both with the npm packages dotenv 16.3.1 and, `.env` only,
//! dotenv-expand 12.0.2. Their own regular expressions run here, in an engine for ECMAScript's, so that no value can be
//! read differently. A test compares both over generated files.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regress::Regex;

/// An assignment: dotenv's `LINE`.
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r#"(?:^|^)\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?(?:$|$)"#,
    )
});
/// The quotes around a value.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| expression(r#"^(['"`])([\s\S]*)\1$"#));
/// A reference to another variable, for dotenv-expand.
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?<!\\)\$\{([^{}]+)\}|(?<!\\)\$([A-Za-z_][A-Za-z0-9_]*)"));
/// Operators between a referenced name and its default.
const OPERATORS: [&str; 4] = [":+", "+", ":-", "-"];
/// Most replacements in one value, and its most bytes meanwhile: dotenv-expand would never end with some.
const MAX_REPLACEMENTS: usize = 1_000;
const MAX_BYTES: usize = 64 * 1024;

fn expression(pattern: &str) -> Regex {
    Regex::with_flags(pattern, "m").expect("a constant expression of dotenv's")
}

/// Returns true for white space as JavaScript's `trim` knows it.
pub(super) fn is_space(character: char) -> bool {
    character == '\u{feff}' || (character.is_whitespace() && character != '\u{85}')
}

/// Variables in the order of their first assignment, as the members of a JavaScript object.
#[derive(Default)]
pub(crate) struct Variables(Vec<(String, String)>);

impl Variables {
    pub(super) fn parse(text: &str) -> Self {
        let mut variables = Self::default();
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        for assignment in assignments(&text) {
            let value = assignment.value.and_then(|range| text.get(range)).unwrap_or_default();
            variables.set(assignment.name, unquoted(value.trim_matches(is_space)));
        }
        variables
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Adds those of a file that is read later, which win.
    pub(super) fn extend(&mut self, later: Self) {
        for (name, value) in later.0 {
            self.set(&name, value);
        }
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Puts the values of earlier variables, and of the process's, where `$NAME` and `${NAME}` refer to them; one of the
    /// process's of the same name wins. `None` where that has no end.
    pub(super) fn expand(self, process: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let mut expanded = Self::default();
        for (name, value) in self.0 {
            let value = match process(&name).filter(|own| !own.is_empty() && *own != value) {
                Some(own) => own,
                None => expand(value, &expanded, process)?,
            };
            expanded.0.push((name, value.replace(r"\$", "$")));
        }
        Some(expanded)
    }
}

/// An assignment in a text with LF line ends.
struct Assignment<'t> {
    name: &'t str,
    /// From the name's line to the end of the value's.
    lines: Range<usize>,
    value: Option<Range<usize>>,
}

fn assignments(text: &str) -> impl Iterator<Item = Assignment<'_>> {
    LINE.find_iter(text).filter_map(|found| {
        let name = found.group(1)?;
        let value = found.group(2);
        let end = value.as_ref().map_or(name.end, |value| value.end);
        let begin = text.get(..name.start)?.rfind('\n').map_or(0, |before| before + 1);
        let end = text.get(end..)?.find('\n').map_or(text.len(), |more| end + more + 1);
        Some(Assignment { name: text.get(name)?, lines: begin..end, value })
    })
}

/// Returns a value without its quotes; with `\n` and `\r` as what they mean in double quotes.
fn unquoted(value: &str) -> String {
    let plain = QUOTED.replace_all(value, "$2");
    match value.starts_with('"') {
        true => plain.replace(r"\n", "\n").replace(r"\r", "\r"),
        false => plain,
    }
}

/// Does the same as dotenv-expand's `expandValue`, with its oddities.
fn expand(
    value: String,
    earlier: &Variables,
    process: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut result = value;
    let mut seen = HashSet::new();
    for _ in 0..MAX_REPLACEMENTS {
        let Some(found) = REFERENCE.find(&result) else {
            return Some(result);
        };
        seen.insert(result.clone());
        let reference = found.group(1).or_else(|| found.group(2)).unwrap_or_default();
        let reference = &result[reference];
        // Without an operator, JavaScript splits at "null".
        let splits = OPERATORS.into_iter().filter_map(|one| Some((reference.find(one)?, one)));
        let operator = splits.min_by_key(|(at, _)| *at).map_or("null", |(_, operator)| operator);
        let (name, default) = reference.split_once(operator).unwrap_or((reference, ""));
        let known = process(name).or_else(|| earlier.get(name).map(str::to_owned));
        let known = known.as_deref().filter(|value| !value.is_empty());
        let replacement = match (known, operator) {
            (Some(_), ":+" | "+") => default,
            (None, ":+" | "+") => "",
            (Some(known), _) if !seen.contains(known) => known,
            _ => default,
        };
        let replaced = replace_first(&result, &result[found.range()], replacement);
        let is_end = earlier.get(name) == Some(replaced.as_str());
        result = replaced;
        if is_end {
            return Some(result);
        }
        if result.len() > MAX_BYTES {
            break;
        }
    }
    None
}

/// Does what JavaScript's `replace` does with two texts, whose second has `$` patterns.
fn replace_first(text: &str, template: &str, replacement: &str) -> String {
    let Some((before, after)) = text.split_once(template) else {
        return text.to_owned();
    };
    let mut result = before.to_owned();
    let mut rest = replacement;
    while let Some((plain, pattern)) = rest.split_once('$') {
        result.push_str(plain);
        let (meaning, length) = match pattern.chars().next() {
            Some('$') => ("$", 1),
            Some('&') => (template, 1),
            Some('`') => (before, 1),
            Some('\'') => (after, 1),
            _ => ("$", 0),
        };
        result.push_str(meaning);
        rest = &pattern[length..];
    }
    result + rest + after
}

/// Returns the text with these variables in place of its own of these names; `None` where a value cannot be written.
pub(super) fn rewritten(old: &str, new: &[(&str, &str)]) -> Option<String> {
    let old = old.replace("\r\n", "\n").replace('\r', "\n");
    let mut text = String::with_capacity(old.len());
    let mut rest = 0;
    for assignment in assignments(&old) {
        if new.iter().any(|(name, _)| *name == assignment.name) {
            text.push_str(old.get(rest..assignment.lines.start)?);
            rest = assignment.lines.end;
        }
    }
    text.push_str(&old[rest..]);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (name, value) in new {
        let quote = ['\'', '`', '"'].into_iter().find(|quote| !value.contains(*quote))?;
        text.push_str(&format!("{name}={quote}{value}{quote}\n"));
    }
    // By the same grammar: text before or in a value may change what the rest means.
    let (was, now) = (Variables::parse(&old), Variables::parse(&text));
    let is_new = |name: &str| new.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let kept = was.names().chain(new.iter().map(|(name, _)| *name));
    let mut kept = kept.map(|name| (now.get(name), is_new(name).or_else(|| was.get(name))));
    kept.all(|(now, wanted)| now == wanted).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use testkit::program::run;
    use testkit::random::Random;

    use super::*;

    #[test]
    fn the_rest_of_a_file_stays() {
        let new = [("SIGNING_SECRET", "root"), ("WRITE_TOKEN", "{}")];
        let end = "SIGNING_SECRET='root'\nWRITE_TOKEN='{}'\n";
        for (old, rest) in [
            ("", ""),
            (
                "# mine\nWAF_SECRET=w\nexport SIGNING_SECRET = old\nWRITE_TOKEN=old\nSIGNING_SECRET_PREVIOUS=p",
                "# mine\nWAF_SECRET=w\nSIGNING_SECRET_PREVIOUS=p\n",
            ),
            ("export\tSIGNING_SECRET=old\r\nA=1\r\n", "A=1\n"),
            ("SIGNING_SECRET: old # its\n\n# mine\nA=1\n", "\n# mine\nA=1\n"),
            ("SIGNING_SECRET=\"a\nb\" # its\nA=1\n", "A=1\n"),
            ("A='\nSIGNING_SECRET=x\n'\n", "A='\nSIGNING_SECRET=x\n'\n"),
            ("\u{feff}SIGNING_SECRET=old\nA=1\n", "A=1\n"),
        ] {
            assert_eq!(rewritten(old, &new).unwrap(), format!("{rest}{end}"), "{old:?}");
        }
        assert_eq!(rewritten("", &[("A", "it's")]).unwrap(), "A=`it's`\n");
        for wrong in ["'`\"", "`'\\n", " a"] {
            let written = rewritten("", &[("A", wrong)]);
            let read = written.as_deref().map(Variables::parse);
            assert!(read.is_none_or(|read| read.get("A") == Some(wrong)), "{wrong}");
        }
        // An open quote would take in what is written after it.
        assert!(rewritten("B='y", &[("C", "a'\nb")]).is_none());
    }

    /// Parts of files, of which anything may come after anything.
    const PARTS: [&str; 56] = [
        "A", "B", "SIGNING_SECRET", "a.b-c", "=", " = ", "=\t", ": ", ":", "export ", "export\t",
        "\n", "\n", "\n", "\r\n", "\r", " ", "\t", "#", " # ", "'", "'", "\"", "\"", "`", "`",
        "\\n", "\\r", "\\", "\\'", "\\\"", "\\`", "$", "$A", "${A}", "${B:-x}", "${A-$B}",
        "${A:+y}", "\\$A", "$$", "$&", "$null", "\u{feff}", "\u{a0}", "\u{2028}", "\u{85}",
        "\u{b}", "é", "😀", "value", "x y", "{\"a\":1}", "[", "A=1\n", "B='two'\n", "C=\"a\nb\"\n",
    ];
    /// Reads files as wrangler does.
    const SCRIPT: &str = "const dotenv = require('dotenv'), { expand } = require('dotenv-expand');
        const files = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        const read = files.map(([file, ends]) => {
            const parsed = dotenv.parse(file);
            const plain = Object.entries(parsed);
            return [plain, ends ? Object.entries(expand({ processEnv: {}, parsed }).parsed) : []];
        });
        console.log(JSON.stringify(read));";

    /// Returns files that are made of parts.
    fn files() -> Vec<String> {
        let mut random = Random::new(1);
        let mut file = |_| {
            let mut file = String::new();
            for _ in 0..=random.below(4) {
                // A name and what may come after it, which are the first parts.
                file.push_str(random.of(&PARTS[..4]));
                file.push_str(random.of(&PARTS[4..9]));
                for _ in 0..=random.below(8) {
                    file.push_str(random.of(&PARTS));
                }
                file.push_str(if random.below(4) == 0 { "" } else { "\n" });
            }
            file
        };
        (0..3_000).map(&mut file).collect()
    }

    #[test]
    fn generated_files_are_read_as_wrangler_reads_them() {
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let checkout = crate::checkout::Checkout::at(root).unwrap();
        crate::setup::packages(&checkout, &crate::progress::Progress::new()).unwrap();
        let bundle = root.join("node_modules/wrangler/wrangler-dist/cli.js");
        let bundle = std::fs::read_to_string(bundle).unwrap();
        for package in ["dotenv@16.3.1/", "dotenv-expand@12.0.2/"] {
            assert!(bundle.contains(package), "wrangler has another version than {package}");
        }

        let files = files();
        let read = |file: &String| Variables::parse(file).expand(&|_| None);
        let asked: Vec<_> = files.iter().map(|file| (file, read(file).is_some())).collect();
        let input = serde_json::json!(asked).to_string();
        let mut node = Command::new("node");
        let output = run(node.args(["-e", SCRIPT]).current_dir(root), &input);
        type Entries = Vec<(String, String)>;
        let expected: Vec<(Entries, Entries)> = serde_json::from_str(&output).unwrap();
        let (mut some, mut expanded) = (0, 0);
        for (file, (plain, whole)) in files.iter().zip(&expected) {
            assert_eq!(&Variables::parse(file).0, plain, "{file:?}");
            assert_eq!(&read(file).unwrap_or_default().0, whole, "{file:?}");
            some += usize::from(!plain.is_empty());
            expanded += usize::from(!whole.is_empty() && plain != whole);
        }
        // The files are worth it.
        assert!(some > 2_000 && expanded > 300, "{some}, {expanded}");
    }
}
