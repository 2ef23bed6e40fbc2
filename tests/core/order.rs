//! The order of the checks (docs/wire-contract.md, section 4): what is wrong in two ways is refused for the earlier
//! one.

use testkit::client::Request;
use testkit::token::fresh;

use crate::native::{Upstream, start};
use testkit::provocations::{reply, setup};

#[test]
fn the_checks_come_in_their_order() {
    let upstream = Upstream::answering(reply);
    let gate = start(&upstream, setup);
    let revoked_and_forged = gate.session_of("pk_revoked").key(&fresh()).mint();
    let forged = |id: &str| gate.session_of(id).key(&fresh()).claim("exp", 1).mint();
    let late = |id: &str| gate.session_of(id).claim("exp", 1).mint();
    let good = |id: &str| gate.session_of(id).mint();
    for (what, request, code) in [
        ("path, then method", Request::new("TRACE", "/a//b"), "bad-path"),
        ("path, then credential", Request::post("/a/../b").bearer("x"), "bad-path"),
        ("route's methods, then credential", Request::post("/read/x"), "method-not-allowed"),
        (
            "route's methods, then a bad one",
            Request::post("/read/x").bearer("x"),
            "method-not-allowed",
        ),
        ("shape, then key", Request::post("/x").bearer("a.b"), "bad-credential"),
        ("key, then MAC", Request::post("/x").bearer(&revoked_and_forged), "key-revoked"),
        ("MAC, then time", Request::post("/x").bearer(&forged("pk_ip")), "signature-invalid"),
        ("time, then address", Request::post("/x").bearer(&late("pk_ip")), "session-expired"),
        ("MAC, then origin", Request::post("/x").bearer(&forged("pk_origin")), "signature-invalid"),
        ("MAC, then method", Request::post("/x").bearer(&forged("pk_narrow")), "signature-invalid"),
        ("MAC, then rate", Request::post("/x").bearer(&forged("pk_rate")), "signature-invalid"),
        ("method, then path", Request::post("/x").bearer(&good("pk_narrow")), "method-denied"),
    ] {
        let answer = request.send(&gate);
        assert_eq!(answer.code(), code, "{what}: {answer}");
    }
    upstream.assert_untouched();
}
