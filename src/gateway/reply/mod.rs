//! The upstream's response on its way to the caller belongs here (docs/wire-contract.md, "Upstream
//! requests and answers"): which header fields are removed, set or rewritten, and that the upstream's
//! credential is not among them.
//!
//! Bodies do not: they stream and are not searched. Reason phrase and trailers are never passed on.

mod fields;
mod location;
mod media;

use crate::base::headers::{HeaderEdits, content_length, header};
use crate::upstream::echo::REDACTED;
use crate::upstream::url::UpstreamCredential;

pub use location::Target;

/// Returns the CORS headers of a response to `origin` (Fetch, section 3.3.3): a page with the credential
/// may read the response, from any page. `Allow-Credentials` is never sent.
pub fn cors(origin: &str) -> [(&'static str, String); 2] {
    [
        ("access-control-allow-origin", origin.to_owned()),
        ("access-control-expose-headers", "*".to_owned()),
    ]
}

/// The facts about the request that its response depends on.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The route and the upstream's URL.
    pub target: Target<'a>,
    /// The credential that was sent to the upstream.
    pub credential: &'a UpstreamCredential,
    /// The request id.
    pub id: &'a str,
    /// The origin of the page that may read the response.
    pub cors_origin: Option<&'a str>,
}

/// Returns the edits of the upstream's response headers.
pub fn edit<'h>(
    status: u16,
    headers: &[(&'h str, &'h str)],
    request: Request<'_>,
) -> HeaderEdits<'h> {
    let guard = request.credential.guard();
    let connection = header(headers, "connection");
    let mut edits = HeaderEdits::default();
    let mut vary = None;
    let mut is_passive = false;
    for (name, value) in headers.iter().copied() {
        let is_named = connection.is_some_and(|named| lists(named, name));
        // A browser may take the type of a 304 for that of the document that it keeps (RFC 9111 section 3.2).
        let is_other_type = status == 304 && name == "content-type";
        let is_overridden = name == "content-length" && content_length(headers).is_none();
        if fields::is_removed(name) || is_named || is_other_type || is_overridden {
            edits.drop.push(name);
            continue;
        }
        if guard.is_in_name(name) {
            edits.drop.push(name);
            // The name contains the token, so the log must not show it.
            edits.echoed.push(REDACTED);
            continue;
        }
        let rewritten = match name {
            "location" | "content-location" => location::at_gate(value, request.target),
            _ => None,
        };
        let visible = rewritten.as_deref().unwrap_or(value);
        match guard.redact(visible) {
            Some(redacted) => {
                edits.echoed.push(name);
                edits.set.push((name, redacted));
            }
            None => edits.set.extend(rewritten.map(|location| (name, location))),
        }
        match name {
            "content-type" => is_passive = media::is_passive(edits.value(name, value)),
            "vary" => vary = Some(value),
            _ => {}
        }
    }
    // A 304 says nothing of the policy, so the document that the caller already has keeps its own.
    if !is_passive && status != 304 {
        let sandbox = ("content-security-policy", "sandbox".to_owned());
        edits.set.push(sandbox);
    }
    edits.set.push(("x-request-id", request.id.to_owned()));
    edits.set.push(("x-content-type-options", "nosniff".to_owned()));
    if let Some(origin) = request.cors_origin {
        let vary = vary_by_origin(vary.map(|vary| edits.value("vary", vary)));
        edits.set.extend(cors(origin));
        edits.set.extend(vary.map(|vary| ("vary", vary)));
    }
    edits
}

/// Returns true if `name` is in a list of names.
fn lists(list: &str, name: &str) -> bool {
    let mut names = list.split(',').map(str::trim);
    names.any(|listed| listed.eq_ignore_ascii_case(name))
}

/// Returns `Vary` with `Origin` added; `None` if it is there already.
fn vary_by_origin(vary: Option<&str>) -> Option<String> {
    let Some(vary) = vary.filter(|vary| !vary.trim().is_empty()) else {
        return Some("Origin".to_owned());
    };
    match lists(vary, "*") || lists(vary, "origin") {
        true => None,
        false => Some(format!("{vary}, Origin")),
    }
}

