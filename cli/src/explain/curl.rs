//! A request as arguments of curl, read as curl reads them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::target;

use super::request_input::RequestInput;

/// Options with a value, as `name` or `name,letter`. Those that are not looked at below change nothing of what the gate sees.
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
const UNKNOWABLE: [(&str, &str); 9] = [
    ("aws-sigv4", "give the Authorization that it makes as -H"),
    ("config", "give what is in that file as arguments"),
    ("digest", "give the Authorization that it makes as -H"),
    ("negotiate", "give the Authorization that it makes as -H"),
    ("netrc", "give the user and password as -u"),
    ("netrc-file", "give the user and password as -u"),
    ("next", "give one request at a time"),
    ("ntlm", "give the Authorization that it makes as -H"),
    ("variable", "write out what is in it"),
];

/// The separator of a form's parts here; curl makes up another each time.
const BOUNDARY: &str = "------------------------writegate0000000";

/// The arguments, as far as they matter, in the order in which they were given.
#[derive(Default)]
struct Options {
    urls: Vec<String>,
    method: Option<String>,
    headers: Vec<String>,
    /// Of -d and its kin, joined; `None` without any.
    data: Option<Vec<u8>>,
    /// The file's own name and what is in it.
    upload: Option<(String, Vec<u8>)>,
    form: Vec<u8>,
    queries: Vec<String>,
    user: Option<String>,
    bearer: Option<String>,
    agent: Option<String>,
    referer: Option<String>,
    cookies: Vec<String>,
    range: Option<String>,
    target: Option<String>,
    is_json: bool,
    is_get: bool,
    is_head: bool,
    is_as_is: bool,
    is_globless: bool,
}

/// Reads arguments of curl; the word `curl` itself may stand before them.
pub(crate) fn read(arguments: &[String]) -> Result<RequestInput> {
    let mut options = Options::default();
    if let Some(hint) = foreign(arguments) {
        return Err(Error::usage(hint));
    }
    let mut words = arguments.iter().map(String::as_str).peekable();
    words.next_if(|word| *word == "--");
    words.next_if(|word| is_curl(word));
    let mut is_over = false;
    while let Some(word) = words.next() {
        if is_over || word == "-" || !word.starts_with('-') {
            options.urls.push(word.to_owned());
        } else if word == "--" {
            is_over = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, joined) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let (name, takes) = named(name)?;
            let value = match (takes, joined) {
                (false, _) => None,
                (true, Some(joined)) => Some(joined),
                (true, None) => Some(words.next().ok_or_else(|| missing(name))?),
            };
            options.apply(name, value.unwrap_or_default())?;
        } else {
            for (at, letter) in word.strip_prefix('-').unwrap_or_default().char_indices() {
                let (name, takes) = lettered(letter)?;
                if !takes {
                    options.apply(name, "")?;
                    continue;
                }
                // The rest of the word is its value, or the next word.
                let rest = word.get(1 + at + letter.len_utf8()..).filter(|rest| !rest.is_empty());
                let value = rest.or_else(|| words.next()).ok_or_else(|| missing(name))?;
                options.apply(name, value)?;
                break;
            }
        }
    }
    options.request()
}

/// Returns true for the program's name, on any system and with its folder.
fn is_curl(word: &str) -> bool {
    ["curl", "curl.exe"].iter().any(|name| {
        word.strip_suffix(name)
            .is_some_and(|folder| folder.is_empty() || folder.ends_with(['/', '\\']))
    })
}

/// Says what to copy instead of what no shell of Unix hands on as arguments of curl.
fn foreign(arguments: &[String]) -> Option<String> {
    let first = arguments.iter().find(|word| *word != "--")?;
    let begins = |starts: &[&str]| starts.iter().any(|start| first.starts_with(start));
    let (what, instead) = if first.starts_with("curl ") {
        ("one word with all of curl's arguments in it", "leave out the quotes around it")
    } else if arguments.iter().any(|word| word.starts_with("^\"") || word.ends_with('^')) {
        ("a command line for Windows' cmd, with ^ in it", "copy it \"as cURL (bash)\"")
    } else if begins(&["Invoke-", "$session", "iwr", "irm"]) {
        ("a command of PowerShell", "copy the request \"as cURL (bash)\"")
    } else if begins(&["fetch(", "await "]) {
        ("JavaScript", "copy the request \"as cURL (bash)\"")
    } else if ["http", "https", "xh", "wget"].contains(&first.as_str()) {
        ("the command of another program", "write the request for curl")
    } else {
        return None;
    };
    Some(format!("this is {what}: {instead}, or give a HAR with --har"))
}

