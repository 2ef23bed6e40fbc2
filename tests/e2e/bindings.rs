//! Every binding of the shipped configuration on wrangler's own: Cache, KV, limiters, Durable Objects, and a Secrets Store.
//! Starting wrangler takes seconds, so all of it is one gate, and each part has keys and paths of its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::admin_api::bare;
use testkit::cache::{HIT, MISS, counting};
use testkit::client::{Request, Response};
use testkit::minting::{ask_of, page_key, write_with, yes};
use testkit::poll::poll;
use testkit::process::scratch;
use testkit::program::{Program, run};
use testkit::signing::Signature;
use testkit::token::{Session, fresh, sk};
use testkit::upstream::{PATIENCE, Reply, Upstream};
use testkit::wrangler::{dev_with, with_lines, wrangler};

use crate::usage::ADMIN;

/// As in the shipped configuration.
const STORE: &str = "0123456789abcdef0123456789abcdef";
const STORED: &str = "writegate_token";

/// The key whose usage is counted, and the key of the registry with a quota.
const SITE: &str = "pk_site";
const CUSTOMER: &str = "customer.17";
/// The key whose reads are cached.
const READER: &str = "pk_reader";
/// The keys with nonces, with a low rate, and of a page.
const NONCES: &str = "pk_nonces";
const LIMITED: &str = "pk_limited";
const PAGE: &str = "pk_page";

/// A gate under `wrangler dev`.
struct Edge {
    port: u16,
    root: String,
    upstream: Upstream,
    verifier: Upstream,
    /// The id of the token in the Secrets Store.
    stored: String,
    folder: PathBuf,
    config: PathBuf,
    server: Program,
}

impl Edge {
    /// Starts with this token in its Secrets Store, this record in its registry, and one cached route beside the others.
    fn start(token: &str, record: &Value) -> Self {
        let folder = scratch("wrangler-edge");
        // What a former run left there would count.
        let _fresh_state = fs::remove_dir_all(folder.join("state"));
        let config = configuration();
        let at = (&*folder, &*config);
        let create = ["create", STORE, "--name", STORED, "--scopes", "workers"];
        let made = tell(at, &[&["secrets-store", "secret"], &create[..]].concat(), token);
        let (_, rest) = made.split_once("(ID: ").expect("an id");
        let stored = rest.split_once(')').unwrap().0.to_owned();
        let (name, text) = (format!("key/{CUSTOMER}"), record.to_string());
        tell(at, &["kv", "key", "put", &name, &text, "--binding", "KEY_REGISTRY", "--local"], "");
        let upstream = answers();
        let verifier = Upstream::answering(|_, _| Reply::ok(&yes("www.example.com").to_string()));
        let (root, url) = (fresh(), upstream.url());
        let routes = json!([
            {"path": "/*", "upstream": url},
            {"path": "/kept/*", "upstream": url, "cache": {"ttl": 3600}},
        ]);
        let keys = json!([
            {"id": ADMIN, "admin": true},
            {"id": SITE, "rate": "standard"},
            {"id": READER},
            {"id": "pk_other"},
            {"id": NONCES, "schemes": ["signature"], "nonce": "required"},
            {"id": LIMITED, "rate": "low"},
            page_key(PAGE, json!({})),
        ]);
        let secrets = format!("SIGNING_SECRET={root}\nTURNSTILE_SECRET={}\n", fresh());
        let vars = [
            format!("ROUTES:{routes}"),
            format!("KEYS:{keys}"),
            format!("TURNSTILE_VERIFY_URL:{}/", verifier.url()),
        ];
        let (server, port) = dev_with(&folder, &config, &secrets, &vars);
        Self { port, root, upstream, verifier, stored, folder, config, server }
    }

    /// Sends this request with a session of this key.
    fn by(&self, key: &str, request: Request) -> Response {
        let session = Session::new(&self.root, key).mint();
        request.bearer(&session).send_to(self.port)
    }

    /// Sends it until its answer comes from the cache.
    #[track_caller]
    fn hit(&self, key: &str, request: &Request) -> Response {
        poll(PATIENCE, || {
            let answer = self.by(key, request.clone());
            match answer.header("cache-status").as_deref() {
                Some(HIT) => Ok(answer),
                _ => {
                    // The platform may drop an entry, and only a GET stores it again.
                    self.by(key, Request { method: "GET".into(), ..request.clone() });
                    Err(answer.to_string())
                }
            }
        })
    }

