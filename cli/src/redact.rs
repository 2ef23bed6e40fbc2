//! Removes secrets from output, because messages repeat parts of a command line, and messages end in logs.

use std::sync::LazyLock;

use regress::Regex;

use crate::token_patterns;

/// Forms of secrets, each with the text that takes its place.
static SECRETS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let expression = |pattern| Regex::new(pattern).expect("a constant expression");
    vec![
        // The user and the password of a URL, whose password may have a slash of its own.
        (expression(r"://[^/?#\s]*@"), "://[redacted]@"),
        (expression(r"://[^/?#@\s]*:(?!\d{1,5}[/?#])[^\s]*@"), "://[redacted]@"),
        // What comes in Authorization.
        (
            expression(r"\b([Bb]earer|[Bb]asic)(:? +)(?=\S*\d)[A-Za-z0-9._~+/=-]{8,}"),
            "$1$2[redacted]",
        ),
        // The secrets of keys and sessions.
        (expression(r"\b(s[ks])_[A-Za-z0-9_-]{16,}"), "$1_[redacted]"),
        // A JWT, or its beginning.
        (expression(r"\beyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*"), "[redacted]"),
        // Parameters of signed URLs, and others whose names say what they hold.
        (
            expression(
                r#"([?&;](?:[A-Za-z0-9._-]*(?:token|secret|passw|signature)[A-Za-z0-9._-]*|sig|verify|code|auth|api_?key)=)[^&;#\s"'`]+"#,
            ),
            "$1[redacted]",
        ),
    ]
});

/// Returns the text without anything in it that looks like a secret.
pub(crate) fn redacted(text: &str) -> String {
    let hide = |text: String, (secret, by): &(Regex, &str)| secret.replace_all(&text, by);
    SECRETS.iter().fold(without_tokens(text), hide)
}

/// Returns the text without tokens whose makers gave them a prefix.
fn without_tokens(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let is_inside = plain.ends_with(|before: char| before.is_ascii_alphanumeric());
        let found = token_patterns::at(rest.as_bytes()).filter(|_| !is_inside);
        match found {
            Some((pattern, length)) => {
                plain.push_str(pattern.prefix);
                plain.push_str("[redacted]");
                rest = &rest[length..];
            }
            None => {
                plain.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_all_else_stays() {
        let secret = &crate::random::text(24).unwrap();
        for text in [
            format!("https://user:{secret}@gate.example/x"),
            format!("https://user:a/{secret}#x@gate.example/x"),
            format!("Authorization: Basic {secret}=="),
            format!("{{\"authorization\":\"Bearer 1{secret}\"}}"),
            "reading ghp_".to_owned()
                + &crate::random::text(48).unwrap().replace(['-', '_'], "0")[..36],
            format!("reading sk_{secret}{secret}: no such file"),
            format!("ss_{secret}"),
            format!("eyJhbGciOiJIUzI1NiJ9.{secret}.{secret}"),
            format!("https://a.example/x?exp=1&sig={secret}&key=pk_a"),
            format!("https://a.example/x?verify=1-{secret}"),
            format!("?access_token={secret}#top"),
        ] {
            let shown = redacted(&text);
            assert!(
                !shown.contains(secret.as_str()) && shown != text && shown.contains("[redacted]"),
                "{shown}"
            );
        }
        for text in [
            "https://gate.example/posts?x=1&key=pk_site",
            "wrangler.toml has no such key; the nearest id is pk_0123456789abcdefghijkl",
            "npx wrangler versions deploy 18f97339-c287-4872-9bdd-e2135c07ec12@100%",
            "user@example.com",
            "https://gate.example:8443/@user",
            "Authorization is Bearer without a session after it",
            "?design=1",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