/// All options by name, with the letter and whether a value follows.
fn table() -> impl Iterator<Item = (&'static str, Option<char>, bool)> {
    [(WITH_VALUE, true), (WITHOUT_VALUE, false)].into_iter().flat_map(|(list, takes)| {
        list.split_whitespace().map(move |entry| match entry.split_once(',') {
            Some((name, letter)) => (name, letter.chars().next(), takes),
            None => (entry, None, takes),
        })
    })
}

/// An option by its name, the beginning of it, or with `no-` before it.
fn named(given: &str) -> Result<(&'static str, bool)> {
    let plain = given.strip_prefix("no-").unwrap_or(given);
    if let Some((name, _, takes)) = table().find(|(name, ..)| *name == given || *name == plain) {
        // Without its effect.
        return Ok(if name == given { (name, takes) } else { ("silent", false) });
    }
    let mut likely = table().filter(|(name, ..)| given.len() > 1 && name.starts_with(given));
    match (likely.next(), likely.next()) {
        (Some((name, _, takes)), None) => Ok((name, takes)),
        _ => Err(unknown()),
    }
}

fn lettered(letter: char) -> Result<(&'static str, bool)> {
    let found = table().find(|(_, other, _)| *other == Some(letter));
    found.map(|(name, _, takes)| (name, takes)).ok_or_else(unknown)
}

/// Does not repeat the option: it may be a secret in the wrong place.
fn unknown() -> Error {
    Error::usage("curl has no such option: leave it out, or give what it does as -H")
}

fn missing(name: &str) -> Error {
    Error::usage(format!("--{name}: curl expects a value here"))
}

impl Options {
    fn apply(&mut self, name: &str, value: &str) -> Result<()> {
        if let Some((_, hint)) = UNKNOWABLE.iter().find(|(other, _)| *other == name) {
            return Err(Error::usage(format!("--{name}: {hint}")));
        }
        let text = || Some(value.to_owned());
        match name {
            "url" => self.urls.push(value.to_owned()),
            "request" => self.method = text(),
            "header" => self.header(value)?,
            "data" | "data-ascii" => self.data(read_data(value, true)?),
            "data-binary" => self.data(read_data(value, false)?),
            "data-raw" => self.data(value.into()),
            "data-urlencode" => self.data(encoded_data(value)?.into()),
            "json" => {
                self.is_json = true;
                let data = read_data(value, false)?;
                self.data.get_or_insert_default().extend(data);
            }
            "form" | "form-string" => self.part(value, name == "form")?,
            "upload-file" => {
                let name = value.rsplit('/').next().unwrap_or_default();
                self.upload = Some((name.to_owned(), file(value)?));
            }
            "url-query" => self.queries.push(match value.strip_prefix('+') {
                Some(plain) => plain.to_owned(),
                None => encoded_data(value)?,
            }),
            "user" if !value.contains(':') => {
                return Err(Error::usage(
                    "-u: curl would ask for the password; give it as user:password",
                ));
            }
            "user" => self.user = text(),
            "oauth2-bearer" => self.bearer = text(),
            "user-agent" => self.agent = text(),
            // What follows is about redirections.
            "referer" => self.referer = value.split(";auto").next().map(str::to_owned),
            // Without a `=` it is a file of cookies.
            "cookie" if value.contains('=') => self.cookies.push(value.to_owned()),
            // As curl mends it.
            "range" if !value.contains('-') => self.range = Some(format!("{value}-")),
            "range" => self.range = text(),
            "request-target" => self.target = text(),
            "get" => self.is_get = true,
            "head" => self.is_head = true,
            "path-as-is" => self.is_as_is = true,
            "globoff" => self.is_globless = true,
            _ => {}
        }
        Ok(())
    }

