//! A request as arguments of curl, read as curl reads them.
//!
//! In scope: what each option changes in the request. Out of scope: which options there are, [`table`]; the URL, [`url`].

mod table;
#[cfg(test)]
mod tests;
mod url;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::percent;

use super::request_input::RequestInput;
use table::{lettered, missing, named, undone};

/// The separator of a form's parts here; curl makes up another each time.
const BOUNDARY: &str = "------------------------writegate0000000";

/// The arguments, as far as they matter, in the order in which they were given.
#[derive(Default)]
struct Options {
    urls: Vec<String>,
    method: Option<String>,
    headers: Vec<String>,
    /// The data of -d and its kin, joined; `None` without any.
    data: Option<Vec<u8>>,
    /// The file of -T: its name and its content.
    upload: Option<(String, Vec<u8>)>,
    form: Vec<u8>,
    queries: Vec<String>,
    user: Option<String>,
    bearer: Option<String>,
    agent: Option<String>,
    referer: Option<String>,
    cookies: Vec<String>,
    range: Option<String>,
    /// The place of -C, which wins over a range.
    offset: Option<u64>,
    target: Option<String>,
    is_json: bool,
    is_get: bool,
    is_head: bool,
    /// With --no-head, curl chose GET, and takes no other way to send something.
    is_no_head: bool,
    is_as_is: bool,
    is_globless: bool,
    /// The scheme of a URL without one.
    scheme: Option<String>,
}

