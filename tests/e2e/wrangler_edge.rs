//! Cached reads, usage and quotas on wrangler's own Cache, KV, limiter and Durable Objects, with the committed
//! configuration's bindings.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::cache::{HIT, MISS, counting};
use testkit::client::{Request, Response};
use testkit::poll::poll;
use testkit::process::scratch;
use testkit::program::{Program, run};
use testkit::token::{Session, fresh};
use testkit::upstream::{PATIENCE, Reply, Upstream};
use testkit::wrangler::{dev_with, with_lines, wrangler};

use crate::usage::ADMIN;

const SITE: &str = "pk_site";

/// A gate under `wrangler dev`.
struct Edge {
    port: u16,
    root: String,
    upstream: Upstream,
    config: PathBuf,
    _server: Program,
}

impl Edge {
    /// With these lines of the committed configuration, which stand there as comments, and one cached route beside the
    /// others; `before` may put something into its bindings.
    fn start(
        name: &str,
        upstream: Upstream,
        lines: &[&str],
        keys: &Value,
        before: impl Fn(&Path, &Path),
    ) -> Self {
        let folder = scratch(name);
        // What a former run left there would count.
        let _fresh_state = fs::remove_dir_all(folder.join("state"));
        let config = with_lines(lines);
        let text = fs::read_to_string(&config).unwrap();
        let own = "UPSTREAM = \"https://api.example.com\"\n";
        assert_eq!(text.matches(own).count(), 1);
        fs::write(&config, text.replace(own, "")).unwrap();
        before(&folder, &config);
        let url = upstream.url();
        let routes = json!([
            {"path": "/*", "upstream": url},
            {"path": "/kept/*", "upstream": url, "cache": {"ttl": 3600}},
        ]);
        let root = fresh();
        let secrets = format!("SIGNING_SECRET={root}\nWRITE_TOKEN={}\n", fresh());
        let vars = [format!("ROUTES:{routes}"), format!("KEYS:{keys}")];
        let (server, port) = dev_with(&folder, &config, &secrets, &vars);
        Self { port, root, upstream, config, _server: server }
    }

    fn by(&self, key: &str, request: Request) -> Response {
        let session = Session::new(&self.root, key).mint();
        request.bearer(&session).send_to(self.port)
    }

    /// Asked for until it comes from the cache.
    #[track_caller]
    fn hit(&self, key: &str, request: &Request) -> Response {
        poll(PATIENCE, || {
            let answer = self.by(key, request.clone());
            match answer.header("cache-status").as_deref() {
                Some(HIT) => Ok(answer),
                _ => Err(answer.to_string()),
            }
        })
    }