/// Returns true if a `Response` can have this status (Fetch, section 2.2.3).
pub const fn is_final_status(status: u16) -> bool {
    matches!(status, 200..=599)
}

/// Returns true for a status with which Cloudflare reports an unreachable upstream.
pub const fn is_unreachable(status: u16) -> bool {
    matches!(status, 520..=527 | 530)
}

/// Returns true for a status after which a request may be sent again.
pub const fn is_transient(status: u16) -> bool {
    matches!(status, 429 | 502..=504) || is_unreachable(status)
}

/// Returns the most likely reason why the upstream refused its token. `code` is the Cloudflare API's
/// error code, if there is one.
pub const fn rejection_hint(status: u16, code: Option<u64>) -> &'static str {
    match (code, status) {
        (Some(1000 | 9109), _) => {
            "the Cloudflare API says the token is invalid: it was rolled or deleted, has expired, or has an address filter; put a new one"
        }
        (Some(6003 | 6111 | 9106), _) => {
            "the Cloudflare API could not read the credential: put only the token, without Bearer or quotes, and check upstream_auth.scheme"
        }
        (Some(9103), _) => {
            "the Cloudflare API does not know this email and global key: prefer an API token with upstream_auth.scheme = bearer"
        }
        (Some(10_000), _) => {
            "the Cloudflare API refused the token for this call: check the permissions and the account or zone the token is for"
        }
        (_, 403) => {
            "the upstream knows the token and does not allow it this call: check its permissions"
        }
        (_, _) => {
            "the upstream refuses the token: it was revoked, has expired, or belongs to another environment; put a new one"
        }
    }
}

