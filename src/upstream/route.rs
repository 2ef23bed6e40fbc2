//! Routes (docs/wire-contract.md, "Configuration"): the upstream of a path, and the settings for its
//! requests.

use crate::base::percent;
use std::rc::Rc;

use serde_json::Value;

use crate::base::json::{self, FieldError, Fields};
use crate::base::methods::{METHODS, METHODS_HINT, Methods};
use crate::cache::Policy;
use crate::keys::KeyId;
use crate::policy::path::{self, Checked, PATTERN_HINT, Pattern};
use crate::problem::Refusal;
use crate::upstream::url::{Upstream, UpstreamAuth, UpstreamCredential};

/// Prefix of the gate's own paths; no route may have it.
pub const GATE_PREFIX: &str = "/_gate/";

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The paths that the route takes.
    pub path: Pattern,
    /// The upstream.
    pub upstream: Upstream,
    /// The gate's authentication at the upstream.
    pub auth: UpstreamAuth,
    /// The credential to send, if its token is a Workers Secret that is set.
    pub credential: Option<Rc<UpstreamCredential>>,
    /// The methods that the route takes; never empty.
    pub methods: Methods,
    /// Longest wait for response headers, in milliseconds, all attempts together.
    pub timeout_ms: u32,
    /// Most retries of a request that may be sent again.
    pub retries: u32,
    /// The upstream honours `Idempotency-Key`.
    pub idempotency_key: bool,
    /// Longest request body in bytes.
    pub max_body_bytes: u64,
    /// A signature need not cover the body.
    pub unsigned_body: bool,
    /// The key of WAF-token URLs that name none.
    pub waf_key: Option<KeyId>,
    /// Paths may contain `%2F` and `%5C`.
    pub encoded_slash: bool,
    /// If true, the upstream learns who called.
    pub identify_caller: bool,
    /// Headers that pass although the gate removes others of their kind, in lower case.
    pub pass_headers: Vec<String>,
    /// Query parameters that no request may have.
    pub deny_query: Vec<String>,
    /// The statuses with which the upstream refuses the gate's token.
    pub reject_status: Vec<u16>,
    /// A path whose GET shows if the upstream takes the token.
    pub probe: Option<String>,
    /// The storage of cached reads; `None` for a route without a cache.
    pub cache: Option<Policy>,
}

/// Longest wait for response headers that may be configured, in milliseconds.
const MAX_TIMEOUT_MS: u64 = 600_000;
/// Longest body that may be configured: 5 GB, the most that a zone of Cloudflare's Enterprise plan can set by itself.
const MAX_BODY_BYTES: u64 = 5_000_000_000;

impl Route {
    /// Creates the route `/*`, for which `UPSTREAM` is short.
    ///
    /// # Errors
    /// When the URL is not valid; the text is the hint.
    pub fn catch_all(upstream: &str) -> Result<Self, String> {
        let _ = Upstream::parse(upstream)?;
        let value = json::object([("path", "/*".into()), ("upstream", upstream.into())]);
        Self::parse("UPSTREAM", value).map_err(|error| error.hint)
    }

    /// Parses a route, found at `path` of the configuration.
    ///
    /// # Errors
    /// For every field that is unknown, null, or of another type or form.
    pub fn parse(path: &str, value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::new(path, value)?;
        let pattern = pattern(&mut fields)?;
        let upstream = fields.required("upstream")?;
        let upstream =
            Upstream::parse(&upstream).map_err(|hint| fields.error("upstream", &hint))?;
        let auth = UpstreamAuth::parse(fields.at("upstream_auth"), fields.value("upstream_auth")?)?;
        let timeout_ms = fields.integer("timeout_ms", 1..=MAX_TIMEOUT_MS, 100_000)?;
        let retries = fields.integer("retries", 0..=10, 2)?;
        let route = Self {
            path: pattern,
            upstream,
            auth,
            credential: None,
            methods: methods(&mut fields)?,
            timeout_ms: u32::try_from(timeout_ms).unwrap_or(u32::MAX),
            retries: u32::try_from(retries).unwrap_or(0),
            idempotency_key: fields.flag("idempotency_key")?,
            max_body_bytes: fields.integer("max_body_bytes", 0..=MAX_BODY_BYTES, 104_857_600)?,
            unsigned_body: fields.flag("unsigned_body")?,
            waf_key: waf_key(&mut fields)?,
            encoded_slash: fields.flag("encoded_slash")?,
            identify_caller: fields.flag("identify_caller")?,
            pass_headers: pass_headers(&mut fields)?,
            deny_query: deny_query(&mut fields)?,
            reject_status: reject_status(&mut fields)?,
            probe: probe(&mut fields)?,
            cache: fields
                .value("cache")?
                .map(|cache| Policy::parse(fields.at("cache"), cache))
                .transpose()?,
        };
        let has_slash = path::check(route.path.stem()).is_ok_and(|path| path.encoded_slash);
        if has_slash && !route.encoded_slash {
            return Err(
                fields.error("encoded_slash", "must be true, because path has a %2F or %5C")
            );
        }
        fields.finish()?;
        Ok(route)
    }

