//! Every wrong input is one line that says what was wanted, exit code 2, and nothing written.

use super::{CMS, clone};
use crate::checkout::random_secret;

/// Returns the arguments and, if they are not enough, some more.
fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [CMS.as_slice(), &["--local"], more].concat()
}

#[test]
fn what_is_missing_is_named_by_its_flag() {
    let checkout = clone();
    let api = ["init", "--local", "--upstream", "https://api.example.com"];
    for (arguments, flag) in [
        (["init", "--local"].as_slice(), "--upstream is missing"),
        (&["init", "--local", "--preset", "cms"], "--upstream is missing"),
        (&["init", "--local", "--preset", "workers-ai"], "--account is missing"),
        (&["init", "--local", "--preset", "cloudflare-api"], "--path is missing"),
        (&api, "--method is missing"),
        (&[api.as_slice(), &["--method", "POST"]].concat(), "--path is missing"),
        (
            &["init", "--local", "--preset", "images", "--upstream", "https://a.example"],
            "--origin is missing",
        ),
    ] {
        checkout.fed(arguments, &random_secret()).failed(2, &[flag]);
    }
    checkout.assert_untouched();
}

#[test]
fn what_is_wrong_is_named_and_never_quoted() {
    let checkout = clone();
    let secret = random_secret();
    let hidden = format!("https://user:{secret}@api.example.com");
    for (more, words) in [
        (["--preset", "wordpress"].as_slice(), ["--preset", "cloudflare-api"].as_slice()),
        (&["--upstream", "http://api.example.com"], &["--upstream", "https"]),
        (&["--upstream", &hidden], &["--upstream", "password"]),
        (&["--auth", &secret], &["--auth", "header:NAME"]),
        (&["--auth", "header:Host"], &["--auth", "header:NAME"]),
        (&["--probe", "me"], &["--probe", "/me"]),
        (&["--probe", "/me/*"], &["--probe", "/me"]),
        (&["--name", "My_Gate"], &["--name", "a-z"]),
        (&["--account", "me@example.com"], &["--account", "whoami"]),
        (&["--domain", "https://gate.example.com"], &["--domain", "host name"]),
        (&["--key-name", "two\nlines"], &["--key-name", "one line"]),
        (&["--method", "FETCH"], &["--method", "DELETE"]),
        (&["--path", "articles"], &["--path", "/posts/1"]),
        (&["--origin", "https://www.example.com/"], &["--origin", "https://*.example.com"]),
        (&["--ip", "203.0.113.7/24"], &["--ip", "203.0.113.0/24"]),
        (&["--issued-at", "yesterday"], &["--issued-at", "2026-11-22"]),
        (&["--issued-at", "2999-01-01"], &["--issued-at", "future"]),
        (&["--expires-at", "2020-01-01"], &["--expires-at", "passed"]),
        (&["--deploy"], &["--local", "--deploy"]),
        (&["--secrets-only"], &["--local", "--secrets-only"]),
    ] {
        // Of an option that may be given once, the last counts.
        let mut arguments = with(more);
        if let Some(given) = arguments.iter().position(|a| *a == more[0])
            && given < CMS.len()
            && !["--path", "--method"].contains(&more[0])
        {
            arguments.drain(given..given + 2);
        }
        let done = checkout.fed(&arguments, &secret);
        done.failed(2, words);
        assert!(!done.err.contains(&secret), "{}", done.err);
    }
    checkout.assert_untouched();
}

/// npm would have to be asked for the packages first, and is not there.
#[test]
fn a_new_folder_is_not_begun_where_a_flag_is_wrong() {
    let checkout = clone();
    let folder = checkout.0.join("my-gate");
    let new = ["init", "my-gate", "--local", "--upstream", "https://api.example.com"];
    for (more, words) in [
        (["--upstream", "http://api.example.com"].as_slice(), ["--upstream", "https"]),
        (&["--preset", "wordpress"], ["--preset", "cloudflare-api"]),
        (&["--method", "FETCH"], ["--method", "DELETE"]),
        (&["--path", "posts"], ["--path", "/posts/1"]),
        (&["--rate", "0/60"], ["--rate", "100/60"]),
        (&["--scheme", "cookie"], ["--scheme", "waf-url"]),
        (&["--route", "/api"], ["--route", "/cms/*"]),
        (&["--method", "POST"], ["--path is missing", ""]),
        (&["--path", "/posts"], ["--method is missing", ""]),
    ] {
        let rest = if more[0] == "--upstream" { &new[..3] } else { &new[..] };
        checkout.fed(&[rest, more].concat(), &random_secret()).failed(2, &words);
        assert!(!folder.exists(), "{more:?}");
    }
    // A project of one's own that wrangler reads otherwise.
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("package.json"), "{}").unwrap();
    std::fs::write(folder.join("wrangler.jsonc"), "{}").unwrap();
    let all = [&new[..], &["--method", "POST", "--path", "/posts"]].concat();
    checkout.fed(&all, &random_secret()).failed(2, &["wrangler.jsonc instead: move that away"]);
    assert_eq!(std::fs::read_to_string(folder.join("package.json")).unwrap(), "{}");
    assert!(!folder.join(".gitignore").exists());
}

#[test]
fn keys_of_an_api_below_a_path_are_kept_there() {
    let checkout = clone();
    let preset = ["init", "--local", "--preset", "cloudflare-api", "--path", "/zones/*"];
    checkout.fed(&preset, &random_secret()).failed(2, &["--path", "/client/v4/"]);
    checkout.assert_untouched();
}

#[test]
fn more_than_a_variable_holds_is_refused() {
    let checkout = clone();
    let path = format!("/{}", "x".repeat(5200));
    checkout.fed(&with(&["--path", &path]), &random_secret()).failed(2, &["KEYS", "5120"]);
    checkout.assert_untouched();
}

#[test]
fn a_root_that_the_gate_would_refuse_is_refused_here() {
    let checkout = clone();
    let short = "much too short";
    let mut command = checkout.command(&with(&[]));
    let done = crate::checkout::Done::of(command.env("SIGNING_SECRET", short));
    done.failed(2, &["SIGNING_SECRET", "32 bytes"]);
    assert!(!done.err.contains(short));
    checkout.assert_untouched();
}
