//! The authorities that may sign a gate's certificate: those that browsers trust, or those in `SSL_CERT_FILE`, for example a
//! company's own. Also the fix for a refused certificate.

use std::{env, fs};

use rustls::CertificateError;
use rustls::pki_types::UnixTime;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use writegate::Timestamp;

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

/// Returns the fault in TLS and its fix; `None` for another error.
pub(crate) fn explained(error: &ureq::Error) -> Option<String> {
    let tls = match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    };
    tls.map(described)
}

fn described(error: &rustls::Error) -> String {
    let error = match error {
        rustls::Error::InvalidCertificate(error) => error,
        rustls::Error::InvalidMessage(_) => {
            return "the server does not speak TLS there: check the port, or write http://"
                .to_owned();
        }
        rustls::Error::AlertReceived(alert) => {
            return format!(
                "the server ended the TLS handshake ({alert:?}), as one does that has no certificate for this name: check the name"
            );
        }
        other => return format!("TLS failed: {other}"),
    };
    let clock = "renew it, or set this machine's clock";
    match error {
        CertificateError::UnknownIssuer => format!(
            "the certificate is from an authority that is not trusted here: if that authority is yours or your company's, put the \
             authority's certificate (PEM) into a file, and name the file in {FILE}"
        ),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired on {}: {clock}", day(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is valid only from {} on: {clock}", day(*not_before))
        }
        CertificateError::Expired => format!("the certificate has expired: {clock}"),
        CertificateError::NotValidYet => format!("the certificate is not valid yet: {clock}"),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> = presented.iter().map(|name| plain(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!(
                "the certificate is for {names}, not for {}: check the address",
                expected.to_str()
            )
        }
        CertificateError::NotValidForName => {
            "the certificate is for another name: check the address".to_owned()
        }
        CertificateError::BadSignature => format!(
            "the certificate is from an authority with the name of one that is trusted here and with another key: if that authority \
             was made anew, name the authority's new certificate in {FILE}"
        ),
        CertificateError::Revoked => {
            "the certificate is revoked: the server needs a new one".to_owned()
        }
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate is an authority's, and may not be a server's: make one with basicConstraints CA:FALSE"
                .to_owned()
        }
        other => format!("the certificate is not valid: {other}"),
    }
}

/// Returns the day of a certificate's time.
fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let text = Timestamp::from_seconds(seconds).to_rfc3339();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// Returns the name in a `DnsName("gate.example")` or an `IpAddress(192.0.2.1)` of rustls's.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.chars().filter(|c| !c.is_control() && !"\"()".contains(*c)).take(100).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::{AlertDescription, Error as Tls, InvalidMessage, OtherError};

    use super::*;

    /// `cli/tests/e2e/admin_tls.rs` holds those that a server can be made to cause.
    #[test]
    fn each_failure_is_in_plain_words_with_the_way_out() {
        let at = |day: u64| UnixTime::since_unix_epoch(Duration::from_secs(day * 86_400));
        let name = "gate.example".try_into().unwrap();
        for (error, words) in [
            (CertificateError::Expired, "has expired: renew it, or set this machine's clock"),
            (
                CertificateError::ExpiredContext { time: at(20_000), not_after: at(19_999) },
                "expired on 2024-10-03: renew it",
            ),
            (
                CertificateError::NotValidYetContext { time: at(20_000), not_before: at(20_001) },
                "only from 2024-10-05 on: renew it, or set",
            ),
            (CertificateError::NotValidYet, "not valid yet"),
            (CertificateError::UnknownIssuer, "put the authority's certificate (PEM)"),
            (
                CertificateError::NotValidForNameContext {
                    expected: name,
                    presented: vec![
                        "DnsName(\"a.example\")".to_owned(),
                        "IpAddress(192.0.2.1)".to_owned(),
                    ],
                },
                "is for a.example, 192.0.2.1, not for gate.example: check the address",
            ),
            (CertificateError::NotValidForName, "check the address"),
            (CertificateError::Revoked, "is revoked"),
            (
                CertificateError::BadSignature,
                "name the authority's new certificate in SSL_CERT_FILE",
            ),
            (CertificateError::InvalidPurpose, "the certificate is not valid: "),
            (
                CertificateError::Other(OtherError(Arc::new(std::io::Error::other(
                    "CaUsedAsEndEntity",
                )))),
                "basicConstraints CA:FALSE",
            ),
        ] {
            let error = ureq::Error::Rustls(Tls::InvalidCertificate(error));
            let said = explained(&error).unwrap();
            assert!(said.contains(words), "{said}");
        }
        for (error, words) in [
            (Tls::InvalidMessage(InvalidMessage::InvalidContentType), "or write http://"),
            (
                Tls::AlertReceived(AlertDescription::HandshakeFailure),
                "no certificate for this name",
            ),
            (Tls::HandshakeNotComplete, "TLS failed: "),
        ] {
            let said = explained(&ureq::Error::Io(std::io::Error::other(error))).unwrap();
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(explained(&ureq::Error::HostNotFound), None);
    }
}