    fn header(&mut self, value: &str) -> Result<()> {
        match value.strip_prefix('@') {
            Some(name) => {
                let text = String::from_utf8_lossy(&file(name)?).into_owned();
                self.headers.extend(text.lines().map(str::to_owned));
            }
            None => self.headers.push(value.to_owned()),
        }
        match self.headers.iter().all(|header| header.contains([':', ';']) || header.is_empty()) {
            true => Ok(()),
            false => Err(Error::usage("-H: expected \"Name: value\"")),
        }
    }

    /// Several -d are joined as a form is.
    fn data(&mut self, bytes: Vec<u8>) {
        match &mut self.data {
            Some(data) => {
                data.push(b'&');
                data.extend(bytes);
            }
            None => self.data = Some(bytes),
        }
    }

    fn part(&mut self, value: &str, reads: bool) -> Result<()> {
        let (name, content) = value
            .split_once('=')
            .ok_or_else(|| Error::usage("-F: expected name=value, name=@file or name=<file"))?;
        let named = content.split(';').next().unwrap_or_default();
        let (content, more) = match content.chars().next() {
            Some('@') if reads => {
                let path = named.strip_prefix('@').unwrap_or_default();
                let shown = path.rsplit('/').next().unwrap_or_default();
                let more =
                    format!("; filename=\"{shown}\"\r\nContent-Type: application/octet-stream");
                (file(path)?, more)
            }
            Some('<') if reads => {
                (file(named.strip_prefix('<').unwrap_or_default())?, String::new())
            }
            _ if reads => (named.into(), String::new()),
            _ => (content.into(), String::new()),
        };
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n"
        );
        self.form.extend(head.into_bytes());
        self.form.extend(content);
        self.form.extend(b"\r\n");
        Ok(())
    }

    /// The request that curl makes of all this.
    fn request(mut self) -> Result<RequestInput> {
        let url = match self.urls.as_slice() {
            [] => return Err(Error::usage("the request has no URL")),
            [url] => url.clone(),
            _ => return Err(Error::usage("the request has several URLs, or an argument too many")),
        };
        let has_form = !self.form.is_empty();
        let ways =
            [self.is_head && !self.is_get, self.data.is_some(), has_form, self.upload.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err(Error::usage("curl takes one of -I, -d, -F and -T only"));
        }
        // Also an empty one.
        let has_body = !self.is_get && ways.iter().skip(1).any(|way| *way);
        let mut request = RequestInput::default();
        let default = match (self.is_head, self.is_get) {
            (true, _) => "HEAD",
            _ if self.upload.is_some() => "PUT",
            (_, true) => "GET",
            _ if self.data.is_some() || has_form => "POST",
            _ => "GET",
        };
        request.method = self.method.take().unwrap_or_else(|| default.to_owned());
        // Whoever adds to a URL leaves an empty query out.
        let is_rebuilt = !self.queries.is_empty() || (self.is_get && self.data.is_some());
        if self.is_get {
            let data = self.data.take().map(|data| String::from_utf8_lossy(&data).into_owned());
            self.queries.extend(data.filter(|data| !data.is_empty()));
        }
        self.set_url(&mut request, &url, is_rebuilt)?;

        let mut defaults = Vec::new();
        if self.is_json {
            defaults.push(("content-type", "application/json".to_owned()));
            defaults.push(("accept", "application/json".to_owned()));
        }
        if has_form {
            self.form.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
            defaults.push(("content-type", format!("multipart/form-data; boundary={BOUNDARY}")));
            request.body = std::mem::take(&mut self.form);
        } else if let Some(data) = self.data.take() {
            let form = "application/x-www-form-urlencoded";
            defaults.extend((!self.is_json).then(|| ("content-type", form.to_owned())));
            if data.is_empty() {
                defaults.push(("content-length", "0".to_owned()));
            }
            request.body = data;
        } else if let Some((_, upload)) = self.upload.take() {
            request.body = upload;
        }
        let basic = self.user.map(|user| format!("Basic {}", STANDARD.encode(user)));
        let authorization = self.bearer.map(|token| format!("Bearer {token}")).or(basic);
        defaults.extend(authorization.map(|value| ("authorization", value)));
        defaults.extend(self.agent.map(|value| ("user-agent", value)));
        defaults.extend(self.referer.filter(|v| !v.is_empty()).map(|value| ("referer", value)));
        let range = self.range.filter(|_| !has_body);
        defaults.extend(range.map(|range| ("range", format!("bytes={range}"))));
        let cookies = self.cookies.join(";");
        defaults.extend((!cookies.is_empty()).then_some(("cookie", cookies)));

        let mut removed = Vec::new();
        for header in self.headers.iter().filter(|header| !header.is_empty()) {
            match (header.split_once(':'), header.strip_suffix(';')) {
                // `Name:` is none of that name, `Name;` an empty one.
                (Some((name, value)), _) if value.trim().is_empty() => {
                    removed.push(name.trim().to_ascii_lowercase());
                }
                (Some((name, value)), _) => request.header_of_curl(name, value)?,
                (None, Some(name)) => request.add(name, ""),
                (None, None) => {}
            }
        }
        defaults.retain(|(name, value)| {
            !removed.iter().any(|other| other == name) && !value.is_empty()
        });
        for (name, value) in defaults {
            request.add_unless_there(name, &value);
        }
        Ok(request.complete())
    }

    /// The URL as curl asks for it: without a fragment, with the queries, and with the user in a header.
    fn set_url(&mut self, request: &mut RequestInput, url: &str, is_rebuilt: bool) -> Result<()> {
        let url = url.split('#').next().unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (mut authority, target) = rest.split_at(end);
        if let Some((user, host)) = authority.rsplit_once('@') {
            authority = host;
            self.user.get_or_insert_with(|| decoded(user));
        }
        let unglobbed;
        let target = match self.is_globless {
            true => target,
            false => {
                unglobbed = without_globs(target)?;
                &unglobbed
            }
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut path = match self.is_as_is {
            true => path.to_owned(),
            false => without_dots(path),
        };
        // A folder is where the file goes.
        if let Some((name, _)) =
            self.upload.as_ref().filter(|_| path.is_empty() || path.ends_with('/'))
        {
            path.push_str(if path.is_empty() { "/" } else { "" });
            path.push_str(&percent_encoded(name.as_bytes()));
        }
        let queries = query.filter(|query| !(is_rebuilt && query.is_empty())).into_iter();
        let queries: Vec<&str> = queries.chain(self.queries.iter().map(String::as_str)).collect();
        let target = self.target.take().unwrap_or_else(|| match queries.as_slice() {
            [] => path,
            queries => format!("{path}?{}", queries.join("&")),
        });
        request.url = target::url(&format!("{scheme}://{authority}{target}"))
            .map_err(|hint| Error::usage(format!("the URL: {hint}")))?;
        Ok(())
    }
}