/// Reads arguments of curl, which the word `curl` may precede.
pub(crate) fn read(arguments: &[String]) -> Result<RequestInput> {
    let mut options = Options::default();
    if let Some(hint) = foreign(arguments) {
        return Err(Error::usage(hint));
    }
    let mut words = arguments.iter().map(String::as_str).peekable();
    words.next_if(|word| *word == "--");
    // What a person copies along: a prompt, `time`, variables of the environment.
    let before = words.clone().take_while(|word| !word.starts_with('-') && !word.contains("://"));
    if let Some(at) = before.into_iter().position(is_curl) {
        words.nth(at);
    }
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
            if let Some(name) = undone(name) {
                options.undo(name);
                continue;
            }
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

/// Says what to copy instead of arguments that a Unix shell would not pass to curl as they are.
fn foreign(arguments: &[String]) -> Option<String> {
    const BASH: &str = "copy the request \"as cURL (bash)\", in Firefox \"(POSIX)\"";

    let first = arguments.iter().find(|word| *word != "--")?;
    let begins = |starts: &[&str]| starts.iter().any(|start| first.starts_with(start));
    let has = |is_so: &dyn Fn(&str) -> bool| arguments.iter().any(|word| is_so(word));
    let has_url = |start: char| has(&|word: &str| word.starts_with(start) && word.contains("://"));
    let (what, instead) = if first.starts_with("curl ") {
        ("one word with all of curl's arguments in it", "leave out the quotes around it")
    } else if has_url('^') || has(&|word| word.starts_with("^\"") || word.ends_with('^')) {
        ("a command line for Windows' cmd, with ^ in it", BASH)
    } else if begins(&["Invoke-", "$session", "iwr", "irm"])
        // What a shell leaves of `$session = New-Object`, and of a line that goes on.
        || has(&|word| word == "New-Object" || word == "`")
    {
        ("a command of PowerShell", BASH)
    } else if begins(&["fetch(", "await"]) {
        ("JavaScript", BASH)
    } else if has_url('\'') {
        (
            "a command line for bash, whose ' another shell keeps",
            "in Windows' cmd, copy it \"as cURL (cmd)\"",
        )
    } else if has_url('$') {
        ("a command line for bash, whose $'…' another shell does not read", "type bash first")
    } else if has_url('“') || has_url('‘') {
        ("a command with the quotation marks of a text", "type \" in their place")
    } else if ["http", "https", "xh", "xhs", "wget"].contains(&first.as_str()) {
        ("the command of another program", "write the request for curl")
    } else {
        return None;
    };
    Some(format!("this is {what}: {instead}, or give a HAR with --har"))
}

impl Options {
    fn apply(&mut self, name: &str, value: &str) -> Result<()> {
        table::check(name)?;
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
            // As curl completes it.
            "range" if !value.contains('-') => self.range = Some(format!("{value}-")),
            "range" => self.range = text(),
            // Of `-`, the length of a file that is not looked at.
            "continue-at" if value != "-" => {
                let offset = value.parse();
                let wrong = |_| Error::usage("-C: curl expects a number of bytes, or -");
                self.offset = Some(offset.map_err(wrong)?).filter(|offset| *offset > 0);
            }
            "request-target" => self.target = text(),
            "proto-default" => self.scheme = text(),
            "get" => self.is_get = true,
            "head" => self.is_head = true,
            "path-as-is" => self.is_as_is = true,
            "globoff" => self.is_globless = true,
            _ => {}
        }
        Ok(())
    }

    /// Takes back an option that `--no-` precedes.
    fn undo(&mut self, name: &str) {
        match name {
            "get" => self.is_get = false,
            "head" => self.is_no_head = true,
            "path-as-is" => self.is_as_is = false,
            "globoff" => self.is_globless = false,
            _ => {}
        }
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

    /// Adds the text of a -d; several are joined as a form is.
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
        let (content, more) = match content.chars().next() {
            Some('@') if reads => {
                let path = &word(&content[1..]);
                let shown = path.rsplit('/').next().unwrap_or_default();
                let more =
                    format!("; filename=\"{shown}\"\r\nContent-Type: application/octet-stream");
                (file(path)?, more)
            }
            Some('<') if reads => (file(&word(&content[1..]))?, String::new()),
            _ if reads => (word(content).into_bytes(), String::new()),
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

    /// Returns the request that curl makes of all this.
    fn request(mut self) -> Result<RequestInput> {
        let url = match self.urls.as_slice() {
            [] => return Err(Error::usage("the request has no URL")),
            [url] => url.clone(),
            [_, more @ ..] => {
                let is_dash = |word: &String| word.starts_with(['–', '—']);
                return Err(Error::usage(match more.iter().any(is_dash) {
                    true => "the request has a – where an option begins with -",
                    false => "the request has several URLs, or an argument too many",
                }));
            }
        };
        let has_form = !self.form.is_empty();
        let ways = [
            self.is_head && (has_form || !self.is_get),
            self.is_no_head,
            self.data.is_some(),
            has_form,
            self.upload.is_some(),
        ];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err(Error::usage("curl takes one of -I, -d, -F and -T only"));
        }
        // An empty body is one, too.
        let has_body = has_form || (!self.is_get && ways.iter().skip(2).any(|way| *way));
        let mut request = RequestInput::default();
        let default = match (self.is_head, self.is_get) {
            (true, _) => "HEAD",
            _ if self.upload.is_some() => "PUT",
            (_, true) if !has_form => "GET",
            _ if self.data.is_some() || has_form => "POST",
            _ => "GET",
        };
        request.method = self.method.take().unwrap_or_else(|| default.to_owned());
        // With -G, the data takes the place of --url-query.
        let added = match self.data.take_if(|_| self.is_get) {
            Some(data) => Some(String::from_utf8_lossy(&data).into_owned()),
            None => (!self.queries.is_empty()).then(|| self.queries.join("&")),
        };
        self.set_url(&mut request, &url, added)?;

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
        let offset = self.offset.map(|offset| format!("{offset}-"));
        let range = offset.or(self.range).filter(|_| !has_body);
        defaults.extend(range.map(|range| ("range", format!("bytes={range}"))));
        let cookies = self.cookies.join(";");
        defaults.extend((!cookies.is_empty()).then_some(("cookie", cookies)));

        let mut removed = Vec::new();
        for header in self.headers.iter().filter(|header| !header.is_empty()) {
            match (header.split_once(':'), header.strip_suffix(';')) {
                // `Name:` removes the header, `Name;` sends an empty one.
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
}

/// Returns the value of a part of a form, which ends at a `;`, or at its quotes as in the commands that Postman copies.
fn word(text: &str) -> String {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split(';').next().unwrap_or_default().trim_end().to_owned();
    };
    let (mut word, mut rest) = (String::new(), quoted.chars().peekable());
    while let Some(character) = rest.next().filter(|character| *character != '"') {
        let escaped = rest.next_if(|next| character == '\\' && ['\\', '"'].contains(next));
        word.push(escaped.unwrap_or(character));
    }
    word
}

fn file(name: &str) -> Result<Vec<u8>> {
    crate::input::bytes("the request", name)
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

/// Parses `content`, `=content`, `name=content`, `@file` or `name@file`, with the content percent-encoded.
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
    let encoded = percent::encoded(&content).replace("%20", "+");
    Ok(if name.is_empty() { encoded } else { format!("{name}={encoded}") })
}
