//! The options of curl: their names, letters, and which of them take a value.

use crate::error::{Error, Result};

/// Options with a value, as `name` or `name,letter`. Those that are not looked at below change nothing of what the gate checks.
const WITH_VALUE: &str = "abstract-unix-socket alt-svc aws-sigv4 cacert capath cert,E cert-type ciphers config,K connect-timeout \
    connect-to continue-at,C cookie,b cookie-jar,c create-file-mode crlfile curves data,d data-ascii data-binary data-raw \
    data-urlencode delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header,D ech egd-file engine \
    etag-compare etag-save expect100-timeout form,F form-string ftp-account ftp-alternative-to-user ftp-method ftp-port,P \
    ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header,H help,h hostpubmd5 hostpubsha256 hsts interface ip-tos \
    ipfs-gateway json keepalive-cnt keepalive-time key key-type knownhosts krb krb4 libcurl limit-rate local-port login-options \
    mail-auth mail-from mail-rcpt max-filesize max-redirs max-time,m netrc-file noproxy oauth2-bearer output,o output-dir \
    parallel-max parallel-max-host pass pinnedpubkey preproxy proto proto-default proto-redir proxy,x proxy-cacert proxy-capath \
    proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey \
    proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-user,U proxy1.0 pubkey quote,Q \
    random-file range,r rate referer,e request,X request-target resolve retry retry-delay retry-max-time sasl-authzid service-name \
    sigalgs socks4 socks4a socks5 socks5-gssapi-service socks5-hostname speed-limit,Y speed-time,y ssl-sessions stderr \
    telnet-option,t tftp-blksize time-cond,z tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace trace-ascii trace-config \
    unix-socket upload-file,T upload-flags url url-query user,u user-agent,A variable vlan-priority write-out,w";
/// Options without one.
const WITHOUT_VALUE: &str = "alpn anyauth append,a basic buffer,N ca-native cert-status clobber compressed compressed-ssh \
    create-dirs crlf digest disable,q disable-eprt disable-epsv disallow-username-in-url doh-cert-status doh-insecure dump-ca-embed \
    eprt epsv fail,f fail-early fail-with-body false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip \
    ftp-ssl ftp-ssl-ccc ftp-ssl-control ftp-ssl-reqd get,G globoff,g haproxy-protocol head,I http0.9 http1.0,0 http1.1 http2 \
    http2-prior-knowledge http3 http3-only ignore-content-length include insecure,k ipv4,4 ipv6,6 junk-session-cookies,j keepalive \
    list-only,l location,L location-trusted mail-rcpt-allowfails manual,M metalink mptcp negotiate netrc,n netrc-optional next,: npn \
    ntlm ntlm-wb out-null parallel,Z parallel-immediate path-as-is post301 post302 post303 progress-bar,# progress-meter \
    proxy-anyauth proxy-basic proxy-ca-native proxy-digest proxy-http2 proxy-insecure proxy-negotiate proxy-ntlm \
    proxy-ssl-allow-beast proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel,p raw remote-header-name,J remote-name,O \
    remote-name-all remote-time,R remove-on-error retry-all-errors retry-connrefused sasl-ir sessionid show-error,S \
    show-headers,i silent,s skip-existing socks5-basic socks5-gssapi socks5-gssapi-nec ssl ssl-allow-beast ssl-auto-client-cert \
    ssl-no-revoke ssl-reqd ssl-revoke-best-effort sslv2,2 sslv3,3 styled-output suppress-connect-headers tcp-fastopen tcp-nodelay \
    tftp-no-options tls-earlydata tlsv1,1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 tr-encoding trace-ids trace-time use-ascii,B verbose,v \
    version,V xattr";
/// Options whose effect cannot be known here, and what to do instead.
const UNKNOWABLE: [(&str, &str); 12] = [
    ("anyauth", "give the Authorization that it makes as -H"),
    ("aws-sigv4", "give the Authorization that it makes as -H"),
    ("config", "give what is in that file as arguments"),
    ("digest", "give the Authorization that it makes as -H"),
    ("etag-compare", "give the If-None-Match that it makes as -H"),
    ("negotiate", "give the Authorization that it makes as -H"),
    ("netrc", "give the user and password as -u"),
    ("netrc-file", "give the user and password as -u"),
    ("next", "give one request at a time"),
    ("ntlm", "give the Authorization that it makes as -H"),
    ("time-cond", "give the If-Modified-Since that it makes as -H"),
    ("variable", "write out what is in it"),
];

/// Returns all options by name, with the letter and whether a value follows.
fn table() -> impl Iterator<Item = (&'static str, Option<char>, bool)> {
    [(WITH_VALUE, true), (WITHOUT_VALUE, false)].into_iter().flat_map(|(list, takes)| {
        list.split_whitespace().map(move |entry| match entry.split_once(',') {
            Some((name, letter)) => (name, letter.chars().next(), takes),
            None => (entry, None, takes),
        })
    })
}

/// Returns an option by its name or the beginning of it, and if a value follows.
pub(super) fn named(given: &str) -> Result<(&'static str, bool)> {
    if given.starts_with("expand-") {
        check("variable")?;
    }
    if let Some((name, _, takes)) = table().find(|(name, ..)| *name == given) {
        return Ok((name, takes));
    }
    let mut likely = table().filter(|(name, ..)| given.len() > 1 && name.starts_with(given));
    match (likely.next(), likely.next()) {
        (Some((name, _, takes)), None) => Ok((name, takes)),
        _ => Err(unknown()),
    }
}

/// Returns an option that `--no-` undoes, which may be known by that name only, as in `--no-buffer`.
pub(super) fn undone(given: &str) -> Option<&'static str> {
    let plain = given.strip_prefix("no-")?;
    table().find(|(name, _, takes)| *name == plain && !takes).map(|(name, ..)| name)
}

/// Returns an option by its letter.
pub(super) fn lettered(letter: char) -> Result<(&'static str, bool)> {
    let found = table().find(|(_, other, _)| *other == Some(letter));
    found.map(|(name, _, takes)| (name, takes)).ok_or_else(unknown)
}

/// Refuses an option whose effect cannot be known here.
pub(super) fn check(name: &str) -> Result<()> {
    match UNKNOWABLE.iter().find(|(other, _)| *other == name) {
        Some((_, hint)) => Err(Error::usage(format!("--{name}: {hint}"))),
        None => Ok(()),
    }
}

/// From the request on, `--json` is curl's.
const OWN: &str = "writegate's own options go before the request";

/// Does not repeat the option: it may be a secret in the wrong place.
fn unknown() -> Error {
    Error::usage(format!(
        "curl has no such option: leave it out, or give what it does as -H; {OWN}"
    ))
}

pub(super) fn missing(name: &str) -> Error {
    Error::usage(format!("--{name}: curl expects a value here; {OWN}"))
}
