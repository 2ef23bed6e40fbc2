//! A double of the Cloudflare API, with the envelope of the published schema.

use serde_json::{Value, json};
use testkit::upstream::{Reply, Upstream};

/// The Cloudflare API as far as `check` asks it: what each path answers, to which token.
pub(crate) struct Api {
    port: u16,
}

impl Api {
    pub(crate) fn start(
        answer: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let server = Upstream::answering(move |seen, _| {
            let token = seen.header("authorization").unwrap_or_default().replace("Bearer ", "");
            let (status, body) = answer(&seen.target, &token);
            Reply::new(status).header("Content-Type", "application/json").body(body.to_string())
        });
        Self { port: server.port }
    }

    /// Returns its address, as a variable names it.
    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}/client/v4", self.port)
    }
}

pub(crate) fn yes(result: Value) -> (u16, Value) {
    (200, json!({"success": true, "errors": [], "messages": [], "result": result}))
}

pub(crate) fn no(status: u16, code: u32, message: &str) -> (u16, Value) {
    let errors = json!([{"code": code, "message": message}]);
    (status, json!({"success": false, "errors": errors, "messages": [], "result": null}))
}
