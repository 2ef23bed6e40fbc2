//! The command and a gate behind TLS (docs/wire-contract.md, section 10): the admin's session is sent to nobody but
//! that gate.

use std::path::Path;

use serde_json::json;
use testkit::admin_api::{ADMIN, admin};
use testkit::check::Check;
use testkit::process::scratch;
use testkit::program::{Done, found};
use testkit::token::fresh;
use testkit::upstream::PATIENCE;

use crate::tls_front::{Front, certificate};

#[test]
fn a_session_goes_to_the_gate_that_its_certificate_proves() {
    if !found(&["openssl"], "the command behind TLS") {
        return;
    }
    let folder = scratch(&format!("tls-{}", fresh()));
    let wrangler = format!("[[vars.KEYS]]\nid = \"{ADMIN}\"\nadmin = true\n");
    std::fs::write(folder.join("wrangler.toml"), wrangler).unwrap();
    std::fs::write(folder.join("Cargo.toml"), "").unwrap();
    let table = Check::of(|setup| admin(setup).registered(json!({"id": "pk_there"})));
    let list = |gate: &str, trusted: Option<&Path>| {
        let mut command = crate::writegate();
        command
            .args(["key", "list", "--gate", gate])
            .current_dir(&folder)
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("SSL_CERT_FILE")
            .env("SIGNING_SECRET", &table.gate.signing_secret)
            .env("NO_PROXY", "127.0.0.1");
        if let Some(trusted) = trusted {
            command.env("SSL_CERT_FILE", trusted);
        }
        let Done { code, out, err } = Done::of(&mut command);
        (code, out, err)
    };
    let good = certificate(&folder, "IP:127.0.0.1");
    let other = certificate(&folder, "DNS:other.example");
    let no_certificate = good.0.as_path();

    let mut front_of_good = Front::to(table.gate.port, &good);
    let front_of_other = Front::to(table.gate.port, &other);
    let (gate, elsewhere) = (front_of_good.url(), front_of_other.url());
    for (what, gate, trusted) in [
        ("by nobody whom browsers trust", &gate, None),
        ("by another", &gate, Some(other.1.as_path())),
        ("for another name", &elsewhere, Some(other.1.as_path())),
    ] {
        let (code, out, err) = list(gate, trusted);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{what}: {err}");
        assert!(err.contains("certificate") && err.lines().count() == 1, "{what}: {err}");
    }
    let (code, _, err) = list(&gate, Some(no_certificate));
    assert!(code == Some(1) && err.contains("SSL_CERT_FILE"), "{err}");

    let (code, out, err) = list(&gate, Some(&good.1));
    assert_eq!((code, out.trim()), (Some(0), r#"{"id":"pk_there"}"#), "{err}");
    front_of_good.program.until("came through: /_gate/keys", PATIENCE);
    // Nothing else came: the gate behind the proxy takes itself for http, so the command asked once more without `aud`.
    let lines = table.gate.logs.events("request", 2);
    let codes: Vec<_> = lines.iter().map(|(_, line)| line["code"].as_str()).collect();
    assert_eq!(codes, [Some("audience-mismatch"), None], "{lines:#?}");
    std::fs::remove_dir_all(folder).unwrap();
}
