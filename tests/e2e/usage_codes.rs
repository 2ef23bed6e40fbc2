//! The codes in the rows of `GET /_gate/usage` (docs/wire-contract.md, "The gate's own paths"), and ledgers of former
//! versions, which had none.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::check::Check;
use testkit::client::Request;
use testkit::gate::{Gate, KEY, Setup};
use testkit::minting::{SITE, ask, minting, page_key, yes};
use testkit::poll::poll;
use testkit::process::Script;
use testkit::upstream::{PATIENCE, Reply, Upstream};

use crate::usage::{Counts, add, admin, rows, settles, with_ledger};

/// Returns the requests by outcome and code, over days: a test may run at midnight.
fn by_code(gate: &Gate) -> BTreeMap<(String, Option<String>), u64> {
    let answer = admin(gate, &format!("usage?key={KEY}")).send(gate).passed();
    let mut all = BTreeMap::new();
    for row in rows(&answer) {
        let outcome = row["outcome"].as_str().unwrap().to_owned();
        assert!(row.as_object().unwrap().contains_key("code"), "{row}");
        let code = row["code"].as_str().map(str::to_owned);
        *all.entry((outcome, code)).or_default() += row["requests"].as_u64().unwrap();
    }
    all
}

fn row(outcome: &str, code: Option<&str>, requests: u64) -> ((String, Option<String>), u64) {
    ((outcome.to_owned(), code.map(str::to_owned)), requests)
}

#[test]
fn each_code_has_a_row_and_a_minted_session_too() {
    let verify = Upstream::answering(|_, _| Reply::ok(&yes("www.example.com").to_string()));
    let upstream = Upstream::answering(|request, _| {
        Reply::new(if request.target == "/posts" { 200 } else { 522 })
    });
    let quota = json!({"paths": ["/posts", "/522"], "quota": {"requests": 2, "per": "month"}});
    let table = Check::before(upstream, |setup| {
        with_ledger(minting(setup, &verify.url()).key(page_key(KEY, quota)))
    });
    let by = |path: &str| Request::post(path).bearer(&table.gate.bearer());
    let mut expected = Counts::new();
    let mut sent = |request: Request, status: u16, outcome: &str| {
        let answer = request.send(&table.gate);
        assert_eq!(answer.status, status, "{answer}");
        let bytes_in = request.body.as_ref().map_or(0, Vec::len);
        add(&mut expected, outcome, 1, bytes_in, answer.body.len());
    };
    sent(by("/posts"), 403, "refused");
    sent(by("/posts").origin("https://other.example"), 403, "refused");
    sent(by("/other").origin(SITE), 403, "refused");
    sent(by("/522").origin(SITE), 502, "failed");
    // Neither counts against the quota, which two more use up.
    sent(ask(), 201, "minted");
    sent(ask(), 201, "minted");
    sent(by("/posts").origin(SITE), 200, "forwarded");
    sent(by("/posts").origin(SITE), 200, "forwarded");
    sent(by("/posts").origin(SITE), 429, "refused");
    // Refused without a session, so it counts nowhere.
    assert_eq!(ask().body("{").send(&table.gate).status, 400);
    settles(&table.gate, KEY, &expected);
    let all = [
        row("failed", Some("upstream-unreachable"), 1),
        row("forwarded", None, 2),
        row("minted", None, 2),
        row("refused", Some("origin-denied"), 2),
        row("refused", Some("path-denied"), 1),
        row("refused", Some("quota-exceeded"), 1),
    ];
    assert_eq!(by_code(&table.gate), all.into());
}

/// The ledger of a former version, with rows of today, which is deployed again for a while.
const FORMER: &str = r#"import * as gate from "./built.js";
export * from "./built.js";
export { default } from "./built.js";
export class Ledger extends gate.Ledger {
  constructor(state, env) {
    for (const factor of [1, 2]) {
      state.storage.sql.exec(`CREATE TABLE IF NOT EXISTS usage (day TEXT, outcome TEXT, requests INTEGER, bytes_in INTEGER,
        bytes_out INTEGER, upstream_ms INTEGER, upstream_429 INTEGER, PRIMARY KEY (day, outcome)) WITHOUT ROWID`);
      const day = new Date().toISOString().slice(0, 10);
      const forwarded = [2, 20, 200, 3, 1].map((number) => factor * number);
      state.storage.sql.exec("INSERT INTO usage VALUES (?, 'forwarded', ?, ?, ?, ?, ?)", day, ...forwarded);
      state.storage.sql.exec("INSERT INTO usage VALUES (?, 'refused', 1, 10, 100, 0, 0)", day);
      new gate.Ledger(state, env);
    }
    super(state, env);
  }
}"#;

#[test]
fn a_ledger_that_is_there_carries_its_rows_over() {
    let table = Check::of(|setup| {
        let quota = json!({"quota": {"requests": 8, "per": "month"}, "methods": ["POST"]});
        with_ledger(setup.site(quota)).script(Script::Around(FORMER))
    });
    let gate = &table.gate;
    let [post, get] =
        ["POST", "GET"].map(|method| Request::new(method, "/x").bearer(&gate.bearer()));
    assert_eq!(by_code(gate), [row("forwarded", None, 6), row("refused", None, 2)].into());
    post.send(gate).passed();
    get.send(gate).refused(403, "method-denied");
    post.send(gate).passed();
    post.send(gate).refused(429, "quota-exceeded");
    let all = [
        row("forwarded", None, 8),
        row("refused", None, 2),
        row("refused", Some("method-denied"), 1),
        row("refused", Some("quota-exceeded"), 1),
    ];
    poll(PATIENCE, || {
        let shown = by_code(gate);
        let is_all = shown == all.iter().cloned().collect();
        is_all.then_some(()).ok_or_else(|| format!("{shown:?}"))
    });
    let answer = admin(gate, &format!("usage?key={KEY}")).send(gate).passed();
    let shown = rows(&answer);
    let first = shown.iter().find(|row| row["outcome"] == "refused" && row["code"] == Value::Null);
    let first = first.expect("the former row");
    assert_eq!((&first["bytes_in"], &first["bytes_out"]), (&json!(20), &json!(200)));
}

/// An isolate of a former version, whose batches have no codes.
const WITHOUT_CODES: &str = "export class Broken {
  constructor(state, env) { this.name = state.id.name; this.env = env; }
  async fetch(request) {
    const own = this.env.OWN.get(this.env.OWN.idFromName(this.name));
    if (request.method === 'GET') return own.fetch(request);
    const batch = JSON.stringify({ ...(await request.json()), codes: undefined });
    return own.fetch(request.url, { method: 'POST', body: batch });
  }
}
export default {};";

#[test]
fn a_batch_of_a_former_version_counts_without_codes() {
    let table = Check::of(|setup: Setup| {
        let setup = setup.site(json!({"methods": ["POST"]}));
        with_ledger(setup).ledger_by(WITHOUT_CODES)
    });
    let answer = Request::get("/x").bearer(&table.gate.bearer()).send(&table.gate);
    let mut expected = Counts::new();
    add(&mut expected, "refused", 1, 0, answer.refused(403, "method-denied").body.len());
    settles(&table.gate, KEY, &expected);
    assert_eq!(by_code(&table.gate), [row("refused", None, 1)].into());
}
