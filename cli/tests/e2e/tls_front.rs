//! A server that ends TLS in front of a gate, as Cloudflare does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use testkit::program::{Program, port_in, run};
use testkit::token::fresh;
use testkit::upstream::PATIENCE;

/// Answers for the hosts that it is given, also as a configured proxy, and for every other
/// host where one has no name. It says what came through.
const FRONT: &str = "
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { createServer as createProxy } from 'node:http';
const [hosts, key, cert] = process.argv.slice(1);
const ports = JSON.parse(hosts);
const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (asked, answer) => {
  console.log('came through: ' + asked.url);
  const { method, url: path, headers } = asked;
  const named = ports[headers.host];
  const port = named ?? ports[''];
  if (!port) return answer.writeHead(599).end('no such host here: ' + headers.host);
  if (named) headers['x-front-scheme'] = 'https';
  asked.pipe(request({ port, method, path, headers }, (got) => got.pipe(answer.writeHead(got.statusCode, got.headers))));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const proxy = createProxy().on('connect', (_, socket) => {
    socket.write('HTTP/1.1 200 Connected\\r\\n\\r\\n');
    socket.on('error', () => {}).pipe(connect(port, '127.0.0.1').on('error', () => {})).pipe(socket);
  });
  proxy.listen(0, '127.0.0.1', () => {
    console.log('proxy on 127.0.0.1:' + proxy.address().port);
    console.log('listens on 127.0.0.1:' + port);
  });
});
";

pub(crate) struct Front {
    pub(crate) program: Program,
    port: u16,
    proxy: u16,
}

impl Front {
    /// Starts in front of this port, whatever it is called by.
    pub(crate) fn to(port: u16, certificate: &(PathBuf, PathBuf)) -> Self {
        Self::of(&[("", port)], certificate)
    }

    /// Starts in front of a port for each of these hosts.
    pub(crate) fn of(hosts: &[(&str, u16)], (key, certificate): &(PathBuf, PathBuf)) -> Self {
        let hosts: serde_json::Map<_, _> =
            hosts.iter().map(|(host, port)| ((*host).to_owned(), json!(port))).collect();
        let mut node = Command::new("node");
        node.args(["--input-type=module", "-e", FRONT, "--"])
            .arg(json!(hosts).to_string())
            .arg(key)
            .arg(certificate);
        let mut program = Program::start(&mut node);
        let proxy = port_in(&program.until("proxy on", PATIENCE));
        let port = port_in(&program.until("listens on", PATIENCE));
        Self { program, port, proxy }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Returns the address of the proxy that leads to every host.
    pub(crate) fn proxy(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy)
    }
}

/// Returns a key and a certificate for this name, signed by itself.
pub(crate) fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
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

/// Returns that key with a certificate that was valid until yesterday.
pub(crate) fn expired(
    folder: &Path,
    (key, certificate): &(PathBuf, PathBuf),
) -> (PathBuf, PathBuf) {
    let old = folder.join(format!("{}-expired.pem", fresh()));
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-days", "-1", "-signkey"]).arg(key).arg("-in").arg(certificate);
    run(openssl.arg("-out").arg(&old), "");
    (key.clone(), old)
}
