//! The command and a gate behind TLS (contract, section 10): the admin's session is sent to nobody but that gate.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use testkit::admin_api::{ADMIN, admin};
use testkit::check::Check;
use testkit::process::scratch;
use testkit::program::{Program, found, port_in, run};
use testkit::token::fresh;
use testkit::upstream::PATIENCE;

/// Ends TLS, as Cloudflare does in front of a gate, and says what came through.
const FRONT: &str = "
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
const [port, key, cert] = process.argv.slice(1);
const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (asked, answer) => {
  console.log('came through: ' + asked.url);
  const { method, url: path, headers } = asked;
  asked.pipe(request({ port, method, path, headers }, (got) => got.pipe(answer.writeHead(got.statusCode, got.headers))));
});
server.listen(0, '127.0.0.1', () => console.log('listens on 127.0.0.1:' + server.address().port));
";

/// A key and a certificate for this name, signed by itself.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let file = |what: &str| folder.join(format!("{}-{what}.pem", fresh()));
    let (key, certificate) = (file("key"), file("certificate"));
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gate"])
        .args(["-addext", &format!("subjectAltName={name}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    run(&mut openssl, "");
    (key, certificate)
}

fn front(table: &Check, (key, certificate): &(PathBuf, PathBuf)) -> (Program, String) {
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-e", FRONT, "--"])
        .arg(table.gate.port.to_string())
        .arg(key)
        .arg(certificate);
    let mut front = Program::start(&mut node);
    let port = port_in(&front.until("listens on", PATIENCE));
    (front, format!("https://127.0.0.1:{port}"))
}

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
        let Output { status, stdout, stderr } = command.output().unwrap();
        let said = String::from_utf8(stdout).unwrap();
        (status.code(), said, String::from_utf8(stderr).unwrap())
    };
    let good = certificate(&folder, "IP:127.0.0.1");
    let other = certificate(&folder, "DNS:other.example");
    let no_certificate = good.0.as_path();

    let (mut front_of_good, gate) = front(&table, &good);
    let (_front_of_other, elsewhere) = front(&table, &other);
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
    front_of_good.until("came through: /_gate/keys", PATIENCE);
    // Nothing else came: the gate behind the proxy takes itself for http, so the command asked once more without `aud`.
    let lines = table.gate.logs.events("request", 2);
    let codes: Vec<_> = lines.iter().map(|(_, line)| line["code"].as_str()).collect();
    assert_eq!(codes, [Some("audience-mismatch"), None], "{lines:#?}");
    std::fs::remove_dir_all(folder).unwrap();
}