    #[track_caller]
    fn miss(&self, key: &str, request: &Request) -> Response {
        let answer = self.by(key, request.clone());
        assert_eq!(answer.header("cache-status").as_deref(), Some(MISS), "{answer}");
        answer
    }

    /// Returns the token that a write is sent with.
    fn sent(&self) -> String {
        self.by(READER, Request::post("/token")).passed();
        self.upstream.last().header("authorization").unwrap_or_default()
    }
}

/// Returns the shipped configuration with all that it has as comments, and two limiters more.
fn configuration() -> PathBuf {
    let config = with_lines(&[
        "[[kv_namespaces]]", "binding = \"KEY_REGISTRY\"", "id = ", "[[secrets_store_secrets]]",
        "binding = \"WRITE_TOKEN\"", "store_id = ", "secret_name = ", "[[ratelimits]]",
        "name = \"RATE_STANDARD\"", "namespace_id", "simple = ",
    ]);
    let mut text = fs::read_to_string(&config).unwrap();
    let own = "UPSTREAM = \"https://api.example.com\"\n";
    assert_eq!(text.matches(own).count(), 1);
    text = text.replace(own, "");
    for (name, id) in [("RATE_LOW", 1002), ("RATE_MINT", 1003)] {
        text.push_str(&format!(
            "\n[[ratelimits]]\nname = \"{name}\"\nnamespace_id = \"{id}\"\nsimple = {{ limit = 2, period = 60 }}\n"
        ));
    }
    fs::write(&config, text).unwrap();
    config
}

/// Runs a command of wrangler about the storage of the gate in this folder, with this input. Returns its output.
fn tell((folder, config): (&Path, &Path), arguments: &[&str], input: &str) -> String {
    let mut command = wrangler(folder);
    command.args(arguments).arg("--config").arg(config);
    run(command.arg("--persist-to").arg(folder.join("state")), input)
}

fn answers() -> Upstream {
    counting(|request, reply| match request.target.as_str() {
        "/cookie" => {
            reply.header("Set-Cookie", "a=b").header("Cache-Control", "public, max-age=60")
        }
        "/large" => reply.body(vec![b'x'; 3_000_000]),
        "/short" => Reply::new(200).cut_short(100, b"half of it"),
        "/short-chunked" => Reply::new(200).parts_cut_short(vec![(None, b"half of it".to_vec())]),
        _ => reply
            .header("ETag", "\"one\"")
            .header("Cache-Control", "max-age=600")
            .header("Age", "100"),
    })
}

#[test]
fn every_binding_works_under_wrangler_dev() {
    let (first, second) = (fresh(), fresh());
    let quota = json!({"requests": 10, "bytes": 100_000, "per": "month"});
    let record = json!({"id": CUSTOMER, "version": 1, "rate": "standard", "quota": quota});
    let edge = Edge::start(&first, &record);
    assert_eq!(edge.sent(), format!("Bearer {first}"));
    let update = ["secrets-store", "secret", "update", STORE, "--secret-id", &edge.stored];
    tell((&edge.folder, &edge.config), &update, &second);

    a_nonce_is_good_once(&edge);
    requests_are_limited(&edge);
    minted_sessions_are_limited(&edge);
    reads_are_kept(&edge);
    usage_and_quotas_are_kept(&edge);
    keys_are_kept(&edge, &record);
    // The gate believes what it has read for 30 s, which the others have used.
    poll(2 * PATIENCE, || match edge.sent() {
        with if with == format!("Bearer {second}") => Ok(()),
        _ => Err("the first token is used on".to_owned()),
    });

    // Read by somebody else, who finds no secret in a record.
    let Edge { folder, config, server, .. } = edge;
    drop(server);
    let kept = |id: &str| {
        let name = format!("key/{id}");
        let get = ["kv", "key", "get", &name, "--binding", "KEY_REGISTRY", "--local", "--text"];
        let text = tell((&folder, &config), &get, "");
        serde_json::from_str::<Value>(&text).unwrap_or_else(|_| panic!("a record: {text}"))
    };
    assert_eq!(kept("pk_008"), json!({"id": "pk_008", "version": 1, "revoked": true}));
    let expected = json!({"id": "pk_007", "version": 2, "schemes": ["session"], "paths": ["/posts"], "name": "Ünïcode"});
    assert_eq!(kept("pk_007"), expected);
    fs::remove_file(config).unwrap();
}

