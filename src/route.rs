//! Routes (contract section 1): which upstream a path goes to, and how it is called.

use std::rc::Rc;

use serde_json::Value;

use crate::cache::Policy;
use crate::json::{FieldError, Fields};
use crate::key::{KeyId, METHODS_MEND};
use crate::policy::path::{Checked, PATTERN_MEND, Pattern};
use crate::problem::Refusal;
use crate::request::{METHODS, method_in};
use crate::upstream::{Credential, Upstream, UpstreamAuth};

/// Where the gate's own paths begin; no route may take them.
pub const OWN_PREFIX: &str = "/_gate/";

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The paths it takes.
    pub path: Pattern,
    /// Where they go.
    pub upstream: Upstream,
    /// How the gate proves itself there.
    pub auth: UpstreamAuth,
    /// The credential to send, where its token is a Workers Secret that is set.
    pub credential: Option<Rc<Credential>>,
    /// The methods it takes; never empty.
    pub methods: Vec<String>,
    /// Milliseconds until response headers, all attempts together.
    pub timeout_ms: u32,
    /// How often a request that may be sent twice is tried again.
    pub retries: u32,
    /// The upstream honours `Idempotency-Key`.
    pub idempotency_key: bool,
    /// Longest body in bytes.
    pub max_body_bytes: u64,
    /// A signature need not cover the body.
    pub unsigned_body: bool,
    /// The key of WAF-token URLs that name none.
    pub waf_key: Option<KeyId>,
    /// Paths may hold `%2F` and `%5C`.
    pub encoded_slash: bool,
    /// The upstream is told who called.
    pub identify_caller: bool,
    /// What the upstream answers when it refuses the gate's own token.
    pub reject_status: Vec<u16>,
    /// A path whose GET tells whether the token works.
    pub probe: Option<String>,
    /// How long answers to reads are kept, and for whom; `None`: not at all.
    pub cache: Option<Policy>,
}

/// Longest wait for response headers that may be configured, in milliseconds.
const MAX_TIMEOUT_MS: u64 = 600_000;
/// Longest body that may be configured: 5 GB, the most any Workers plan lets in is 500 MB.
const MAX_BODY_BYTES: u64 = 5_000_000_000;

impl Route {
    /// The route `/*` that `UPSTREAM` is short for.
    ///
    /// # Errors
    /// When the URL is none; the text is the mend.
    pub fn whole(upstream: &str) -> Result<Self, String> {
        Upstream::parse(upstream)?;
        let value = serde_json::json!({"path": "/*", "upstream": upstream});
        Self::parse("UPSTREAM", value).map_err(|error| error.mend)
    }

    /// Reads a route that stands at `path` of the configuration.
    ///
    /// # Errors
    /// For every field that is unknown, null, or of another type or form.
    pub fn parse(path: &str, value: Value) -> Result<Self, FieldError> {
        let mut fields = Fields::new(path, value)?;
        let pattern = pattern(&mut fields)?;
        let upstream = fields.required("upstream")?;
        let upstream = Upstream::parse(&upstream)
            .map_err(|mend| FieldError::new(fields.at("upstream"), mend))?;
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
            reject_status: reject_status(&mut fields)?,
            probe: probe(&mut fields)?,
            cache: fields
                .value("cache")?
                .map(|cache| Policy::parse(fields.at("cache"), cache))
                .transpose()?,
        };
        fields.finish()?;
        Ok(route)
    }

    /// Whether the route takes `method`; GET implies HEAD.
    #[must_use]
    pub fn takes(&self, method: &str) -> bool {
        method_in(&self.methods, method)
    }

    /// The value of `Allow` (RFC 9110 section 10.2.1).
    #[must_use]
    pub fn allow(&self) -> String {
        let mut methods = self.methods.clone();
        if self.takes("HEAD") && !methods.iter().any(|method| method == "HEAD") {
            methods.push("HEAD".to_owned());
        }
        methods.join(", ")
    }
}

