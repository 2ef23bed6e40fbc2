//! Takes secrets out of what is printed: somebody's command line comes back in messages, and messages end in logs.

use std::sync::LazyLock;

use regress::Regex;

/// Forms of secrets, each with the text that takes its place.
static SECRETS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let expression = |pattern| Regex::new(pattern).expect("a constant expression");
    vec![
        // The user and the password of a URL.
        (expression(r#"://[^/?#\s"'`]*@"#), "://[redacted]@"),
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
    SECRETS.iter().fold(text.to_owned(), hide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_all_else_stays() {
        let secret = &crate::random::text(24).unwrap();
        for text in [
            format!("https://user:{secret}@gate.example/x"),
            format!("reading sk_{secret}{secret}: no such file"),
            format!("ss_{secret}"),
            format!("eyJhbGciOiJIUzI1NiJ9.{secret}.{secret}"),
            format!("https://a.example/x?exp=1&sig={secret}&key=pk_a"),
            format!("https://a.example/x?verify=1-{secret}"),
            format!("?access_token={secret}#top"),
        ] {
            let shown = redacted(&text);
            assert!(!shown.contains(secret.as_str()) && shown.contains("[redacted]"), "{shown}");
        }
        for text in [
            "https://gate.example/posts?x=1&key=pk_site",
            "wrangler.toml has no such key; the nearest id is pk_0123456789abcdefghijkl",
            "npx wrangler versions deploy 18f97339-c287-4872-9bdd-e2135c07ec12@100%",
            "user@example.com",
            "?design=1",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