/// Returns the first error code of a Cloudflare API response
/// (`{"success":false,"errors":[{"code":…}]}`).
pub fn cloudflare_code(body: &[u8]) -> Option<u64> {
    let value = crate::base::json::parse(body)?;
    value.get("errors")?.get(0)?.get("code")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::upstream::route::Route;
    use crate::upstream::token::UpstreamToken;
    use serde_json::json;

    const TOKEN: &str = "tok~en/+12";

    fn edited<'h>(status: u16, headers: &[(&'h str, &'h str)]) -> HeaderEdits<'h> {
        let route = json!({"path": "/cms/*", "upstream": "https://api.example/v1"});
        let route = Route::parse("ROUTES[0]", route).unwrap();
        let root = Secret::new("r".repeat(32));
        let known = UpstreamToken::read("T", &Secret::new(TOKEN), None, &root).unwrap();
        let routes = [route];
        let request = Request {
            target: Target { routes: &routes, route: &routes[0], url: "https://api.example/v1/x" },
            credential: &routes[0].auth.credential(&known).unwrap(),
            id: "id",
            cors_origin: Some("https://page.example"),
        };
        edit(status, headers, request)
    }

    fn values<'e>(edits: &'e HeaderEdits<'_>, name: &str) -> Vec<&'e str> {
        let set = edits.set.iter().filter(|(set, _)| *set == name);
        set.map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn what_a_request_may_be_sent_again_after_is_what_passes() {
        let transient = [429, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530];
        for status in 0..1_000 {
            assert_eq!(is_transient(status), transient.contains(&status), "{status}");
            assert_eq!(is_unreachable(status), status >= 520 && is_transient(status), "{status}");
            assert_eq!(is_final_status(status), (200..600).contains(&status), "{status}");
        }
    }

    #[test]
    fn a_token_comes_back_in_no_name_and_no_value() {
        let edits = edited(
            200,
            &[
                ("content-type", "text/plain;x=tok~en/+12"),
                ("vary", "x-tok~en%2F+12"),
                ("x-a", "tok~en/+12"),
                ("content-location", "/v1/tok~en/+12"),
            ],
        );
        assert_eq!(values(&edits, "x-a"), ["[redacted]"]);
        assert_eq!(values(&edits, "content-location"), ["/cms/[redacted]"]);
        assert_eq!(values(&edits, "vary").last(), Some(&"x-[redacted], Origin"));
        assert_eq!(edits.echoed, ["content-type", "vary", "x-a", "content-location"]);
        let all = edits.set.iter();
        assert!(all.clone().all(|(_, value)| !value.contains(TOKEN)));
    }

    #[test]
    fn what_connection_names_goes_with_it_and_not_what_the_gate_sets() {
        let edits = edited(
            200,
            &[
                ("connection", "close, X-Hop,content-type , x-request-id"),
                ("content-type", "application/json"),
                ("x-hop", "1"),
                ("x-hop-2", "1"),
            ],
        );
        assert_eq!(edits.drop, ["connection", "content-type", "x-hop"]);
        assert_eq!(values(&edits, "x-request-id"), ["id"]);
        let policy = values(&edits, "content-security-policy");
        assert_eq!(policy, ["sandbox"], "without its type it is not passive");
    }

    #[test]
    fn a_length_that_does_not_count_goes_no_further() {
        let chunked = ("transfer-encoding", "chunked");
        for (headers, is_dropped) in [
            (vec![("content-length", "2")], false),
            (vec![("content-length", "2"), chunked], true),
            (vec![("content-length", "2, 2")], true),
        ] {
            let edits = edited(200, &headers);
            assert_eq!(edits.drop.contains(&"content-length"), is_dropped, "{headers:?}");
        }
    }

    #[test]
    fn everything_that_is_not_passive_is_sandboxed() {
        for (status, kind, expected) in [
            (200, Some("image/png"), vec![]),
            (200, Some("text/html (x)"), vec!["sandbox"]),
            (200, None, vec!["sandbox"]),
            (404, None, vec!["sandbox"]),
            (206, Some("image/png"), vec![]),
            (206, Some("text/html"), vec!["sandbox"]),
            (304, None, vec![]),
            (304, Some("text/html"), vec![]),
        ] {
            let mut headers = vec![("content-security-policy", "default-src *")];
            headers.extend(kind.map(|kind| ("content-type", kind)));
            let edits = edited(status, &headers);
            assert_eq!(values(&edits, "content-security-policy"), expected);
            // A browser that merges a part or a 304 into what it keeps must find no other policy, and in a 304 no type.
            let with_type = &["content-security-policy", "content-type"][..];
            let dropped = if (status, kind) == (304, Some("text/html")) {
                with_type
            } else {
                &with_type[..1]
            };
            assert_eq!(edits.drop, dropped, "{status}");
        }
    }

    #[test]
    fn vary_gains_origin_once() {
        assert_eq!(vary_by_origin(None).as_deref(), Some("Origin"));
        assert_eq!(vary_by_origin(Some("Accept")).as_deref(), Some("Accept, Origin"));
        assert_eq!(vary_by_origin(Some("Accept, origin")), None);
        assert_eq!(vary_by_origin(Some("*")), None);
    }

    #[test]
    fn the_cloudflare_api_s_code_is_read() {
        let body =
            br#"{"success":false,"errors":[{"code":9109,"message":"Invalid access token"}]}"#;
        assert_eq!(cloudflare_code(body), Some(9109));
        assert_ne!(rejection_hint(401, Some(9109)), rejection_hint(401, None));
        assert_eq!(cloudflare_code(b"<html>"), None);
    }

    /// 9104 has none, because Cloudflare does not describe it.
    #[test]
    fn the_page_lists_every_code_with_a_hint_of_its_own() {
        let page = include_str!("../../../docs/operations.md");
        let (_, table) = page.split_once("| code | cause | fix |\n|---|---|---|\n").unwrap();
        let rows = table.lines().map_while(|row| row.strip_prefix("| ")?.split(" | ").next());
        let numbers = rows.flat_map(|codes| codes.split(", ")).filter_map(|code| code.parse().ok());
        let listed: Vec<u64> = numbers.collect();
        assert!(listed.contains(&9104), "{listed:?}");
        for code in 0..20_000 {
            let has_hint = rejection_hint(401, Some(code)) != rejection_hint(401, None);
            assert_eq!(listed.contains(&code), has_hint || code == 9104, "{code}");
        }
    }
}
