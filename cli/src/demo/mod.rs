//! `writegate demo`: the gate by `wrangler dev`, in front of a small API, with a page of another origin that writes through it
//! and the console that shows it; and a walk through what the gate lets pass and what not. Every secret is made for this run.

mod gate;
mod page;
mod talk;
mod upstream;
mod walk;

use std::io::IsTerminal as _;

use clap::Args;
use serde_json::json;
use writegate::{KeyId, Secret, derive_sk};

use self::gate::{Gate, Settings};
use self::page::{Facts, Page};
use self::upstream::Upstream;
use self::walk::Walk;
use crate::checkout::Checkout;
use crate::error::{Context as _, Error, Result};
use crate::progress::Progress;
use crate::session::Claims;
use crate::setup::Tools;
use crate::{browser, build, console, random};

/// The lifetime of the demo's sessions: as long as a gate allows by default, for the curl lines.
const SESSION_SECONDS: u32 = 3600;

#[derive(Args)]
pub(crate) struct Options {
    /// Leave after the walk-through instead of staying up for requests of your own
    #[arg(long)]
    once: bool,
    /// Open no browser
    #[arg(long)]
    no_open: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let checkout = Checkout::find()?;
    let progress = Progress::new();
    let tools = Tools::ensure(&checkout, &progress)?;
    let built = build::build(&checkout, &tools, &progress, &build::Options::default())?;

    let (token, root, turnstile) = (random::text(24)?, random::text(36)?, random::text(24)?);
    let [server, visitors, operator] = [key_id()?, key_id()?, key_id()?];
    let upstream = Upstream::start(&token)?;
    let facts = Facts::default();
    let page = Page::start(&turnstile, &facts)?;
    let (methods, paths) = (["GET", "POST"], ["/posts"]);
    let settings = Settings {
        vars: json!({
            "UPSTREAM": upstream.url(),
            "TURNSTILE_VERIFY_URL": page.verifier(),
            "RATES": {"mint": {"limit": 10, "period": 60}},
            "KEYS": [
                {"id": server.as_str(), "name": "A server", "methods": methods, "paths": paths},
                {
                    "id": visitors.as_str(),
                    "name": "The guestbook's page",
                    "methods": methods,
                    "paths": paths,
                    "allowed_origins": [page.origin()],
                    "mint": {"ttl": 300},
                },
                {"id": operator.as_str(), "name": "The operator", "admin": true},
            ],
        }),
        secrets: &[
            ("SIGNING_SECRET", &root),
            ("WRITE_TOKEN", &token),
            ("TURNSTILE_SECRET", &turnstile),
        ],
    };
    let mut gate =
        progress.step("starting the gate", |_step| Gate::start(&checkout, &built, &settings))?;
    let _filled = facts.set((gate.origin(), visitors.to_string()));

    let root = Secret::new(root.as_str());
    let session =
        Claims::lasting(SESSION_SECONDS).mint(&server, &derive_sk(&root, &server, 1), None)?;
    let console = console::claims(SESSION_SECONDS, false).mint(
        &operator,
        &derive_sk(&root, &operator, 1),
        None,
    )?;
    println!("writegate demo: a gate in front of a small API, all of it on this machine\n");
    println!("   the API       {}", upstream.url());
    println!("                 a guestbook; accepts its write token and nothing else");
    println!("   the gate      {}", gate.origin());
    println!("                 the Worker, run by wrangler dev; only it has the write token");
    println!("   the key       {server}");
    println!("                 public: it says who asks, and may GET and POST /posts");
    println!("   the page      {}/", page.origin());
    println!(
        "                 static, of another origin; it writes through the gate with the id of a key"
    );
    println!("   the console   {}/_gate/      its session: {console}", gate.origin());

    let walk = Walk {
        gate: &gate,
        page: &page,
        upstream: &upstream,
        session: &session,
        page_key: visitors.as_str(),
        token: &token,
    };
    walk.server()?;
    if options.once {
        walk.page()?;
        println!("\nAll of it went as it should.");
        return Ok(());
    }
    println!(
        "\nThe gate stays up until Ctrl-C. Try the page and the console. What is logged from now on:\n"
    );
    if !options.no_open && std::io::stdout().is_terminal() {
        // The address is printed, too.
        let _opened = browser::open(&format!("{}/", page.origin()));
    }
    follow(&mut gate)
}

fn key_id() -> Result<KeyId> {
    KeyId::parse(&random::key_id()?).ok_or_else(|| Error::new("no key id"))
}

/// Prints what wrangler and the gate log until they end, which Ctrl-C brings about.
fn follow(gate: &mut Gate) -> Result<()> {
    let mut mark = gate.logs().mark();
    while let Some(line) = gate.logs().next(mark) {
        println!("{line}");
        mark += 1;
    }
    gate.wait().context("waiting for the gate")
}
