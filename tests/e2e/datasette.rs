//! In front of software that is not ours: Datasette, whose write API needs a bearer token.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::client::Request;
use testkit::gate::{KEY, Setup};
use testkit::process::scratch;
use testkit::program::{Program, port_in, python, run};
use testkit::token::fresh;
use testkit::upstream::PATIENCE;

const TABLE: &str = "import sqlite3, sys\n\
    database = sqlite3.connect(sys.argv[1])\n\
    database.execute('create table notes (id integer primary key, text text)')\n\
    database.commit()";

/// Starts Datasette with one table, and its write token.
fn datasette(programs: &Path) -> (Program, u16, String) {
    let secret = fresh();
    let database = scratch("datasette").join(format!("{}.db", fresh()));
    run(Command::new(programs.join("python")).arg("-c").arg(TABLE).arg(&database), "");
    let renamed = database.with_file_name("db.db");
    std::fs::rename(&database, &renamed).unwrap();
    let mut server = Program::start(
        Command::new(programs.join("datasette"))
            .arg("serve")
            .arg(&renamed)
            .args(["--root", "--host", "127.0.0.1", "--port", "0", "--secret", &secret]),
    );
    let port = port_in(&server.until("Uvicorn running on", PATIENCE));
    let token = run(
        Command::new(programs.join("datasette"))
            .args(["create-token", "root", "--secret", &secret]),
        "",
    );
    (server, port, token)
}

fn insert(target: &str, text: &str) -> Request {
    let row = json!({"row": {"text": text}});
    Request::post(target).body(row.to_string())
}

#[test]
fn a_row_is_written_through_the_gate_and_by_nobody_else() {
    let Some(programs) = python("datasette") else {
        return;
    };
    let (_server, port, token) = datasette(&programs);
    let gate = Setup::to_url("unused")
        .env("WRITE_TOKEN", token.as_str())
        .route("/data/*", json!({"upstream": format!("http://127.0.0.1:{port}/db")}))
        .site(json!({"methods": ["POST"], "paths": ["/data/notes/-/insert"]}))
        .key(json!({"id": "pk_reader", "schemes": ["public-key"], "paths": ["/data/*"], "allowed_ips": ["192.0.2.1"]}))
        .start();
    let session = gate.bearer();
    let target = "/data/notes/-/insert";

    let made = insert(target, "through the gate").bearer(&session).send(&gate);
    assert_eq!(made.status, 201, "{made}");
    insert(target, "no session").send(&gate).refused(401, "credential-missing");
    insert(target, "forged")
        .bearer(&gate.session().key(&fresh()).mint())
        .send(&gate)
        .refused(401, "signature-invalid");
    insert("/data/other/-/insert", "elsewhere")
        .bearer(&session)
        .send(&gate)
        .refused(403, "path-denied");
    // The upstream itself takes its own token and nothing else: not even the session that the gate takes.
    for request in [
        insert("/db/notes/-/insert", "direct"),
        insert("/db/notes/-/insert", "direct").bearer(&session),
    ] {
        let refused = request.send_to(port);
        assert!([401, 403].contains(&refused.status), "{refused}");
    }

    let rows = Request::get("/data/notes.json?_shape=array")
        .header("X-Public-Key", "pk_reader")
        .header("CF-Connecting-IP", "192.0.2.1")
        .send(&gate)
        .passed()
        .json();
    let texts: Vec<&str> =
        rows.as_array().unwrap().iter().filter_map(|row| row["text"].as_str()).collect();
    assert_eq!(texts, ["through the gate"], "{rows}");

    let line = gate.logs.audit(&made.request_id());
    assert_eq!((&line["key"], &line["upstream_status"]), (&Value::from(KEY), &json!(201)));
    assert!(gate.stop().iter().all(|line| !line.text.contains(&token)));
}