/// A target without the backslashes that keep brackets from meaning several requests, as browsers write it.
fn without_globs(target: &str) -> Result<String> {
    let mut plain = String::with_capacity(target.len());
    let mut rest = target.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => plain.push(rest.next_if(|next| "[]{}".contains(*next)).unwrap_or(character)),
            '{' | '[' => {
                return Err(Error::usage(
                    "the URL: curl makes several requests of { } and [ ]; write one of them, or give -g",
                ));
            }
            other => plain.push(other),
        }
    }
    Ok(plain)
}

/// The path without `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).filter(|_| *first == b'%').and_then(|hex| str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn file(name: &str) -> Result<Vec<u8>> {
    super::request_input::bytes("the request", name)
}

fn read_data(value: &str, drops_lines: bool) -> Result<Vec<u8>> {
    let Some(name) = value.strip_prefix('@') else {
        return Ok(value.into());
    };
    let mut bytes = file(name)?;
    // -d drops line breaks of a file.
    bytes.retain(|byte| !drops_lines || !matches!(byte, b'\r' | b'\n' | 0));
    Ok(bytes)
}

fn percent_encoded(bytes: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(*byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    bytes.iter().map(encode).collect()
}

/// `content`, `=content`, `name=content`, `@file` or `name@file`, with the content percent-encoded.
fn encoded_data(value: &str) -> Result<String> {
    let at = value.find('=').or_else(|| value.find('@'));
    let (name, content) = match at {
        None => ("", value.as_bytes().to_vec()),
        Some(at) => {
            let (name, content) = (&value[..at], &value[at + 1..]);
            match value.as_bytes()[at] {
                b'@' => (name, file(content)?),
                _ => (name, content.into()),
            }
        }
    };
    let encoded = percent_encoded(&content).replace("%20", "+");
    Ok(if name.is_empty() { encoded } else { format!("{name}={encoded}") })
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::process::Command;

    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Arguments for a request to `URL`, of which curl itself says what they mean.
    const LINES: [&[&str]; 55] = [
        &["URL/x?a\\[0\\]=1&b=\\{\\}"],
        &["-T", "FILE", "URL/folder/"],
        &["-T", "FILE", "URL"],
        &["-G", "--json", "{}", "URL/x"],
        &["-r", "5", "URL/x"],
        &["-u", "a:b", "http://c:d@HOST/x"],
        &["-u", "a:b", "--oauth2-bearer", "abc", "URL/x"],
        &["-b", "a=1", "-H", "Cookie: b=2", "URL/x"],
        &["-X", "POST", "-H", "Content-Type:", "-d", "x", "URL/x"],
        &["URL/x?q=é"],
        &["URL?x=1"],
        &["URL/x?a=1"],
        &["-sSL", "URL/x"],
        &["-sSo/dev/null", "URL/x"],
        &["-I", "URL/x"],
        &["-X", "DELETE", "URL/x"],
        &["-XPATCH", "-d", "a=1", "URL/x"],
        &["-d", "", "URL/x"],
        &["-d", "a=1", "--data", "b=2", "--data-raw", "@c", "URL/x"],
        &["--data-binary", "line\nline", "URL/x"],
        &["-d", "@FILE", "URL/x"],
        &["--data-binary", "@FILE", "URL/x"],
        &[
            "--data-urlencode", "a=b c&d", "--data-urlencode", "é", "--data-urlencode", "=x@y",
            "URL/x",
        ],
        &["--data-urlencode", "a@FILE", "URL/x"],
        &["-G", "-d", "a=1", "-d", "b=2", "URL/x?c=3"],
        &["-G", "--data-urlencode", "q=a b", "URL/x"],
        &["-GI", "-d", "a=1", "URL/x"],
        &["--json", "{\"a\":", "--json", "1}", "URL/x"],
        &["--json", "{}", "-H", "Content-Type: text/plain", "URL/x"],
        &["--json", "@FILE", "URL/x"],
        &["-u", "user:pass word", "URL/x"],
        &["-u", "user:pass", "-H", "Authorization: Bearer abc", "URL/x"],
        &["--oauth2-bearer", "abc", "URL/x"],
        &["http://us%40er:p%3Ass@HOST/x"],
        &["-H", "X-One: 1", "-H", "x-one:  2 ", "URL/x"],
        &["-H", "X-Empty;", "-H", "Accept:", "URL/x"],
        &["-H", "User-Agent:", "-A", "me", "URL/x"],
        &["-H", "@HEADERS", "URL/x"],
        &["-A", "agent/1", "-e", "https://a.example/;auto", "URL/x"],
        &["-b", "a=1", "-b", "b=2; c=3", "URL/x"],
        &["-r", "0-99", "URL/x"],
        &["-T", "FILE", "URL/x"],
        &["-F", "a=1", "-F", "b=two;type=text/plain", "--form-string", "c=@x;y", "URL/x"],
        &["-F", "a=@FILE", "URL/x"],
        &["--globoff", "URL/x?a[1]={2}"],
        &["-g", "URL/{x}"],
        &["URL/a/./b/../c"],
        &["URL/a/.."],
        &["--path-as-is", "URL/a/../b"],
        &["URL/x#top"],
        &["HOST/x"],
        &["--url", "URL/x", "--no-buffer", "--no-keepalive", "--http1.1", "--compressed"],
        &["--max-time", "5", "-m", "5", "--retry", "0", "--connect-timeout=5", "URL/x"],
        &["--request-target", "/other?x=1", "URL/x"],
        &["--noproxy", "*", "-4kvi", "--user-agent", "", "URL/x"],
    ];

    /// Parts of such arguments, of which any may come after any.
    const PARTS: [&[&str]; 46] = [
        &["-X", "POST"],
        &["-XPUT"],
        &["--request", "DELETE"],
        &["-sSLXPATCH"],
        &["-d", "a=1"],
        &["-d", ""],
        &["-d", "@FILE"],
        &["--data-raw", "@x"],
        &["--data-binary", "@FILE"],
        &["--data-urlencode", "q=a b"],
        &["--data-urlencode", "q@FILE"],
        &["--json", "{}"],
        &["-G"],
        &["-I"],
        &["-T", "FILE"],
        &["-F", "a=1"],
        &["-u", "a:b"],
        &["-u", "a:"],
        &["--oauth2-bearer", "abc"],
        &["-H", "Authorization: Bearer x"],
        &["-H", "Authorization;"],
        &["-H", "Authorization:"],
        &["-H", "Content-Type: text/plain"],
        &["-H", "Content-Type:"],
        &["-H", "content-type;"],
        &["-H", "X-One: 1"],
        &["-H", "x-one:2"],
        &["-H", "X-One;"],
        &["-H", "X-One:"],
        &["-H", "@HEADERS"],
        &["-H", "Cookie: d=4"],
        &["-b", "a=1"],
        &["-b", "b=2; c=3"],
        &["-A", "me"],
        &["-A", ""],
        &["-e", "https://a.example/;auto"],
        &["-e", ""],
        &["-r", "0-9"],
        &["-r", "7"],
        &["-g"],
        &["-sSLk"],
        &["--path-as-is"],
        &["--compressed"],
        &["--url-query", "z=a b"],
        &["--url-query", "+raw"],
        &["--request-target", "/other?x=1"],
    ];
    const URLS: [&str; 11] = [
        "URL", "URL/x", "URL/x?a=1", "URL/folder/", "URL/a/../b", "HOST/x", "http://us:er@HOST/x",
        "URL/x#top", "URL/?", "URL?x=1", "URL/x?a\\[\\]=1",
    ];

    /// Arguments that are made of parts by a generator of numbers.
    fn generated() -> impl Iterator<Item = Vec<&'static str>> {
        let mut state = 1_u64;
        let mut next = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        (0..200).map(move |_| {
            let mut line = Vec::new();
            for _ in 0..=next(4) {
                line.extend(PARTS[next(PARTS.len())]);
            }
            line.push(URLS[next(URLS.len())]);
            line
        })
    }

    /// Returns the head and the body of the one request that is made.
    fn received(listener: &TcpListener) -> (String, Vec<u8>) {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let length = stream.read(&mut buffer).unwrap();
            bytes.extend(&buffer[..length]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, _)) = text.split_once("\r\n\r\n") else {
                if length == 0 {
                    return (String::new(), bytes);
                }
                continue;
            };
            let body = bytes[head.len() + 4..].to_vec();
            let field = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            };
            if field("expect").is_some() && body.is_empty() {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
            }
            let wanted = field("content-length").map_or(0, |length| length.parse().unwrap());
            let head = head.to_owned();
            if body.len() >= wanted || head.starts_with("HEAD") {
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).unwrap();
                return (head, body);
            }
        }
    }

    #[test]
    fn arguments_are_read_as_curl_itself_reads_them() {
        if !testkit::program::found(&["curl"], "how curl reads its arguments") {
            return;
        }
        let folder = std::env::temp_dir().join(crate::random::text(9).unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        let (data, headers) = (folder.join("data"), folder.join("headers"));
        std::fs::write(&data, "{\"x\":\r\n1}\n").unwrap();
        std::fs::write(&headers, "X-Two: 2\nX-Three: 3\n").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (sender, requests) = std::sync::mpsc::channel();
        std::thread::spawn(move || while sender.send(received(&listener)).is_ok() {});
        let (mut sent, mut refused, mut different) = (0, 0, Vec::new());
        for line in LINES.iter().map(|line| line.to_vec()).chain(generated()) {
            let line: Vec<String> = line
                .iter()
                .map(|word| {
                    word.replace("HEADERS", headers.to_str().unwrap())
                        .replace("FILE", data.to_str().unwrap())
                        .replace("URL", &format!("http://{host}"))
                        .replace("HOST", &host)
                })
                .collect();
            // curl joins a long option's value to it in its newest versions only.
            let given = line.iter().filter(|word| !word.starts_with("--connect-timeout="));
            let curl = Command::new("curl")
                .args(["-q", "--noproxy", "*", "--max-time", "20", "-s", "-o", "/dev/null"])
                .args(given)
                .status()
                .unwrap();
            if curl.success() {
                sent += 1;
                different.extend(differences(&line, &host, &requests.recv().unwrap()));
            } else {
                // What curl does not send is no request here, either.
                refused += 1;
                different.extend(read(&line).is_ok().then(|| format!("curl refuses {line:?}")));
            }
            assert_eq!(requests.try_iter().count(), 0, "{line:?}");
        }
        assert!(different.is_empty(), "{}", different.join("\n"));
        assert!(sent > 150 && refused > 10, "{sent}, {refused}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// Compares what these arguments are read as with what curl sent; the differences.
    fn differences(line: &[String], host: &str, (head, body): &(String, Vec<u8>)) -> Vec<String> {
        let request = match read(line) {
            Ok(request) => request,
            Err(error) => return vec![error.message],
        };
        let (first, fields) = head.split_once("\r\n").unwrap();
        let target = request.url.strip_prefix(&format!("http://{host}")).unwrap();
        let mut sent = RequestInput::default();
        for (name, value) in fields.lines().filter_map(|field| field.split_once(':')) {
            sent.add(name, value);
        }
        let own = format!("{} {target} HTTP/1.1", request.method);
        let mut pairs = vec![("request", Some(own), Some(first.to_owned()))];
        // A boundary is made up, and so are a part's headers by newer versions.
        let is_form = line.iter().any(|word| ["-F", "--form-string"].contains(&word.as_str()));
        if !is_form && !line.iter().any(|word| word.ends_with('I')) {
            let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
            pairs.push(("body", text(&request.body), text(body)));
        }
        for name in [
            "accept", "authorization", "content-type", "content-length", "cookie", "range",
            "referer", "user-agent", "x-one", "x-two", "x-three", "x-empty",
        ] {
            // curl names itself, and says that it takes everything.
            let is_default = |value: &str| value.starts_with("curl/") || value == "*/*";
            let theirs = sent.header(name).filter(|value| !is_default(value));
            if !is_form || !name.starts_with("content-") {
                let own = request.header(name);
                pairs.push((name, own.map(str::to_owned), theirs.map(str::to_owned)));
            }
        }
        pairs.retain(|(_, own, theirs)| own != theirs);
        pairs.iter().map(|pair| format!("{pair:?}: {line:?}")).collect()
    }

    #[test]
    fn every_option_of_this_curl_is_known_with_or_without_a_value() {
        if !testkit::program::found(&["curl"], "the options of curl") {
            return;
        }
        let help = Command::new("curl").args(["-q", "--help", "all"]).output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let mut count = 0;
        for line in help.lines() {
            let Some((letter, rest)) = line.split_once("--") else {
                continue;
            };
            let name = rest.split(' ').next().unwrap();
            let more = rest.strip_prefix(name).unwrap();
            let takes = [" <", " ["].iter().any(|value| more.starts_with(value));
            let (known, has_value) = named(name).unwrap_or_else(|_| panic!("{name} is not known"));
            assert_eq!(has_value, takes, "{name}");
            if let Some(letter) =
                letter.trim().strip_prefix('-').and_then(|rest| rest.chars().next())
            {
                let (long, has_value) = lettered(letter).unwrap();
                assert_eq!(has_value, takes, "-{letter}");
                assert!(
                    long == known || known == "silent" || known == "include",
                    "-{letter}: {long}, {known}"
                );
            }
            count += 1;
        }
        assert!(count > 200, "{count}");
    }

    #[test]
    fn what_is_no_request_is_refused_and_not_repeated() {
        for wrong in [
            &["-H"][..],
            &["-X", "GET"],
            &["--unknown", "1", "http://a.example"],
            &["http://a.example", "http://b.example"],
            &["-H", "secret", "http://a.example"],
            &["-Ksecret", "http://a.example"],
            &["http://a.example/{secret,b}"],
            &["http://a.example", "--next", "http://b.example"],
            &["-d", "@/no/such/file", "http://a.example"],
            &["-F", "secret", "http://a.example"],
        ] {
            let error = read(&words(wrong)).unwrap_err();
            assert_eq!(error.code, 2, "{wrong:?}");
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
        // The beginning of a name is enough, as long as it is one's only.
        assert_eq!(read(&words(&["--data-bin", "x", "http://a.example"])).unwrap().body, b"x");
        assert!(read(&words(&["--dat", "x", "http://a.example"])).is_err());
    }
}
