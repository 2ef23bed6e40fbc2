//! Requests whose body takes its time (docs/wire-contract.md, sections 3, 4 and 7): what counts is what is true when
//! the last byte came. The rules are tested in `tests/core/waits.rs`; here is what needs real clocks, bodies and
//! isolates.

use std::thread;

use serde_json::{Value, json};
use testkit::admin_api::{admin, ask, stored, tell, write};
use testkit::check::Check;
use testkit::client::{Connection, Request, Response};
use testkit::gate::{Gate, KEY};
use testkit::logs::Line;
use testkit::poll::poll;
use testkit::token::{fresh, now};
use testkit::upstream::PATIENCE;

/// A request without its last byte.
struct Begun(Connection, u8);

impl Begun {
    fn at(port: u16, request: &Request) -> Self {
        let mut connection = Connection::to_port(port);
        let (last, body) = request.body.as_ref().unwrap().split_last().unwrap();
        connection.write(&request.head());
        connection.write(body);
        Self(connection, *last)
    }

    fn end(mut self) -> Response {
        self.0.write(&[self.1]);
        self.0.response()
    }
}

/// Waits until these Unix seconds.
fn until(seconds: u64) {
    poll(PATIENCE, || match now() >= seconds {
        true => Ok(()),
        false => Err("too early".to_owned()),
    });
}

fn signed(gate: &Gate, id: &str, body: Vec<u8>) -> Request {
    gate.signature_of(id).sign(Request::post("/posts").body(body))
}

fn signing(id: &str) -> Value {
    json!({"id": id, "schemes": ["session", "signature"]})
}

#[test]
fn a_signature_must_last_until_the_last_byte() {
    for (seconds, code) in [(2, "signature-stale"), (60, "")] {
        let table = Check::of(|setup| setup.key(signing(KEY)));
        let ends = now() + seconds;
        let signature = table.gate.signature().param("expires", ends);
        let request = signature.sign(Request::post("/posts"));
        let begun = Begun::at(table.gate.port, &request);
        until(ends.min(now() + 2));
        let answer = begun.end();
        assert_eq!(answer.code(), code, "{answer}");
        assert_eq!(table.upstream.seen().len(), usize::from(code.is_empty()));
    }
}

#[test]
fn a_body_that_the_gate_reads_has_a_deadline() {
    let table = Check::of(|setup| {
        setup.key(signing(KEY)).route("/*", json!({"timeout_ms": 300, "idempotency_key": true}))
    });
    let gate = &table.gate;
    let kept = Request::post("/posts").header("Idempotency-Key", "1").bearer(&gate.bearer());
    for (what, request) in [("signed", signed(gate, KEY, fresh().into())), ("kept", kept)] {
        let mut begun = Begun::at(gate.port, &request);
        let answer = begun.0.response();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "body-timeout"),
            "{what}: {answer}"
        );
        request.send(gate).passed();
    }
    assert_eq!(table.upstream.seen().len(), 2);
}

#[test]
fn a_key_that_is_deleted_meanwhile_forwards_nothing() {
    let table = Check::of(|setup| admin(setup).registered(signing("pk_r")));
    let begun = Begun::at(table.gate.port, &signed(&table.gate, "pk_r", fresh().into()));
    // The head has arrived when the gate has read the record.
    table.gate.logs.until("reading of the record", |lines| {
        let read = |line: &Line| line.is_event("kv") && line.text.contains("key/pk_r");
        lines.iter().any(read).then_some(())
    });
    ask(&table.gate, "DELETE", "keys/pk_r").send(&table.gate).passed();
    begun.end().refused(401, "key-revoked");
    assert!(table.upstream.seen().is_empty());
}

/// Returns a body as long as any that is compared.
fn large() -> Vec<u8> {
    vec![b'x'; 10 * 1024 * 1024]
}

