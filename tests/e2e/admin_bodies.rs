//! Bodies of the admin API that come in pieces, or do not come whole. Their content is tested in `tests/core/admin_fields.rs`.

use serde_json::json;
use testkit::admin_api::{admin, ask};
use testkit::check::Check;
use testkit::client::{Connection, Request};

/// Returns one record, and white space up to so many bytes.
fn padded(id: &str, length: usize) -> Vec<u8> {
    let mut body = json!({"id": id}).to_string().into_bytes();
    body.resize(length, b' ');
    body
}

#[test]
fn a_body_of_unknown_length_has_at_most_a_mebibyte() {
    let mut table = Check::of(admin);
    let most = 1 << 20;
    for (id, length, status) in [("pk_flood", most + 1, 413), ("pk_stream", most, 201)] {
        let head = ask(&table.gate, "POST", "keys").header("Transfer-Encoding", "chunked");
        let mut connection = Connection::open(&table.gate);
        connection.write(&head.head());
        for chunk in padded(id, length).chunks(1 << 16) {
            connection.write_chunk(chunk);
        }
        connection.write(b"0\r\n\r\n");
        let answer = connection.response();
        table.that(answer.status == status, || format!("{id}: {answer}"));
    }
    table.absent("nothing was stored", "pk_flood");
}

#[test]
fn a_body_that_breaks_off_stores_nothing() {
    let mut table = Check::of(admin);
    let body = json!({"id": "pk_half"}).to_string();
    let length = (body.len() + 10).to_string();
    let head = ask(&table.gate, "POST", "keys").header("Content-Length", &length);
    let mut connection = Connection::open(&table.gate);
    connection.write(&head.head());
    // All of a record, and not all of what was announced.
    connection.write(body.as_bytes());
    connection.abandon();
    table.gate.logs.until("the end of it", |lines| {
        let mut lines = lines.iter().filter_map(testkit::logs::Line::json);
        lines.find(|line| line["event"] == "request" && line["path"] == "/_gate/keys")
    });
    table.absent("broken off", "pk_half");
    let whole: Request = ask(&table.gate, "POST", "keys").body(body);
    table.answered("whole", &whole, 201);
}