    /// Returns true if the route takes `method`; GET implies HEAD.
    pub fn takes(&self, method: &str) -> bool {
        self.methods.contains(method)
    }

    /// Returns true if a path and query, or only `?` and a query, have a parameter that the route denies, in a spelling that
    /// frameworks read as its name. They are decoded first, because some servers split what they have decoded.
    pub fn denies_query(&self, target: &str) -> bool {
        if self.deny_query.is_empty() {
            return false;
        }
        let target: Vec<u8> = percent::decode(target).map(percent::Byte::value).collect();
        let parameters = target.split(|byte| matches!(byte, b'?' | b'&' | b';')).skip(1);
        let mut names = parameters.map(parameter_name);
        names.any(|name| {
            let mut denied = self.deny_query.iter();
            denied.any(|denied| is_same_parameter(denied.as_bytes(), name))
        })
    }

    /// Returns the value of `Allow` (RFC 9110 section 10.2.1).
    pub fn allow(&self) -> String {
        self.methods.allow()
    }
}

/// Finds the route for `path`: an exact one wins, then the longest. The route is looked up for the path
/// as it was sent and as some server may read it, so that a narrower route is never bypassed.
///
/// # Errors
/// `bad-path` when the two readings lead to different routes, or one of them to the gate's own paths.
pub fn find<'r>(routes: &'r [Route], path: &Checked<'_>) -> Result<Option<&'r Route>, Refusal> {
    let is_gate_path = path.raw().starts_with(GATE_PREFIX);
    if !is_gate_path && path.may_begin_with(GATE_PREFIX) {
        return Err(Refusal::BadPath);
    }
    let rank = |route: &&Route| (!route.path.is_prefix(), route.path.narrowness());
    let may_take = routes.iter().filter(|route| route.path.may_match(path));
    let narrowest = may_take.max_by_key(rank);
    let takes = |route: &&Route| route.path.matches(path.raw());
    match narrowest {
        None => Ok(None),
        Some(route) if takes(&route) => Ok(Some(route)),
        Some(_) if !path.has_escapes() && !routes.iter().any(|route| takes(&route)) => Ok(None),
        Some(_) => Err(Refusal::BadPath),
    }
}

/// Refuses two routes of one path, or of two paths that some server reads as one.
///
/// # Errors
/// An error that names the second.
pub fn refuse_duplicates(routes: &[Route]) -> Result<(), FieldError> {
    for (index, route) in routes.iter().enumerate() {
        let mut before = routes.iter().take(index);
        if before.any(|other| other.path.is_duplicate_of(&route.path)) {
            return Err(FieldError::new(
                format!("ROUTES[{index}].path"),
                "is twice in ROUTES; a path has one route, even if only case or encoding differ",
            ));
        }
    }
    Ok(())
}

fn pattern(fields: &mut Fields) -> Result<Pattern, FieldError> {
    let text = fields.required("path")?;
    let pattern = Pattern::parse(&text).ok_or_else(|| fields.error("path", PATTERN_HINT))?;
    if pattern.may_begin_with(GATE_PREFIX) {
        return Err(fields.error(
            "path",
            "is under /_gate/, which is for the gate's own paths; choose another path",
        ));
    }
    Ok(pattern)
}

/// Parses the methods of a route: all when the list is empty or absent.
fn methods(fields: &mut Fields) -> Result<Methods, FieldError> {
    let read = |text: &str| METHODS.into_iter().find(|method| *method == text);
    let listed = fields.list_or_empty("methods", METHODS_HINT, read)?.unwrap_or_default();
    Ok(if listed.is_empty() { Methods::ALL } else { Methods::of(listed) })
}

