//! A double of the Cloudflare API, with the envelope of the published schema.

use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tiny_http::{Header, Response, Server};

/// The Cloudflare API as far as `check` asks it: what each path answers, to which token.
pub(crate) struct Api {
    server: Arc<Server>,
    pub(crate) port: u16,
}

impl Api {
    pub(crate) fn start(answer: impl Fn(&str, &str) -> (u16, Value) + Send + 'static) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let port = server.server_addr().to_ip().unwrap().port();
        let own = Arc::clone(&server);
        thread::spawn(move || {
            for request in own.incoming_requests() {
                let sent =
                    request.headers().iter().find(|header| header.field.equiv("authorization"));
                let token = sent.map(|header| header.value.as_str().replace("Bearer ", ""));
                let (status, body) = answer(request.url(), &token.unwrap_or_default());
                let json: Header = "Content-Type: application/json".parse().unwrap();
                let response = Response::from_string(body.to_string())
                    .with_status_code(status)
                    .with_header(json);
                let _gone = request.respond(response);
            }
        });
        Self { server, port }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

pub(crate) fn yes(result: Value) -> (u16, Value) {
    (200, json!({"success": true, "errors": [], "messages": [], "result": result}))
}

pub(crate) fn no(status: u16, code: u32, message: &str) -> (u16, Value) {
    (
        status,
        json!({"success": false, "errors": [{"code": code, "message": message}], "messages": [], "result": null}),
    )
}
