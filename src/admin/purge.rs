//! `POST /_gate/purge`: the cache entries of a route or URL are not served any more
//! (docs/wire-contract.md, "Cached reads").
//!
//! Entries are stored separately by key, language and so on, and cannot be listed. So a purge stores a
//! timestamp, and entries that were requested before it are no longer served.

use serde_json::Value;

use super::LocalResponse;
use crate::base::json::{FieldError, Fields};
use crate::base::request::Head;
use crate::cache;
use crate::credential::url::{CredentialParams, UrlCredential};
use crate::platform::{AdminBackend, Platform, Unavailable};
use crate::policy::path;
use crate::problem::Rejection;
use crate::upstream::route::{self, Route};
use crate::upstream::target::target;

use super::handler::{AdminHandler, bad_field};

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    /// Purges the route or URL that the body names.
    pub(super) async fn purge(&self) -> Result<LocalResponse, Rejection> {
        let body = self.json()?;
        let marker = self.marker(body).map_err(|error| bad_field(&error, None))?;
        let purged = self.platform.purge(&marker).await;
        purged.map_err(|Unavailable| self.unavailable("the Cache API"))?;
        Ok(LocalResponse::text(200, r#"{"purged":true}"#.to_owned()))
    }

    fn marker(&self, body: Value) -> Result<String, FieldError> {
        if !body.is_object() {
            let hint = "expected {\"route\":\"/cms/*\"} or {\"url\":\"…\"}";
            return Err(FieldError::new("body", hint));
        }
        let mut fields = Fields::new("", body)?;
        let (route, url) = (fields.string("route")?, fields.string("url")?);
        fields.finish()?;
        match (route, url) {
            (Some(route), None) => self.route_marker(&route),
            (None, Some(url)) => self.url_marker(&url),
            (Some(_), Some(_)) => {
                Err(FieldError::new("url", "is set, and so is route; name only one of the two"))
            }
            (None, None) => Err(FieldError::new("route", "is required, unless url is set")),
        }
    }

    fn route_marker(&self, path: &str) -> Result<String, FieldError> {
        let mut routes = self.config.routes.iter();
        let route = routes.find(|route| route.path.to_string() == path && route.cache.is_some());
        let hint = "is not the path of a route with a cache; expected it as it is configured";
        let route = route.ok_or_else(|| FieldError::new("route", hint))?;
        Ok(cache::route_marker(&route.path.to_string()))
    }

    fn url_marker(&self, url: &str) -> Result<String, FieldError> {
        let error = |hint: &str| FieldError::new("url", hint);
        let absolute = match url.starts_with('/') {
            true => format!("{}://{}{url}", self.head.scheme(), self.head.authority()),
            false => url.to_owned(),
        };
        let head = Head::new("GET", &absolute, Vec::new(), false).ok();
        let hint = "expected a URL of this gate, or its path and query, as a caller sends it";
        let head = head.ok_or_else(|| error(hint))?;
        let path = path::check(head.path()).map_err(|_refusal| error(hint))?;
        let route = route::find(&self.config.routes, &path).map_err(|_refusal| error(hint))?;
        let route = route.filter(|route| route.cache.is_some());
        let route = route.ok_or_else(|| error("is not on a route with a cache"))?;
        let target = target(&head, route, params(&head, route));
        let target = target.ok_or_else(|| error(hint))?;
        Ok(cache::url_marker(&route.path.to_string(), &target))
    }
}

/// Returns the query parameters that are the credential of a signed URL, because they never reached the
/// upstream.
fn params(head: &Head<'_>, route: &Route) -> CredentialParams {
    match UrlCredential::read(head, route.waf_key.as_ref()) {
        Ok(UrlCredential::Key(_)) => CredentialParams::Key,
        Ok(UrlCredential::Signed(_)) => CredentialParams::Signed,
        Ok(UrlCredential::Waf(_)) => CredentialParams::Waf,
        Ok(UrlCredential::Nothing) | Err(_) => CredentialParams::Nothing,
    }
}