    #[track_caller]
    fn miss(&self, key: &str, request: &Request) -> Response {
        let answer = self.by(key, request.clone());
        assert_eq!(answer.header("cache-status").as_deref(), Some(MISS), "{answer}");
        answer
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.config);
    }
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
fn reads_are_kept_by_the_real_cache() {
    let keys = json!([{"id": SITE}, {"id": "pk_other"}, {"id": ADMIN, "admin": true}]);
    let edge = Edge::start("wrangler-cache", answers(), &[], &keys, |_, _| {});
    let get = Request::get("/kept/a?b=1").header("Accept", "text/html");
    let first = edge.miss(SITE, &get).passed();
    let again = edge.hit(SITE, &get);
    assert_eq!((again.status, &again.body), (200, &first.body), "{again}");
    assert!(
        again.header("age").and_then(|age| age.parse().ok()).is_some_and(|age: u64| age >= 100),
        "{again}"
    );
    assert_eq!(again.header("cache-control").as_deref(), Some("private"), "{again}");
    assert_ne!(again.request_id(), first.request_id());

    let part = edge.hit(SITE, &get.clone().header("Range", "bytes=0-3"));
    assert_eq!((part.status, part.body.as_slice()), (206, &first.body[..4]), "{part}");
    let whole =
        edge.hit(SITE, &get.clone().header("Range", "bytes=0-3").header("If-Range", "\"one\""));
    assert_eq!((whole.status, &whole.body), (200, &first.body), "{whole}");
    for (asked, status) in [("bytes=9999-", 416), ("items=0-1", 200), ("bytes=0-0,2-2", 200)] {
        let answer = edge.hit(SITE, &get.clone().header("Range", asked));
        assert_eq!(answer.status, status, "{asked}: {answer}");
    }
    let unchanged = edge.hit(SITE, &get.clone().header("If-None-Match", "\"one\""));
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{unchanged}");
    let mut head = get.clone();
    head.method = "HEAD".into();
    let head = edge.hit(SITE, &head);
    assert_eq!((head.status, head.body.len()), (200, 0), "{head}");

    // Whose it is not.
    edge.miss("pk_other", &get);
    edge.miss(SITE, &Request::get("/kept/a?b=1").header("Accept", "text/plain"));
    get.send_to(edge.port).refused(401, "credential-missing");
    // What is not kept, as long as something else that came later is.
    let cookie = Request::get("/kept/cookie");
    edge.miss(SITE, &cookie);
    let large = Request::get("/kept/large");
    edge.miss(SITE, &large).passed();
    assert_eq!(edge.hit(SITE, &large).body.len(), 3_000_000);
    edge.miss(SITE, &cookie);

    let purge = |body: Value| {
        let answer = edge.by(ADMIN, Request::post("/_gate/purge").body(body.to_string()));
        assert_eq!((answer.status, answer.json()), (200, json!({"purged": true})), "{answer}");
    };
    purge(json!({"url": "/kept/a?b=1"}));
    let seen = edge.upstream.seen().len();
    let anew = edge.miss(SITE, &get);
    assert_ne!(anew.body, first.body, "{anew}");
    edge.hit(SITE, &large);
    assert_eq!(edge.upstream.seen().len(), seen + 1);
    edge.hit(SITE, &get);
    purge(json!({"route": "/kept/*"}));
    edge.miss(SITE, &get);
    edge.miss(SITE, &large);

    // What broke off is not served as if it were whole; whatever is kept of it is there before what came later.
    for path in ["/kept/short", "/kept/short-chunked"] {
        let broken = Request::get(path);
        edge.miss(SITE, &broken);
        let other = Request::get(&format!("/kept/{}", fresh()));
        edge.miss(SITE, &other);
        edge.hit(SITE, &other);
        edge.miss(SITE, &broken);
    }
}

#[test]
fn usage_and_quotas_are_kept_by_real_objects_beside_kv_and_limiter() {
    let lines = [
        "[[kv_namespaces]]",
        "binding = \"KEY_REGISTRY\"",
        "id = ",
        "[[ratelimits]]",
        "name = \"RATE_STANDARD\"",
        "namespace_id",
        "simple = ",
    ];
    let customer = "customer.17";
    let keys = json!([{"id": SITE, "rate": "standard"}, {"id": ADMIN, "admin": true}]);
    let record = json!({"id": customer, "rate": "standard", "quota": {"requests": 10, "bytes": 100_000, "per": "month"}});
    let put = |folder: &Path, config: &Path| {
        let name = format!("key/{customer}");
        let mut command = wrangler(folder);
        command.args([
            "kv",
            "key",
            "put",
            &name,
            &record.to_string(),
            "--binding",
            "KEY_REGISTRY",
            "--local",
            "--config",
        ]);
        run(command.arg(config).arg("--persist-to").arg(folder.join("state")), "");
    };
    let edge = Edge::start("wrangler-ledger", answers(), &lines, &keys, put);
    let post = Request::post("/posts");
    for _ in 0..5 {
        edge.by(SITE, post.clone()).passed();
    }
    // One of them from the cache.
    let get = Request::get("/kept/a");
    edge.miss(customer, &get).passed();
    edge.hit(customer, &get);
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
        let answer = edge.by(customer, get.clone());
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
        let answer = usage(customer).passed().json();
        let rows = answer["rows"].as_array().unwrap().clone();
        (passed(&rows) == 10).then_some(()).ok_or_else(|| answer.to_string())
    });
    edge.by(customer, get).refused(429, "quota-exceeded");
}
