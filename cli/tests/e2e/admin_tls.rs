//! The command and a gate behind TLS (docs/wire-contract.md, section 10): the admin's session is sent to nobody but
//! that gate.

use std::path::{Path, PathBuf};

use serde_json::json;
use testkit::admin_api::{ADMIN, admin};
use testkit::check::Check;
use testkit::program::{Done, found};
use testkit::upstream::PATIENCE;

use crate::Folder;
use crate::tls_front::{Front, certificate, expired};

#[test]
fn a_session_goes_to_the_gate_that_its_certificate_proves() {
    if !found(&["openssl"], "the command behind TLS") {
        return;
    }
    let folder = Folder::of(&format!("[[vars.KEYS]]\nid = \"{ADMIN}\"\nadmin = true\n"));
    let table = Check::of(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    let list = |gate: &str, trusted: Option<&Path>| {
        let mut command = folder.command(&table.gate.signing_secret);
        command.args(["key", "list", "--gate", gate]);
        command.env_remove("SSL_CERT_FILE").env("NO_PROXY", "127.0.0.1");
        Done::of(command.envs(trusted.map(|trusted| ("SSL_CERT_FILE", trusted))))
    };
    let good = certificate(&folder.0, "IP:127.0.0.1");
    let other = certificate(&folder.0, "DNS:other.example");
    let no_certificate = good.0.as_path();

    let mut front_of_good = Front::to(table.gate.port, &good);
    let front_of_other = Front::to(table.gate.port, &other);
    let (gate, elsewhere) = (front_of_good.url(), front_of_other.url());
    let front_of_expired = Front::to(table.gate.port, &expired(&folder.0, &good));
    let unknown = "an authority that is not trusted here";
    for (gate, trusted, words) in [
        (gate.clone(), None, [unknown, "SSL_CERT_FILE"]),
        (gate.clone(), Some(&other.1), ["with another key", "SSL_CERT_FILE"]),
        (
            elsewhere,
            Some(&other.1),
            ["is for other.example, not for 127.0.0.1", "check the address"],
        ),
        (front_of_expired.url(), None, ["has expired", "this machine's clock"]),
        (format!("https://127.0.0.1:{}", table.gate.port), None, ["does not speak TLS", "http://"]),
    ] {
        let done = list(&gate, trusted.map(PathBuf::as_path));
        done.failed(1, &words);
        assert!(!done.err.contains("check --gate"), "{}", done.err);
    }
    list(&gate, Some(no_certificate)).ended(1, &["SSL_CERT_FILE"]);

    assert_eq!(list(&gate, Some(&good.1)).succeeded(), "{\"id\":\"pk_there\"}\n");
    front_of_good.program.until("came through: /_gate/keys", PATIENCE);
    // Nothing else came: the gate behind the proxy takes itself for http, so the command asked once more without `aud`.
    let lines = table.gate.logs.events("request", 2);
    let codes: Vec<_> = lines.iter().map(|(_, line)| line["code"].as_str()).collect();
    assert_eq!(codes, [Some("audience-mismatch"), None], "{lines:#?}");
}
