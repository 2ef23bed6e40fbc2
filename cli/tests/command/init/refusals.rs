//! Every wrong input is one line that says what was wanted, exit code 2, and nothing written.

use super::{CMS, clone};
use crate::checkout::{Done, random_secret};

#[test]
fn what_is_missing_is_named_by_its_flag() {
    let api = "init --local --upstream https://api.example.com";
    clone().refuses_fed(
        &random_secret(),
        &format!(
            "
            init --local                         → without a terminal: add --upstream https://api.example.com --method POST --path /posts
            init --local --preset cms            → add --upstream https://api.example.com --path
            init --local --preset workers-ai     → --account is missing
            init --local --preset cloudflare-api → add --path /posts
            {api}                                → add --method POST --path /posts
            {api} --method POST                  → add --path /posts
            init --local --preset images --upstream https://a.example → add --origin https://www.example.com
            "
        ),
    );
}

#[test]
fn what_is_wrong_is_named_and_never_quoted() {
    let secret = random_secret();
    let (cms, upstream) = (format!("{CMS} --local"), "--upstream https://a.example");
    let bare = "init --local --path /x";
    clone().refuses_fed(
        &secret,
        &format!(
            "
            {bare} {upstream} --preset wordpress     → --preset … cloudflare-api
            {bare} --upstream http://api.example.com → --upstream … https
            {bare} --upstream https://user:{secret}@api.example.com → --upstream … password
            {bare} {upstream} --probe me             → --probe … /me
            {bare} {upstream} --probe '/me/*'        → --probe … /me
            {cms} --auth {secret}                    → --auth … header:NAME
            {cms} --auth header:Host                 → --auth … header:NAME
            {cms} --name My_Gate                     → --name … a-z
            {cms} --account me@example.com           → --account … whoami
            {cms} --domain https://gate.example.com  → --domain … host name
            {cms} --method FETCH                     → --method … DELETE
            {cms} --path articles                    → --path … /posts/1
            {cms} --origin https://www.example.com/  → --origin … https://*.example.com
            {cms} --ip 203.0.113.7/24                → --ip … 203.0.113.0/24
            {cms} --issued-at yesterday              → --issued-at … 2026-11-22
            {cms} --issued-at 2999-01-01             → --issued-at … future
            {cms} --expires-at 2020-01-01            → --expires-at … passed
            {cms} --deploy                           → --local … --deploy
            init --local --secrets-only              → --local … --secrets-only
            {cms} --rate 30                          → --rate … 100/60
            {cms} --rate 30/15                       → --rate … 10 or 60
            {cms} --rate 0/60                        → --rate … 100/60
            {cms} --schemes jwt                      → --scheme … waf-url
            {cms} --route /cms                       → --route … /cms/*
            {cms} --route '/_gate/*'                 → --route … /cms/*
            {cms} --route '/cms/*'                   → --path … /cms/
            {cms} --site-key 0x4AAAAAAADnPIDROrmt1Wwj → --site-key … --preset form
            init --local --preset cloudflare-api --path '/zones/*' → --path … /client/v4/
            "
        ),
    );
    let words = [CMS, "--local --key-name 'two\nlines'"].join(" ");
    clone().fed(&words, &secret).failed(2, &["--key-name", "one line"]);
    let more = format!("{CMS} --local --path /{}", "x".repeat(5200));
    clone().refuses_fed(&secret, &format!("{more} → KEYS … 5120"));
}

/// npm would have to be asked for the packages first, and is not there.
#[test]
fn a_new_folder_is_not_begun_where_a_flag_is_wrong() {
    let checkout = clone();
    let folder = checkout.0.join("my-gate");
    let new = "init my-gate --local --upstream https://api.example.com";
    for row in format!(
        "
        init my-gate --local --upstream http://api.example.com → --upstream … https
        {new} --preset wordpress → --preset … cloudflare-api
        {new} --method FETCH     → --method … DELETE
        {new} --path posts       → --path … /posts/1
        {new} --rate 0/60        → --rate … 100/60
        {new} --scheme cookie    → --scheme … waf-url
        {new} --route /api       → --route … /cms/*
        {new} --method POST      → add --path /posts
        {new} --path /posts      → add --method POST
        init my-gate --local --preset cloudflare-api → add --path /posts
        {new} --preset form      → add --path /posts --origin https:// … --site-key TURNSTILE_SITE_KEY
        "
    )
    .lines()
    {
        checkout.refuses_fed(&random_secret(), row);
        assert!(!folder.exists(), "{row}");
    }
    // A project of one's own that wrangler reads otherwise.
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("package.json"), "{}").unwrap();
    std::fs::write(folder.join("wrangler.jsonc"), "{}").unwrap();
    let row =
        format!("{new} --method POST --path /posts → wrangler.jsonc instead: move that file away");
    checkout.refuses_fed(&random_secret(), &row);
    assert_eq!(std::fs::read_to_string(folder.join("package.json")).unwrap(), "{}");
    assert!(!folder.join(".gitignore").exists());
}

#[test]
fn a_root_that_the_gate_would_refuse_is_refused_here() {
    let checkout = clone();
    let short = "much too short";
    let mut command = checkout.command(&format!("{CMS} --local"));
    let done = Done::of(command.env("SIGNING_SECRET", short));
    done.failed(2, &["SIGNING_SECRET", "32 bytes"]);
    assert!(!done.err.contains(short));
    checkout.assert_untouched();
}
