//! The admin API on wrangler's own KV, which lists, reads many at once and keeps what was written.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use testkit::admin_api::{ADMIN, bare};
use testkit::client::{Request, Response};
use testkit::process::scratch;
use testkit::program::run;
use testkit::token::{Session, fresh, sk};
use testkit::upstream::Upstream;
use testkit::wrangler::{dev_with, with_lines, wrangler};

/// Every record, page by page, and how many pages there were.
fn list(send: impl Fn(Request) -> Response) -> (Vec<Value>, usize) {
    let (mut all, mut path, mut pages) = (Vec::new(), "keys".to_owned(), 0);
    loop {
        let mut page = send(bare("GET", &path)).passed().json();
        pages += 1;
        let Value::Array(records) = page["keys"].take() else {
            panic!("no keys in {page}");
        };
        assert!(records.len() <= 100 && pages < 10);
        all.extend(records);
        match page["cursor"].as_str() {
            Some(cursor) => path = format!("keys?cursor={cursor}"),
            None => return (all, pages),
        }
    }
}

#[test]
fn an_admin_keeps_the_keys_of_a_real_kv_namespace() {
    let folder = scratch("wrangler-admin");
    let upstream = Upstream::start();
    let root_secret = fresh();
    let config = with_lines(&["[[kv_namespaces]]", "binding = \"KEY_REGISTRY\"", "id = "]);
    let _fresh_state = fs::remove_dir_all(folder.join("state"));
    let secrets = format!("SIGNING_SECRET={root_secret}\nWRITE_TOKEN={}\n", fresh());
    let vars = [
        format!("UPSTREAM:{}", upstream.url()),
        format!("KEYS:{}", json!([{"id": ADMIN, "admin": true}])),
    ];
    let (server, port) = dev_with(&folder, &config, &secrets, &vars);
    let send =
        |request: Request| request.bearer(&Session::new(&root_secret, ADMIN).mint()).send_to(port);
    let tell =
        |method: &str, path: &str, body: &Value| send(bare(method, path).body(body.to_string()));
    let by = |id: &str, version: u64| {
        let secret = sk(&root_secret, id, version);
        let session = Session::new("", id).key(&secret).mint();
        Request::post("/posts").bearer(&session).send_to(port)
    };
    assert_eq!(list(send), (Vec::new(), 1));

    let record = |number: usize| json!({"id": format!("pk_{number:03}"), "version": 1, "schemes": ["session"], "paths": ["/posts"]});
    let all: Vec<Value> = (0..230).map(record).collect();
    for batch in all.chunks(100) {
        let made = tell("POST", "keys", &json!(batch)).passed().json();
        assert_eq!(made["keys"].as_array().unwrap().len(), batch.len());
        let last = made["keys"].as_array().unwrap().last().unwrap();
        assert_eq!(last["sk"], sk(&root_secret, last["id"].as_str().unwrap(), 1).as_str());
    }
    let (mut listed, pages) = list(send);
    listed.sort_by_key(|record| record["id"].to_string());
    assert_eq!((listed, pages), (all, 3));
    by("pk_229", 1).passed();

    tell("POST", "keys", &json!([{"id": "pk_new"}, {"id": "pk_007"}])).refused(409, "key-exists");
    send(bare("GET", "keys/pk_new")).refused(404, "no-route");
    send(bare("GET", "keys?cursor=nonsense!")).refused(400, "bad-request");

    let risen =
        tell("PATCH", "keys/pk_007", &json!({"version": 2, "name": "Ünïcode"})).passed().json();
    assert_eq!(risen["sk"], sk(&root_secret, "pk_007", 2).as_str());
    by("pk_007", 1).refused(401, "signature-invalid");
    by("pk_007", 2).passed();
    let tombstone = json!({"id": "pk_008", "version": 1, "revoked": true});
    assert_eq!(send(bare("DELETE", "keys/pk_008")).passed().json(), tombstone);
    by("pk_008", 1).refused(401, "key-revoked");
    tell("POST", "keys", &json!({"id": "pk_008"})).refused(409, "key-exists");

    // Read back by somebody else, who finds no secret in it.
    drop(server);
    let kept = |id: &str| {
        let arguments = [
            "kv",
            "key",
            "get",
            &format!("key/{id}"),
            "--binding",
            "KEY_REGISTRY",
            "--local",
            "--text",
            "--config",
        ];
        let mut get: Command = wrangler(&folder);
        get.args(arguments).arg(&config).arg("--persist-to").arg(folder.join("state"));
        let text = run(&mut get, "");
        serde_json::from_str::<Value>(&text).unwrap_or_else(|_| panic!("a record: {text}"))
    };
    assert_eq!(kept("pk_008"), tombstone);
    let expected = json!({"id": "pk_007", "version": 2, "schemes": ["session"], "paths": ["/posts"], "name": "Ünïcode"});
    assert_eq!(kept("pk_007"), expected);
    fs::remove_file(config).unwrap();
}
