//! A double of the Cloudflare API on loopback, as far as a rotation needs it: API tokens and a Worker's versions, in the
//! shapes of the published schema (`openapi.json` of cloudflare/api-schemas: `iam_token`, `iam_create_payload`,
//! `iam_response_create`, `iam_response_single_segment`, `workers_schemas-deployments-list-response`,
//! `workers_version-item-full`) and of what wrangler 4.86 reads of them. It is also the API behind the gate: `/cms/*` takes
//! live tokens only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testkit::token::fresh;
use testkit::upstream::{Reply, Seen, Upstream};

use crate::cloudflare_tokens::Tokens;
use crate::cloudflare_worker::Worker;
use crate::rotate_front::Front;
use crate::rotate_points::Points;

/// Where the API begins.
pub(crate) const BASE: &str = "/client/v4";

/// The API, and everything that it has been told.
pub(crate) struct Cloudflare {
    pub(crate) server: Upstream,
    pub(crate) world: Arc<World>,
}

/// The state of the API.
pub(crate) struct World {
    pub(crate) account: String,
    /// The credential that may manage tokens, and the one that may deploy.
    pub(crate) manager: String,
    pub(crate) deployer: String,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) worker: Mutex<Worker>,
    pub(crate) points: Arc<Points>,
    pub(crate) front: Arc<Front>,
    /// Violations: things that must never happen, and did.
    pub(crate) wrong: Mutex<Vec<String>>,
    /// The arguments and the environment of every wrangler that was a stub.
    pub(crate) stubs: Mutex<Vec<String>>,
    /// The API has nothing but 500 for what comes through a gate.
    pub(crate) down: AtomicBool,
    pub(crate) instead: Mutex<Option<Instead>>,
}

/// An answer to calls in place of the API's own, by it or by something before it.
#[derive(Clone, Copy)]
pub(crate) struct Instead {
    /// The beginning of the calls.
    pub(crate) call: &'static str,
    /// They have their effect all the same.
    pub(crate) effect: bool,
    pub(crate) status: u16,
    pub(crate) body: &'static str,
}

/// The id of the token that manages the others.
pub(crate) const MANAGER: &str = "00000000000000000000000000000001";

/// A member of the envelope of every answer.
pub(crate) type Answer = Result<Value, (u16, i64, &'static str)>;

impl Cloudflare {
    pub(crate) fn start(worker: Worker, front: &Arc<Front>, points: &Arc<Points>) -> Self {
        let world = Arc::new(World {
            account: fresh()[..32].to_owned(),
            manager: fresh(),
            deployer: fresh(),
            tokens: Mutex::default(),
            worker: Mutex::new(worker),
            points: Arc::clone(points),
            front: Arc::clone(front),
            wrong: Mutex::default(),
            stubs: Mutex::default(),
            down: AtomicBool::default(),
            instead: Mutex::default(),
        });
        let shared = Arc::clone(&world);
        let server = Upstream::answering(move |seen, _| shared.answer(seen));
        Self { server, world }
    }

    pub(crate) fn base(&self) -> String {
        format!("{}{BASE}", self.server.url())
    }
}

impl World {
    fn answer(&self, seen: &Seen) -> Reply {
        if let Some(argv) = seen.header("x-stub") {
            self.stubs.lock().unwrap().push(argv);
        }
        // What comes through the gate is not a call of the command's.
        let through_gate = seen.header("x-request-id").is_some();
        if through_gate {
            if self.down.load(Ordering::Relaxed) {
                return Reply::new(500);
            }
            return self.reply(seen);
        }
        let what = format!("{} {}", seen.method, seen.target);
        let reply = self.points.pass(&what, || self.reply(seen));
        reply.unwrap_or_else(Reply::hang_up)
    }

    fn reply(&self, seen: &Seen) -> Reply {
        let what = format!("{} {}", seen.method, seen.target);
        let instead = *self.instead.lock().unwrap();
        match instead.filter(|instead| what.starts_with(instead.call)) {
            Some(Instead { effect, status, body, .. }) => {
                if effect {
                    self.route(seen);
                }
                Reply::new(status).body(body)
            }
            None => self.route(seen),
        }
    }

    fn route(&self, seen: &Seen) -> Reply {
        let credential = seen.header("authorization").unwrap_or_default();
        let credential = credential.strip_prefix("Bearer ").unwrap_or_default();
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let Some(path) = path.strip_prefix(BASE) else {
            return match self.tokens.lock().unwrap().is_live(credential) {
                true if seen.method == "GET" => Reply::ok("{}"),
                true => Reply::new(201).body("written"),
                false => Reply::new(401).body("no such token"),
            };
        };
        if path.contains("/content/v2") {
            return Worker::content();
        }
        envelope(self.result(seen, credential, path, query))
    }

    fn result(&self, seen: &Seen, credential: &str, path: &str, query: &str) -> Answer {
        let account = format!("/accounts/{}", self.account);
        let of_account = path.strip_prefix(account.as_str());
        let place = match of_account {
            Some(rest) if rest.starts_with("/tokens") => Some((true, &rest["/tokens".len()..])),
            _ => path.strip_prefix("/user/tokens").map(|rest| (false, rest)),
        };
        let body = serde_json::from_slice::<Value>(&seen.body).unwrap_or_default();
        match (place, of_account) {
            (Some((_, "/verify")), _) if credential == self.manager => {
                Ok(json!({"id": MANAGER, "status": "active"}))
            }
            (Some((owned, "/verify")), _) => self.tokens.lock().unwrap().verify(owned, credential),
            (Some(_), _) if credential != self.manager => Err((401, 10000, "Authentication error")),
            (Some((owned, rest)), _) => {
                let mut tokens = self.tokens.lock().unwrap();
                let done = tokens.manage(owned, &seen.method, rest, query, &body);
                if seen.method == "DELETE" {
                    self.must_live(&tokens, &format!("after DELETE {rest}"));
                }
                done
            }
            (None, Some(rest)) if credential == self.deployer => {
                let mut worker = self.worker.lock().unwrap();
                let done = worker.manage(&seen.method, rest, query, seen);
                let tokens = self.tokens.lock().unwrap();
                self.must_live(&tokens, &format!("after {} {rest}", seen.method));
                done
            }
            _ => Err((401, 10000, "Authentication error")),
        }
    }

    /// Asserts that no gate that a caller may reach holds a token that the API refuses.
    fn must_live(&self, tokens: &Tokens, when: &str) {
        for token in self.front.reachable() {
            if !tokens.is_live(&token) {
                let text =
                    format!("{when}: a gate that callers reach has a token that is not valid");
                self.wrong.lock().unwrap().push(text);
            }
        }
    }
}

fn envelope(answer: Answer) -> Reply {
    let (status, body) = match answer {
        Ok(mut result) => {
            // Beside the result, not in it.
            let paged = result.get_mut("paged").map(Value::take);
            let info = paged.map(|mut paged| {
                result = paged["items"].take();
                paged["info"].take()
            });
            let mut body = json!({"success": true, "errors": [], "messages": [], "result": result});
            if let Some(info) = info {
                body["result_info"] = info;
            }
            (200, body)
        }
        Err((status, code, message)) => {
            let errors = json!([{"code": code, "message": message}]);
            (status, json!({"success": false, "errors": errors, "messages": [], "result": null}))
        }
    };
    Reply::new(status).header("Content-Type", "application/json").body(body.to_string())
}
