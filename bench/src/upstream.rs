//! The upstream that every worker writes to: always the same 201 with a few headers and a small JSON body. It accepts only
//! the write token, so a worker that does not set it cannot look fast.

use std::io;

use testkit::upstream::{Reply, Upstream};

/// The path below which it answers.
pub(crate) const BASE: &str = "/v1";

const BODY: &str = r#"{"id":48213,"slug":"a-write-through-the-gate","status":"draft","created_at":"2026-11-22T20:00:00Z","revision":1}"#;
const PICTURE_BYTES: usize = 8_192;

/// Listens on a free port and accepts requests that carry `authorization`.
pub(crate) fn start(authorization: String) -> io::Result<Upstream> {
    let created = Reply::new(201)
        .reason("Created")
        .header("Date", "Sun, 22 Nov 2026 20:00:00 GMT")
        .header("Server", "upstream")
        .header("Content-Type", "application/json; charset=utf-8")
        .header("ETag", "\"r1\"")
        .header("Location", &format!("{BASE}/posts/48213"))
        .header("X-Runtime", "0.004")
        .header("Set-Cookie", "sid=upstream; HttpOnly")
        .body(BODY);
    // A picture of 8 KB.
    let found = Reply::new(200)
        .reason("OK")
        .header("Content-Type", "image/webp")
        .header("ETag", "\"r1\"")
        .body("p".repeat(PICTURE_BYTES));
    Upstream::keeping_newest(move |seen, _| {
        match (seen.header("authorization").as_deref() == Some(&authorization), &*seen.method) {
            (false, _) => Reply::new(403).reason("Forbidden"),
            (true, "GET") => found.clone(),
            (true, _) => created.clone(),
        }
    })
}