#[test]
fn the_gate_holds_so_many_bodies_and_no_more() {
    let table = Check::of(|setup| setup.key(signing(KEY)));
    let gate = &table.gate;
    let request = signed(gate, KEY, large());
    let small = signed(gate, KEY, fresh().into());
    // 48 MiB have room for four of 10 MiB. More of one than the sockets take was written: so it is being read.
    let mut begun: Vec<Begun> = (0..4).map(|_| Begun::at(gate.port, &request)).collect();
    let mut fifth = Connection::open(gate);
    fifth.write(&request.head());
    let over = fifth.response().refused(503, "overloaded");
    assert_eq!(over.header("retry-after").as_deref(), Some("1"));
    small.send(gate).passed();
    // One ends, and there is room for another.
    begun.pop().unwrap().end().passed();
    request.send(gate).passed();
    for one in begun {
        one.end().passed();
    }
    assert_eq!(table.upstream.seen().len(), 6);
}

#[test]
fn a_body_that_is_given_up_makes_room() {
    let table = Check::of(|setup| setup.key(signing(KEY)));
    let gate = &table.gate;
    let request = signed(gate, KEY, large());
    for _ in 0..12 {
        Begun::at(gate.port, &request).0.abandon();
    }
    poll(PATIENCE, || match request.send(gate) {
        answer if answer.status == 200 => Ok(()),
        answer => Err(answer.to_string()),
    });
}

#[test]
fn of_two_isolates_that_make_one_id_one_does() {
    let mut table = Check::of(|setup| admin(setup).twice());
    for round in 0..20 {
        let id = format!("pk_{round}");
        let request = tell(&table.gate, "POST", "keys", &json!({"id": id}));
        let ports = [table.gate.port, table.gate.second];
        let asked = ports.map(|port| {
            let request = request.clone();
            thread::spawn(move || request.send_to(port).status)
        });
        let mut found = asked.map(|one| one.join().unwrap());
        found.sort_unstable();
        table.that(found == [201, 409], || format!("{id}: {found:?}"));
    }
}

#[test]
fn a_deleted_key_does_not_come_back_by_a_change_elsewhere() {
    let mut table = Check::of(|setup| admin(setup).registered(signing("pk_r")).twice());
    let gate = &table.gate;
    let change = tell(gate, "PATCH", "keys/pk_r", &json!({"name": "back"}));
    let begun = Begun::at(gate.second, &change);
    ask(gate, "DELETE", "keys/pk_r").send(gate).passed();
    begun.end().refused(409, "key-exists");
    // And this way round, whatever the order in which both arrive.
    for round in 0..20 {
        let id = format!("pk_{round}");
        tell(gate, "POST", "keys", &json!({"id": id})).send(gate).passed();
        let change = tell(gate, "PATCH", &format!("keys/{id}"), &json!({"name": "back"}));
        let second = gate.second;
        let changing = thread::spawn(move || change.send_to(second).status);
        ask(gate, "DELETE", &format!("keys/{id}")).send(gate).passed();
        changing.join().unwrap();
        let record = stored(gate, &id).unwrap();
        assert_eq!(record, json!({"id": id, "version": 1, "revoked": true}));
    }
    let write = write(&table.gate, "pk_1");
    table.refused("a deleted key", &write, 401, "key-revoked");
}

#[test]
fn without_its_writer_the_registry_is_read_and_not_written() {
    let mut table =
        Check::of(|setup| admin(setup).registered(json!({"id": "pk_r"})).no_key_writer());
    for (method, path) in [("POST", "keys"), ("PATCH", "keys/pk_r"), ("DELETE", "keys/pk_r")] {
        let request = tell(&table.gate, method, path, &json!({"id": "pk_r"}));
        let answer = table.refused(method, &request, 503, "feature-unavailable");
        table.gate.logs.until("line that names KEY_WRITER", |lines| {
            let id = answer.request_id();
            let names = |line: &Line| line.text.contains(&id) && line.text.contains("KEY_WRITER");
            lines.iter().any(names).then_some(())
        });
    }
    let show = ask(&table.gate, "GET", "keys/pk_r");
    table.answers("shown", &show, 200, &json!({"id": "pk_r"}));
    let write = write(&table.gate, "pk_r");
    table.passes("used", &write);
}
