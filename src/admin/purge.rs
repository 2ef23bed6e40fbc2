//! `POST /_gate/purge`: kept answers of a route, or of a URL, are not served any more (contract section 8).
//!
//! Answers are kept for each key, language and so on apart, and nobody can list them. So the moment is
//! marked instead, and an answer that was asked for before it counts as gone.

use serde_json::Value;

use crate::base::json::{FieldError, Fields};
use crate::base::request::Head;
use crate::cache;
use crate::credential::url::{InQuery, Spent};
use crate::gateway::forward;
use crate::gateway::response::{Own, Stop};
use crate::platform::{Office, Platform};
use crate::policy::path;
use crate::upstream::route::{self, Route};

use super::desk::{Desk, bad_field};

impl<P: Platform + Office> Desk<'_, P> {
    /// Purges what the body names.
    pub(super) async fn purge(&self) -> Result<Own, Stop> {
        let asked = self.json()?;
        let mark = self.mark(asked).map_err(|error| bad_field(&error, None))?;
        let purged = self.platform.purge(&mark).await;
        purged.map_err(self.silent("the Cache API"))?;
        Ok(Own::json(200, &serde_json::json!({"purged": true})))
    }

    fn mark(&self, asked: Value) -> Result<String, FieldError> {
        if !asked.is_object() {
            let mend = "expected {\"route\":\"/cms/*\"} or {\"url\":\"…\"}";
            return Err(FieldError::new("body", mend));
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
        let mend = "is no route with a cache; expected its path as it is configured";
        let route = route.ok_or_else(|| FieldError::new("route", mend))?;
        Ok(cache::route_mark(&route.path.to_string()))
    }

    fn mark_of_url(&self, url: &str) -> Result<String, FieldError> {
        let error = |mend: &str| FieldError::new("url", mend);
        let absolute = match url.starts_with('/') {
            true => format!("{}://{}{url}", self.head.scheme(), self.head.authority()),
            false => url.to_owned(),
        };
        let head = Head::new("GET", &absolute, Vec::new(), false).ok();
        let mend = "expected a URL of this gate, or one from its path on, as a caller sends it";
        let head = head.ok_or_else(|| error(mend))?;
        let path = path::check(head.path()).map_err(|_refusal| error(mend))?;
        let route = route::find(&self.config.routes, &path).map_err(|_refusal| error(mend))?;
        let route = route.filter(|route| route.cache.is_some());
        let route = route.ok_or_else(|| error("is on no route with a cache"))?;
        let target = forward::target(&head, route, spent(&head, route));
        let target = target.ok_or_else(|| error(mend))?;
        Ok(cache::url_mark(&route.path.to_string(), &target))
    }
}

/// What of a link is its credential: it never reached the upstream.
fn spent(head: &Head<'_>, route: &Route) -> Spent {
    match InQuery::read(head, route.waf_key.as_ref()) {
        Ok(InQuery::Key(_)) => Spent::Key,
        Ok(InQuery::Signed(_)) => Spent::Signed,
        Ok(InQuery::Waf(_)) => Spent::Waf,
        Ok(InQuery::Nothing) | Err(_) => Spent::Nothing,
    }
}
