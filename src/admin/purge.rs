//! `POST /_gate/purge`: kept answers of a route, or of a URL, are not served any more (contract section 8).
//!
//! Answers are kept for each key, language and so on apart, and nobody can list them. So the moment is
//! marked instead, and an answer that was asked for before it counts as gone.

use serde_json::Value;

use super::LocalResponse;
use crate::base::json::{FieldError, Fields};
use crate::base::request::Head;
use crate::cache;
use crate::credential::url::{CredentialParams, UrlCredential};
use crate::platform::{AdminBackend, Platform};
use crate::policy::path;
use crate::problem::Rejection;
use crate::upstream::route::{self, Route};
use crate::upstream::target::target;

use super::handler::{AdminHandler, bad_field};

impl<P: Platform + AdminBackend> AdminHandler<'_, P> {
    /// Purges what the body names.
    pub(super) async fn purge(&self) -> Result<LocalResponse, Rejection> {
        let asked = self.json()?;
        let mark = self.mark(asked).map_err(|error| bad_field(&error, None))?;
        let purged = self.platform.purge(&mark).await;
        purged.map_err(self.unavailable("the Cache API"))?;
        Ok(LocalResponse::json(200, &serde_json::json!({"purged": true})))
    }

    fn mark(&self, asked: Value) -> Result<String, FieldError> {
        if !asked.is_object() {
            let hint = "expected {\"route\":\"/cms/*\"} or {\"url\":\"…\"}";
            return Err(FieldError::new("body", hint));
        }
        let mut fields = Fields::new("", asked)?;
        let (route, url) = (fields.string("route")?, fields.string("url")?);
        fields.finish()?;
        match (route, url) {
            (Some(route), None) => self.mark_of_route(&route),
            (None, Some(url)) => self.mark_of_url(&url),
            (Some(_), Some(_)) => Err(FieldError::new("url", "stands beside route; name one")),
            (None, None) => Err(FieldError::new("route", "is required, or url")),
        }
    }

    fn mark_of_route(&self, wanted: &str) -> Result<String, FieldError> {
        let mut routes = self.config.routes.iter();
        let route = routes.find(|route| route.path.to_string() == wanted && route.cache.is_some());
        let hint = "is no route with a cache; expected its path as it is configured";
        let route = route.ok_or_else(|| FieldError::new("route", hint))?;
        Ok(cache::route_mark(&route.path.to_string()))
    }

    fn mark_of_url(&self, url: &str) -> Result<String, FieldError> {
        let error = |hint: &str| FieldError::new("url", hint);
        let absolute = match url.starts_with('/') {
            true => format!("{}://{}{url}", self.head.scheme(), self.head.authority()),
            false => url.to_owned(),
        };
        let head = Head::new("GET", &absolute, Vec::new(), false).ok();
        let hint = "expected a URL of this gate, or one from its path on, as a caller sends it";
        let head = head.ok_or_else(|| error(hint))?;
        let path = path::check(head.path()).map_err(|_refusal| error(hint))?;
        let route = route::find(&self.config.routes, &path).map_err(|_refusal| error(hint))?;
        let route = route.filter(|route| route.cache.is_some());
        let route = route.ok_or_else(|| error("is on no route with a cache"))?;
        let target = target(&head, route, spent(&head, route));
        let target = target.ok_or_else(|| error(hint))?;
        Ok(cache::url_mark(&route.path.to_string(), &target))
    }
}

/// What of a link is its credential: it never reached the upstream.
fn spent(head: &Head<'_>, route: &Route) -> CredentialParams {
    match UrlCredential::read(head, route.waf_key.as_ref()) {
        Ok(UrlCredential::Key(_)) => CredentialParams::Key,
        Ok(UrlCredential::Signed(_)) => CredentialParams::Signed,
        Ok(UrlCredential::Waf(_)) => CredentialParams::Waf,
        Ok(UrlCredential::Nothing) | Err(_) => CredentialParams::Nothing,
    }
}
