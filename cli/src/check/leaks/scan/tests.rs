//! Tokens that are found and texts that are not. The tokens are made here, so that none is in this repository.

use writegate::Secret;

use super::*;

/// Returns this many pseudorandom characters of this alphabet, the same each time.
fn chars(length: usize, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let place = usize::try_from(state >> 33).unwrap() % alphabet.len();
        alphabet[place]
    };
    (0..length).map(|_| next()).collect()
}

fn letters(length: usize) -> String {
    chars(length, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
}

fn hex(length: usize) -> String {
    chars(length, "0123456789abcdef")
}

fn scanner(secrets: &[(&str, &str)], allowlist: &str) -> Scanner {
    let secrets = secrets.iter().map(|(what, text)| ((*what).to_owned(), Secret::new(*text)));
    Scanner::new(KnownSecrets::new(secrets.collect()), Allowlist::parse(allowlist).unwrap())
}

fn kinds(text: &str) -> Vec<String> {
    let (hits, accepted) = scanner(&[], "").scan(text.as_bytes());
    assert_eq!(accepted, 0);
    hits.into_iter().map(|hit| hit.kind).collect()
}

#[track_caller]
fn found(text: &str, kind: &str) {
    assert_eq!(kinds(text), [kind], "{text}");
}

#[track_caller]
fn clean(text: &str) {
    assert_eq!(kinds(text), [""; 0], "{text}");
}

#[test]
fn every_form_is_found_at_its_length_and_not_one_short() {
    for pattern in &token_patterns::TOKEN_PATTERNS {
        let rest = |length| match pattern.alphabet {
            token_patterns::Alphabet::Hex => hex(length),
            token_patterns::Alphabet::Base32 => chars(length, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
            _ => letters(length),
        };
        let token = |length| format!("{}{}", pattern.prefix, rest(length));
        for text in [
            token(pattern.min),
            format!("curl -H 'X: {}' https://a.example", token(pattern.min)),
            format!("https://a.example/{}/x", token(pattern.max)),
            format!("x-{}", token(pattern.min)),
        ] {
            found(&text, pattern.kind);
        }
        clean(&token(pattern.min - 1));
        clean(&format!("x{}", token(pattern.min)));
        clean(&format!("{}{}", pattern.prefix, "x".repeat(pattern.min)));
        if pattern.min == pattern.max {
            clean(&token(pattern.max + 1));
        }
    }
}

#[test]
fn a_jwt_is_one_with_a_header_and_a_signature() {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let jwt = |header: &str, signature: &str| {
        format!("{}.{}.{signature}", encode(header), encode("{\"exp\":1763900000}"))
    };
    let signature = letters(43);
    found(&jwt("{\"alg\":\"HS256\"}", &signature), "a JWT");
    found(&format!("TOKEN={}", jwt("{\"alg\":\"HS256\",\"kid\":\"a\"}", &signature)), "a JWT");
    clean(&jwt("{\"typ\":\"JWT\"}", &signature[..8]));
    clean(&jwt("{\"alg\":\"none\"}", ""));
    clean("eyJhbGciOi… is how a session begins");
}

#[test]
fn private_keys_are_found_and_a_title_without_a_key_is_not() {
    let key = letters(64);
    for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        found(&format!("-----BEGIN {kind}PRIVATE KEY-----\n{key}\n"), "a private key");
    }
    found(&format!("KEY=\"-----BEGIN PRIVATE KEY-----\\n{key}\\n\""), "a private key");
    clean("a file with -----BEGIN PRIVATE KEY----- in it\n\nis one");
    clean(&format!("-----BEGIN PUBLIC KEY-----\n{key}\n"));
    clean(&format!("-----BEGIN PRIVATE KEY-----\n{}\n", "x".repeat(64)));
}

#[test]
fn credentials_of_a_header() {
    let token = letters(40);
    found(&format!("Authorization: Bearer {token}"), "a bearer token");
    found(&format!("authorization: bearer {token}"), "a bearer token");
    clean("Authorization: Bearer 1234567890abcdefghij1234");
    clean("Authorization: Bearer $SESSION");
    clean(&format!("Authorization: Bearer {}", &token[..19]));
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("user:{}", letters(16)));
    found(&format!("Authorization: Basic {basic}"), "a user and a password");
    clean("Authorization: Basic authentication-of-users");
}