/// Returns the name of a decoded parameter as servers read it: without spaces before it, cut at a NUL or at the `[` that begins an
/// index in PHP and Rails (`name[]`), and out of the brackets around it, as qs, the parser of Express, reads `[name]`.
fn parameter_name(parameter: &[u8]) -> &[u8] {
    let begin = parameter.iter().position(|byte| !matches!(byte, b' ' | b'+'));
    let name = parameter.get(begin.unwrap_or_default()..).unwrap_or_default();
    let name = name.strip_prefix(b"[").filter(|inner| inner.contains(&b']')).unwrap_or(name);
    let end = |(index, byte): (usize, &u8)| match byte {
        b'=' | 0 => true,
        b'[' | b']' => index > 0,
        _ => false,
    };
    let end = name.iter().enumerate().position(end).unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

/// Returns true if some server reads the two names as one, because PHP reads every `.`, space and `[` as
/// `_`.
fn is_same_parameter(denied: &[u8], name: &[u8]) -> bool {
    let folded = |byte: &u8| match byte.is_ascii_alphanumeric() {
        true => byte.to_ascii_lowercase(),
        false => b'_',
    };
    denied.iter().map(folded).eq(name.iter().map(folded))
}

/// Parses `pass_headers`. Only settings of Cloudflare's AI Gateway may be listed: no caller may send the upstream any
/// other header that the gate removes.
fn pass_headers(fields: &mut Fields) -> Result<Vec<String>, FieldError> {
    let hint =
        "expected headers of the AI Gateway such as [\"cf-aig-cache-ttl\"], without its credential";
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let read = |name: &str| {
        let name = name.to_ascii_lowercase();
        let rest = name.strip_prefix("cf-aig-").unwrap_or_default();
        let may_pass =
            !rest.is_empty() && rest.bytes().all(plain) && !rest.starts_with("authorization");
        may_pass.then_some(name)
    };
    Ok(fields.list_or_empty("pass_headers", hint, read)?.unwrap_or_default())
}

fn deny_query(fields: &mut Fields) -> Result<Vec<String>, FieldError> {
    let hint = "expected names of query parameters such as [\"_method\"], of A-Z a-z 0-9 . _ -";
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let read = |name: &str| (!name.is_empty() && name.bytes().all(plain)).then(|| name.to_owned());
    Ok(fields.list_or_empty("deny_query", hint, read)?.unwrap_or_default())
}

fn reject_status(fields: &mut Fields) -> Result<Vec<u16>, FieldError> {
    let Some(value) = fields.value("reject_status")? else {
        return Ok(vec![401]);
    };
    let statuses = value.as_array().and_then(|list| {
        list.iter()
            .map(|status| u16::try_from(status.as_u64()?).ok().filter(|s| (400..600).contains(s)))
            .collect()
    });
    statuses.ok_or_else(|| {
        fields.error(
            "reject_status",
            "expected a list of statuses from 400 to 599, such as [401, 403]",
        )
    })
}

fn probe(fields: &mut Fields) -> Result<Option<String>, FieldError> {
    let hint = "expected a path below the upstream, such as \"/me\"";
    let is_exact = |path: &str| Pattern::parse(path).is_some_and(|pattern| !pattern.is_prefix());
    let read = |path: &str| is_exact(path).then(|| path.to_owned());
    fields.parse("probe", hint, read)
}

fn waf_key(fields: &mut Fields) -> Result<Option<KeyId>, FieldError> {
    let hint = "expected the id of a key: 1 to 128 of A-Z a-z 0-9 . _ -";
    fields.parse("waf_key", hint, KeyId::parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn route(path: &str) -> Route {
        Route::parse("ROUTES[0]", json!({"path": path, "upstream": "https://a.example", "encoded_slash": path.contains("%2")}))
            .unwrap()
    }

    #[test]
    fn an_exact_path_wins_then_the_longest() {
        let routes = ["/*", "/cms/*", "/cms/posts/*", "/cms/posts/new"].map(route);
        let found = |path| {
            let found = find(&routes, &path::check(path).unwrap()).unwrap();
            found.map(|route| route.path.to_string())
        };
        assert_eq!(found("/cms/posts/new").as_deref(), Some("/cms/posts/new"));
        assert_eq!(found("/cms/posts/1").as_deref(), Some("/cms/posts/*"));
        assert_eq!(found("/cms/x").as_deref(), Some("/cms/*"));
        assert_eq!(found("/cms").as_deref(), Some("/*"));
        let other = path::check("/other").unwrap();
        assert!(find(&routes[1..], &other).unwrap().is_none());
        let reversed = ["/cms/posts/new", "/cms/posts/*", "/cms/*", "/*"].map(route);
        let posts = path::check("/cms/posts/1").unwrap();
        let found = find(&reversed, &posts).unwrap().map(|route| route.path.to_string());
        assert_eq!(found.as_deref(), Some("/cms/posts/*"), "in any order");
    }

    #[test]
    fn a_narrower_route_is_not_passed_by() {
        let routes = ["/cms/*", "/cms/users/*", "/cms/me"].map(route);
        let found = |path| find(&routes, &path::check(path).unwrap());
        for path in [
            "/cms/%75sers/7", "/cms/users;x=1/7", "/cms/users%3Bx/7", "/cms/%75sers;x/7",
            "/cms/Users/7", "/cms/users./7", "/cms/users%20/7", "/cms%2Fusers/7", "/cms/;/users/7",
            "/cms/m%65", "/cms/me;x", "/cms/ME", // Raw, no route takes these.
            "/%63ms/7", "/cms;x/7", "/%5Fgate/keys", "/_gate;x/keys", "/_GATE/keys",
            "/_gate%2Fkeys",
        ] {
            assert!(matches!(found(path), Err(Refusal::BadPath)), "{path}: {:?}", found(path));
        }
        for (path, route) in [
            ("/cms/%7Eusers/7", Some("/cms/*")),
            ("/cms/users/%7E7;x", Some("/cms/users/*")),
            ("/cms/user%73x/7", Some("/cms/*")),
            ("/cms/users", Some("/cms/*")),
            ("/cms/me/", Some("/cms/*")),
            ("/cms/%2575sers/7", Some("/cms/*")),
            ("/cms/a.b/c.d", Some("/cms/*")),
            ("/CMS/7", None),
            ("/%7Ecms/7", None),
        ] {
            let found = found(path).unwrap().map(|route| route.path.to_string());
            assert_eq!(found.as_deref(), route, "{path}");
        }
    }

    #[test]
    fn routes_that_some_server_takes_for_one_are_twins() {
        for (first, second) in [
            ("/cms/*", "/cms/*"),
            ("/cms/*", "/CMS/*"),
            ("/a%2Fb/*", "/a/b/*"),
            ("/a%2Fb", "/a%2fb"),
            ("/a", "/a%20"),
        ] {
            let error = refuse_duplicates(&[route(first), route(second)]).unwrap_err();
            assert_eq!(error.field, "ROUTES[1].path", "{first} {second}");
        }
        refuse_duplicates(&[route("/cms/*"), route("/cms"), route("/cms/")]).unwrap();
    }

    #[test]
    fn a_listed_header_is_a_setting_of_the_ai_gateway() {
        let parse = |name: &str| {
            let value =
                json!({"path": "/*", "upstream": "https://a.example", "pass_headers": [name]});
            Route::parse("ROUTES[0]", value)
        };
        for name in ["cf-aig-metadata", "CF-AIG-Custom-Cost", "cf-aig-cache-ttl"] {
            let route = parse(name).unwrap();
            assert_eq!(route.pass_headers, [name.to_ascii_lowercase()]);
        }
    }

    #[test]
    fn a_denied_parameter_is_found_in_every_spelling() {
        let value =
            json!({"path": "/*", "upstream": "https://a.example", "deny_query": ["_method"]});
        let route = Route::parse("ROUTES[0]", value).unwrap();
        let denies = |query: &str| route.denies_query(query);
        for query in [
            "?_method=DELETE", "?_method", "?a=1&_method=DELETE", "?a=1;_method=DELETE",
            "?%5Fmethod=DELETE", "?%5fmetho%64=DELETE", "?_METHOD=DELETE", "?_method[]=DELETE",
            "?_method%5B0%5D=DELETE", "?+_method=DELETE", "?%20_method=DELETE", "?.method=DELETE",
            "?%5Bmethod=DELETE", "?_method%00x=DELETE", "?[_method]=DELETE",
            "?%5B_method%5D%5B%5D=DELETE", "??_method=DELETE", "?a=1%26_method=DELETE",
            "?a%3B_method%3DDELETE", "/x%3F_method=DELETE", "/x;_method=DELETE?a=1",
        ] {
            assert!(denies(query), "{query}");
        }
        for query in [
            "", "?", "?method=DELETE", "?a=_method", "?_methods=1", "?x_method=1", "?a[_method]=1",
            "?%255Fmethod=1", "/method?a=1", "/_method", "?a=1%2526_method=1", "?[a][_method]=1",
        ] {
            assert!(!denies(query), "{query}");
        }
    }

    #[test]
    fn get_implies_head_and_allow_says_so() {
        let value = json!({"path": "/*", "upstream": "https://a.example", "methods": ["GET"]});
        let route = Route::parse("ROUTES[0]", value).unwrap();
        assert!(route.takes("HEAD") && !route.takes("POST"));
        assert_eq!(route.allow(), "GET, HEAD");
    }
}