fn a_nonce_is_good_once(edge: &Edge) {
    let signature = Signature::new(&edge.root, NONCES).nonce(&fresh());
    let request = signature.sign(Request::get("/posts"));
    request.send_to(edge.port).passed();
    let seen = edge.upstream.seen().len();
    request.send_to(edge.port).refused(401, "replayed");
    assert_eq!(edge.upstream.seen().len(), seen);
}

fn requests_are_limited(edge: &Edge) {
    // A period may end in between, which allows two more; it cannot end twice.
    let post = || edge.by(LIMITED, Request::post("/posts")).code();
    let codes: Vec<String> = (0..6).map(|_| post()).collect();
    assert_eq!(codes[0], "", "the first passes");
    assert!(codes.iter().any(|code| code == "rate-limited"), "{codes:?}");
}

fn minted_sessions_are_limited(edge: &Edge) {
    let first = ask_of(PAGE).send_to(edge.port);
    assert_eq!(first.status, 201, "{first}");
    assert_eq!(write_with(&first).send_to(edge.port).status, 200);
    // A period may end in between, which allows two more; it cannot end twice.
    let codes: Vec<String> = (0..6).map(|_| ask_of(PAGE).send_to(edge.port).code()).collect();
    assert!(codes.iter().any(|code| code == "rate-limited"), "{codes:?}");
    let minted = 1 + codes.iter().filter(|code| code.is_empty()).count();
    assert_eq!(edge.verifier.seen().len(), minted, "siteverify is asked only within the rate");
}

fn reads_are_kept(edge: &Edge) {
    let get = Request::get("/kept/a?b=1").header("Accept", "text/html");
    let first = edge.miss(READER, &get).passed();
    let again = edge.hit(READER, &get);
    assert_eq!((again.status, &again.body), (200, &first.body), "{again}");
    assert!(
        again.header("age").and_then(|age| age.parse().ok()).is_some_and(|age: u64| age >= 100),
        "{again}"
    );
    assert_eq!(again.header("cache-control").as_deref(), Some("private"), "{again}");
    assert_ne!(again.request_id(), first.request_id());

    let part = edge.hit(READER, &get.clone().header("Range", "bytes=0-3"));
    assert_eq!((part.status, part.body.as_slice()), (206, &first.body[..4]), "{part}");
    let whole =
        edge.hit(READER, &get.clone().header("Range", "bytes=0-3").header("If-Range", "\"one\""));
    assert_eq!((whole.status, &whole.body), (200, &first.body), "{whole}");
    for (asked, status) in [("bytes=9999-", 416), ("items=0-1", 200), ("bytes=0-0,2-2", 200)] {
        let answer = edge.hit(READER, &get.clone().header("Range", asked));
        assert_eq!(answer.status, status, "{asked}: {answer}");
    }
    let unchanged = edge.hit(READER, &get.clone().header("If-None-Match", "\"one\""));
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{unchanged}");
    let mut head = get.clone();
    head.method = "HEAD".into();
    let head = edge.hit(READER, &head);
    assert_eq!((head.status, head.body.len()), (200, 0), "{head}");

    // Whose it is not.
    edge.miss("pk_other", &get);
    edge.miss(READER, &Request::get("/kept/a?b=1").header("Accept", "text/plain"));
    get.send_to(edge.port).refused(401, "credential-missing");
    // What is not kept, as long as something else that came later is.
    let cookie = Request::get("/kept/cookie");
    edge.miss(READER, &cookie);
    let large = Request::get("/kept/large");
    edge.miss(READER, &large).passed();
    assert_eq!(edge.hit(READER, &large).body.len(), 3_000_000);
    edge.miss(READER, &cookie);

    let purge = |body: Value| {
        let answer = edge.by(ADMIN, Request::post("/_gate/purge").body(body.to_string()));
        assert_eq!((answer.status, answer.json()), (200, json!({"purged": true})), "{answer}");
    };
    purge(json!({"url": "/kept/a?b=1"}));
    let anew = edge.miss(READER, &get);
    assert_ne!(anew.body, first.body, "{anew}");
    edge.hit(READER, &get);
    edge.hit(READER, &large);
    purge(json!({"route": "/kept/*"}));
    edge.miss(READER, &get);
    edge.miss(READER, &large);

    // What broke off is not served as if it were whole; whatever is kept of it is there before what came later.
    for path in ["/kept/short", "/kept/short-chunked"] {
        let broken = Request::get(path);
        edge.miss(READER, &broken);
        let other = Request::get(&format!("/kept/{}", fresh()));
        edge.miss(READER, &other);
        edge.hit(READER, &other);
        edge.miss(READER, &broken);
    }
}