#[test]
fn values_of_such_names() {
    let value = hex(32);
    for text in [
        format!("API_TOKEN={value}"),
        format!("export my_secret='{value}'"),
        format!("  \"client_secret\": \"{value}\","),
        format!("apiKey: {value}"),
        format!("password => \"{value}\""),
        format!("let token = \"{value}\";"),
        format!("$config['db_password'] = '{value}';"),
        format!("https://a.example/?access_token={value}&x=1"),
        format!("-H 'X-Auth-Token: {value}'"),
        format!("SIGNING_SECRET={}==", letters(46)),
        format!("const token: string = \"{value}\";"),
        format!("  private apiKey?: string | null = '{value}'"),
        format!("static API_TOKEN: &str = \"{value}\";"),
        format!("ENV API_TOKEN {value}"),
        format!("ARG API_TOKEN={value}"),
        format!("<api-token>{value}</api-token>"),
        format!("<password type=\"x\">{value}</password>"),
        format!("<add key=\"ApiToken\" value=\"{value}\" />"),
        format!("define('API_TOKEN', '{value}');"),
        format!("headers.set(\"X-Auth-Token\", \"{value}\")"),
        format!("api_token: |\n  {value}\n"),
        format!("secret: >-\n    {value}\n"),
        format!("password:\n  {value}"),
        format!("\"{{\\\"token\\\":\\\"{value}\\\"}}\""),
        format!("token := \"{value}\""),
        format!("API_TOKEN ?= {value}"),
        format!("token ||= '{value}'"),
        format!("static const char token[] = \"{value}\";"),
        format!("token = b\"{value}\""),
        format!("var token = @\"{value}\";"),
        format!("token = \"\"\"{value}\"\"\""),
        format!("token <- \"{value}\""),
        format!("#define API_TOKEN \"{value}\""),
        format!("setx API_TOKEN {value}"),
        format!("set -gx API_TOKEN {value}"),
        format!("curl --api-token {value} https://a.example"),
        format!("Connect-Api -Token \"{value}\""),
        format!("$env:API_TOKEN = \"{value}\""),
        format!("[Environment]::SetEnvironmentVariable(\"API_TOKEN\", \"{value}\")"),
        format!("- name: API_TOKEN\n  value: {value}\n"),
        format!("{{\"name\": \"API_TOKEN\", \"value\": \"{value}\"}}"),
        format!("<property name=\"api.token\" value=\"{value}\"/>"),
        format!("<token><![CDATA[{value}]]></token>"),
        format!("<token>\n  {value}\n</token>"),
        format!("`API_TOKEN={value}`"),
        format!("(API_TOKEN={value})"),
        format!("api.token={value}"),
        format!("api.token = {value}\r\n"),
        format!("  api_token = \"{value}\" # Terraform"),
        format!("//registry.npmjs.org/:_authToken={value}"),
        format!("machine api.example login me password {value}"),
        format!("machine api.example\n  login me\n  password {value}\n"),
        format!("default login me password {value}\nmachine b.example"),
        format!("variable \"db_password\" {{\n  type = string\n\n  default = \"{value}\"\n}}"),
    ] {
        found(&text, "a value of such a name");
    }
    for text in [
        format!("token_id = \"{value}\""),
        format!("commit = \"{value}\""),
        format!("if token == {value} {{"),
        format!("token = {value}(x)"),
        format!("the token {value}"),
        "token = \"short1a2b3c\"".to_owned(),
        "SIGNING_SECRET=$(openssl rand -base64 48)".to_owned(),
        "let token = crate::token::Token::parse(secret)?;".to_owned(),
        format!("token = \"{value}"),
        format!("<commit>{value}</commit>"),
        format!("<add key=\"Commit\" value=\"{value}\" />"),
        format!("define('COMMIT', '{value}');"),
        format!("commit: |\n  {value}\n"),
        format!("token_id: |\n  {value}\n"),
        format!("RUN token {value}"),
        format!("commit := \"{value}\""),
        format!("curl --commit {value}"),
        format!("cat --token-file {value}"),
        format!("- name: COMMIT\n  value: {value}\n"),
        format!("<commit>\n  {value}\n</commit>"),
        format!("the password -- {value}"),
        format!("if the password {value} is wrong"),
        format!("machine api.example login me account {value}"),
        format!("variable \"image\" {{\n  type = string\n  default = \"{value}\"\n}}"),
        format!("variable \"password\" {{\n}}\nlocals {{\n  default = \"{value}\"\n}}"),
    ] {
        clean(&text);
    }
}

#[test]
fn passwords_in_urls() {
    let password = letters(24);
    for text in [
        format!("https://user:{password}@a.example/x"),
        format!("DATABASE=postgres://user:{password}@db.example:5432/x"),
    ] {
        found(&text, "a password in a URL");
    }
    for text in [
        format!("https://a.example:443/x:{password}@b"),
        format!("mail user:{password}@a.example"),
        "https://user:password-of-yours-here@a.example".to_owned(),
    ] {
        clean(&text);
    }
}

#[test]
fn a_finding_names_the_line_and_not_the_string() {
    let (token, secret) = (format!("ghp_{}", letters(36)), "correct horse battery");
    let scanner = scanner(&[("the value of WRITE_TOKEN", secret)], "");
    let text = format!("one\ntwo {token}\n\nfour {secret} {token}\n");
    let (hits, _) = scanner.scan(text.as_bytes());
    let shown: Vec<_> = hits.iter().map(|hit| (hit.line, hit.kind.as_str())).collect();
    assert_eq!(shown, [(2, "a GitHub token"), (4, "the value of WRITE_TOKEN")]);
    assert_eq!(hits[0].mark.as_deref(), Some(mark(token.as_bytes()).as_str()));
    assert_eq!(hits[1].mark, None);
    assert!(!format!("{hits:?}").contains(&token[4..]));
}

#[test]
fn what_was_accepted_is_counted_and_nothing_else_is() {
    let (token, other) = (format!("ghp_{}", letters(36)), format!("gho_{}", letters(36)));
    let scanner = scanner(&[], &mark(token.as_bytes()));
    let (hits, accepted) = scanner.scan(format!("{token} {other}").as_bytes());
    assert_eq!((hits.len(), accepted), (1, 1));
    assert_eq!(hits[0].mark.as_deref(), Some(mark(other.as_bytes()).as_str()));
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    assert!(Scanner::is_binary(b"a\0b") && !Scanner::is_binary(b"ab\xff"));
    let token = format!("npm_{}", letters(36));
    let mut bytes = vec![0xff, 0xfe, b'\n', 0xe2];
    bytes.extend(token.as_bytes());
    bytes.push(0x82);
    let (hits, _) = scanner(&[], "").scan(&bytes);
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].line, 2);
}