/// Finds the route for `path`: an exact one wins, then the longest. It is found twice, for the path as
/// it was sent and as some server may read it, so that a narrower route is never passed by.
///
/// # Errors
/// `bad-path` when the two lead to different routes, or one of them to the gate's own paths.
pub fn find<'r>(routes: &'r [Route], path: &Checked<'_>) -> Result<Option<&'r Route>, Refusal> {
    let is_own = path.raw().starts_with(OWN_PREFIX);
    if !is_own && path.may_begin_with(OWN_PREFIX) {
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

/// Refuses two routes of one path, or of two that some server takes for one.
///
/// # Errors
/// Naming the second.
pub fn refuse_twins(routes: &[Route]) -> Result<(), FieldError> {
    for (index, route) in routes.iter().enumerate() {
        let mut before = routes.iter().take(index);
        if before.any(|other| other.path.is_twin(&route.path)) {
            return Err(FieldError::new(
                format!("ROUTES[{index}].path"),
                "stands twice in ROUTES; one path has one route, also where only case or encoding differ",
            ));
        }
    }
    Ok(())
}

fn pattern(fields: &mut Fields) -> Result<Pattern, FieldError> {
    let text = fields.required("path")?;
    let pattern =
        Pattern::parse(&text).ok_or_else(|| FieldError::new(fields.at("path"), PATTERN_MEND))?;
    if pattern.may_begin_with(OWN_PREFIX) {
        return Err(FieldError::new(
            fields.at("path"),
            "lies under /_gate/, which is the gate's own; choose another",
        ));
    }
    Ok(pattern)
}

/// The methods listed, every one of [`METHODS`] when the list is empty or absent.
fn methods(fields: &mut Fields) -> Result<Vec<String>, FieldError> {
    let listed = fields.strings_or_empty("methods")?.unwrap_or_default();
    if listed.is_empty() {
        return Ok(METHODS.iter().map(ToString::to_string).collect());
    }
    if listed
        .iter()
        .all(|method| METHODS.contains(&method.as_str()))
    {
        return Ok(listed);
    }
    Err(FieldError::new(fields.at("methods"), METHODS_MEND))
}

fn reject_status(fields: &mut Fields) -> Result<Vec<u16>, FieldError> {
    let Some(value) = fields.value("reject_status")? else {
        return Ok(vec![401]);
    };
    let statuses = value.as_array().and_then(|list| {
        list.iter()
            .map(|status| {
                u16::try_from(status.as_u64()?)
                    .ok()
                    .filter(|s| (400..600).contains(s))
            })
            .collect()
    });
    statuses.ok_or_else(|| {
        FieldError::new(
            fields.at("reject_status"),
            "expected a list of statuses from 400 to 599, such as [401, 403]",
        )
    })
}

fn probe(fields: &mut Fields) -> Result<Option<String>, FieldError> {
    let Some(path) = fields.string("probe")? else {
        return Ok(None);
    };
    let plain = Pattern::parse(&path).is_some_and(|pattern| !pattern.is_prefix());
    if !plain {
        return Err(FieldError::new(
            fields.at("probe"),
            "expected a path below the upstream, such as \"/me\"",
        ));
    }
    Ok(Some(path))
}

fn waf_key(fields: &mut Fields) -> Result<Option<KeyId>, FieldError> {
    let Some(id) = fields.string("waf_key")? else {
        return Ok(None);
    };
    let mend = "expected the id of a key: 1 to 128 of A-Z a-z 0-9 . _ -";
    KeyId::parse(&id)
        .map(Some)
        .ok_or_else(|| FieldError::new(fields.at("waf_key"), mend))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::path;
    use serde_json::json;

    fn route(path: &str) -> Route {
        Route::parse(
            "ROUTES[0]",
            json!({"path": path, "upstream": "https://a.example"}),
        )
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
    }

    #[test]
    fn a_narrower_route_is_not_passed_by() {
        let routes = ["/cms/*", "/cms/users/*", "/cms/me"].map(route);
        let found = |path| find(&routes, &path::check(path).unwrap());
        for path in [
            "/cms/%75sers/7",
            "/cms/users;x=1/7",
            "/cms/users%3Bx/7",
            "/cms/%75sers;x/7",
            "/cms/Users/7",
            "/cms/users./7",
            "/cms/users%20/7",
            "/cms%2Fusers/7",
            "/cms/;/users/7",
            "/cms/m%65",
            "/cms/me;x",
            "/cms/ME",
            // Raw, no route takes these.
            "/%63ms/7",
            "/cms;x/7",
            "/%5Fgate/keys",
            "/_gate;x/keys",
            "/_GATE/keys",
            "/_gate%2Fkeys",
        ] {
            assert!(
                matches!(found(path), Err(Refusal::BadPath)),
                "{path}: {:?}",
                found(path)
            );
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
            let error = refuse_twins(&[route(first), route(second)]).unwrap_err();
            assert_eq!(error.field, "ROUTES[1].path", "{first} {second}");
        }
        refuse_twins(&[route("/cms/*"), route("/cms"), route("/cms/")]).unwrap();
    }

    #[test]
    fn get_implies_head_and_allow_says_so() {
        let value = json!({"path": "/*", "upstream": "https://a.example", "methods": ["GET"]});
        let route = Route::parse("ROUTES[0]", value).unwrap();
        assert!(route.takes("HEAD") && !route.takes("POST"));
        assert_eq!(route.allow(), "GET, HEAD");
    }

    #[test]
    fn what_an_operator_writes_wrongly_is_named() {
        for (change, field) in [
            (json!({"methds": ["GET"]}), "ROUTES[0].methds"),
            (json!({"methods": ["FETCH"]}), "ROUTES[0].methods"),
            (json!({"path": "/_gate/x"}), "ROUTES[0].path"),
            (json!({"path": "/_GATE/*"}), "ROUTES[0].path"),
            (json!({"path": "cms"}), "ROUTES[0].path"),
            (json!({"path": "/cms;x/*"}), "ROUTES[0].path"),
            (json!({"path": "/%63ms/*"}), "ROUTES[0].path"),
            (
                json!({"upstream": "http://a.example"}),
                "ROUTES[0].upstream",
            ),
            (json!({"timeout_ms": 0}), "ROUTES[0].timeout_ms"),
            (json!({"retries": -1}), "ROUTES[0].retries"),
            (json!({"reject_status": ["401"]}), "ROUTES[0].reject_status"),
            (json!({"probe": "me"}), "ROUTES[0].probe"),
            (json!({"encoded_slash": null}), "ROUTES[0].encoded_slash"),
            (
                json!({"upstream_auth": {"scheme": "digest"}}),
                "ROUTES[0].upstream_auth.scheme",
            ),
        ] {
            let mut value = json!({"path": "/*", "upstream": "https://a.example"});
            for (name, changed) in change.as_object().unwrap() {
                value[name] = changed.clone();
            }
            let error = Route::parse("ROUTES[0]", value).unwrap_err();
            assert_eq!(error.field, field);
        }
    }
}
