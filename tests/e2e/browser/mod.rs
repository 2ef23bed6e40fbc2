//! The gate's pages and `client.js` in a real browser: Debian's Chromium, driven by playwright-core (`testkit/package.json`).
//!
//! Each test here starts what its pages talk to, and runs one or more `*.test.mjs` with `node --test`; its report is shown if
//! it fails. `harness.mjs` opens pages, mints sessions and looks for violations of accessibility. A new page:
//!
//! 1. write `NAME.test.mjs`, which imports `harness.mjs` and reads the addresses of its servers from the environment;
//! 2. add a test here that starts those servers and calls [`in_browser`] with the file's name and these addresses.
//!
//! The browser is `CHROMIUM`, or the first of [`BROWSERS`] on `PATH`. Without one, a line says so and nothing runs; on CI that is
//! a failure. `SCREENSHOTS=FOLDER` keeps pictures of the pages.

mod demo;
mod form;
mod site;

use std::fs;
use std::process::Command;

use testkit::process::{built, root, scratch};
use testkit::program::{first_of, npm, run};

/// The programs that are tried, in this order.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The files of tests of `client.js` and of the gate's pages.
const PAGES: [&str; 6] = [
    "client.test.mjs", "client_calls.test.mjs", "console.test.mjs", "console_keys.test.mjs",
    "console_shows.test.mjs", "problems.test.mjs",
];

/// Runs these files of tests in a browser, with these variables in their environment.
#[track_caller]
fn in_browser(files: &[&str], servers: &[(&str, String)]) {
    let named = std::env::var("CHROMIUM");
    let browsers = named.as_deref().map_or(BROWSERS.to_vec(), |named| vec![named]);
    let Some(browser) = first_of(&browsers, files[0]) else {
        return;
    };
    let mut node = Command::new("node");
    // By default Node runs one file fewer at once than there are cores.
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=3"])
        .current_dir(root().join("tests/e2e/browser"));
    node.args(files).env("CHROMIUM", browser).env("PACKAGES", npm());
    node.envs(servers.iter().map(|(name, value)| (name, value)));
    let ran = node.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{files:?}:\n{said}\n{errors}");
    assert!(said.contains("pass ") && !said.contains("pass 0\n"), "no test ran:\n{said}");
}

#[test]
fn the_client_and_the_pages_work_in_a_browser() {
    let site = site::Site::start(&scratch("browser"));
    in_browser(&PAGES, &site.servers());
    drop(site);
}

#[test]
fn the_recipe_s_page_writes_in_a_browser() {
    let form = form::Form::start(&scratch("browser-form"));
    in_browser(&["form.test.mjs"], &form.servers());
    for seen in form.api.seen() {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/entries"));
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {}", form.token)));
    }
    let first =
        form.api.seen().first().map(|seen| String::from_utf8_lossy(&seen.body).into_owned());
    let expected = r#"{"name":"Ada","message":"Hello & <b>goodbye</b>"}"#;
    assert!(first.is_none_or(|first| first == expected), "what the visitor typed");
}

#[test]
fn the_demo_s_page_writes_in_a_browser() {
    let demo = demo::Demo::start();
    in_browser(&["demo.test.mjs"], &demo.servers());
}

/// A page that loads them pays for it: the limits are promises.
#[test]
fn the_client_and_the_console_are_small() {
    for (name, most) in [("client.js", 4096), ("index.html", 120_000)] {
        let file = fs::read(root().join("public/_gate").join(name)).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &file).unwrap();
        let packed = packed.finish().unwrap().len();
        assert!(packed <= most, "{name} has {packed} bytes");
    }
}

#[test]
fn the_committed_console_is_the_built_one() {
    // The build of the Worker installs the packages that this one needs.
    let (_worker, folder) = (built(), scratch("console"));
    run(Command::new("node").arg(root().join("console/build.mjs")).arg(&folder), "");
    for name in ["_gate/index.html", "_headers"] {
        let [committed, fresh] = [root().join("public"), folder.clone()]
            .map(|at| fs::read_to_string(at.join(name)).unwrap());
        assert!(committed == fresh, "run node console/build.mjs and commit public/{name}");
    }
}
