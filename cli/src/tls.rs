//! Which authorities a gate's certificate may come from: those that browsers trust, or those that `SSL_CERT_FILE` names, as
//! where a company's proxy has one of its own.

use std::{env, fs};

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{Context as _, Error, Result};

const FILE: &str = "SSL_CERT_FILE";

pub(crate) fn config() -> Result<TlsConfig> {
    let Some(path) = env::var_os(FILE).filter(|path| !path.is_empty()) else {
        return Ok(TlsConfig::default());
    };
    let pem = fs::read(&path).context(format!("reading {FILE}"))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Error::new(format!("{FILE}: there is no certificate in it")));
    }
    let roots = RootCerts::new_with_certs(&certificates);
    Ok(TlsConfig::builder().root_certs(roots).build())
}