fn usage_and_quotas_are_kept(edge: &Edge) {
    let post = Request::post("/posts");
    for _ in 0..5 {
        edge.by(SITE, post.clone()).passed();
    }
    // One of them from the cache.
    let get = Request::get("/kept/a");
    edge.miss(CUSTOMER, &get).passed();
    edge.hit(CUSTOMER, &get);
    let usage = |key: &str| edge.by(ADMIN, Request::get(&format!("/_gate/usage?key={key}")));
    let sums = |key: &str| {
        let answer = usage(key).passed().json();
        let rows = answer["rows"].as_array().unwrap().clone();
        let sum = |name: &str| rows.iter().filter_map(|row| row[name].as_u64()).sum::<u64>();
        ["requests", "bytes_in", "bytes_out"].map(sum)
    };
    poll(PATIENCE, || match sums(SITE) {
        [5, 35, _] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // As many as it took until the copy was there, and with what was asked for to see it the quota is near its end.
    let over = poll(PATIENCE, || {
        let answer = edge.by(CUSTOMER, get.clone());
        (answer.code() == "quota-exceeded")
            .then_some(answer.clone())
            .ok_or_else(|| answer.to_string())
    });
    assert_eq!(over.status, 429, "{over}");
    assert!(
        over.header("ratelimit").is_some_and(|limit| limit.starts_with("\"requests\";r=0;t=")),
        "{over}"
    );
    assert!(over.header("retry-after").is_some(), "{over}");
    let passed = |rows: &[Value]| -> u64 {
        let charged =
            rows.iter().filter(|row| row["outcome"] == "forwarded" || row["outcome"] == "cached");
        charged.filter_map(|row| row["requests"].as_u64()).sum()
    };
    poll(PATIENCE, || {
        let answer = usage(CUSTOMER).passed().json();
        let rows = answer["rows"].as_array().unwrap().clone();
        (passed(&rows) == 10).then_some(()).ok_or_else(|| answer.to_string())
    });
    edge.by(CUSTOMER, get).refused(429, "quota-exceeded");
}

/// Returns every record, page by page, and how many pages there were.
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

fn keys_are_kept(edge: &Edge, theirs: &Value) {
    let send = |request: Request| edge.by(ADMIN, request);
    let tell =
        |method: &str, path: &str, body: &Value| send(bare(method, path).body(body.to_string()));
    let by = |id: &str, version: u64| {
        let secret = sk(&edge.root, id, version);
        let session = Session::new("", id).key(&secret).mint();
        Request::post("/posts").bearer(&session).send_to(edge.port)
    };
    assert_eq!(list(send), (vec![theirs.clone()], 1));
    edge.by("customer.18", Request::post("/posts")).refused(401, "key-unknown");

    let record = |number: usize| json!({"id": format!("pk_{number:03}"), "version": 1, "schemes": ["session"], "paths": ["/posts"]});
    let all: Vec<Value> = (0..230).map(record).collect();
    for batch in all.chunks(100) {
        let made = tell("POST", "keys", &json!(batch)).passed().json();
        assert_eq!(made["keys"].as_array().unwrap().len(), batch.len());
        let last = made["keys"].as_array().unwrap().last().unwrap();
        assert_eq!(last["sk"], sk(&edge.root, last["id"].as_str().unwrap(), 1).as_str());
    }
    let (mut listed, pages) = list(send);
    listed.sort_by_key(|record| record["id"].to_string());
    assert_eq!((listed.remove(0), listed, pages), (theirs.clone(), all, 3));
    by("pk_229", 1).passed();

    tell("POST", "keys", &json!([{"id": "pk_new"}, {"id": "pk_007"}])).refused(409, "key-exists");
    send(bare("GET", "keys/pk_new")).refused(404, "no-route");
    send(bare("GET", "keys?cursor=nonsense!")).refused(400, "bad-request");

    let risen =
        tell("PATCH", "keys/pk_007", &json!({"version": 2, "name": "Ünïcode"})).passed().json();
    assert_eq!(risen["sk"], sk(&edge.root, "pk_007", 2).as_str());
    by("pk_007", 1).refused(401, "signature-invalid");
    by("pk_007", 2).passed();
    let tombstone = json!({"id": "pk_008", "version": 1, "revoked": true});
    assert_eq!(send(bare("DELETE", "keys/pk_008")).passed().json(), tombstone);
    by("pk_008", 1).refused(401, "key-revoked");
    tell("POST", "keys", &json!({"id": "pk_008"})).refused(409, "key-exists");
}
