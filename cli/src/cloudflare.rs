//! The Cloudflare API, as far as tokens are concerned.

use std::time::Duration;
use std::{env, fmt};

use serde_json::Value;
use writegate::{Secret, Upstream};

use crate::error::{Error, Result};
use crate::http;

const BASE: &str = "https://api.cloudflare.com/client/v4";
/// Another address of the API, for tests. wrangler knows it by the same name.
const BASE_VARIABLE: &str = "CLOUDFLARE_API_BASE_URL";
/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(30);

/// The API, called with a token.
pub(crate) struct Api {
    base: String,
    token: Secret,
    agent: ureq::Agent,
}

/// The reason why there is no result.
#[derive(Debug)]
pub(crate) struct ApiError {
    /// 0 without an answer.
    pub(crate) status: u16,
    /// Cloudflare's error code.
    pub(crate) code: Option<i64>,
    message: String,
}

impl Api {
    pub(crate) fn open(token: Secret) -> Result<Self> {
        let set = env::var(BASE_VARIABLE).ok().filter(|set| !set.is_empty());
        let base = set.unwrap_or_else(|| BASE.to_owned());
        // The rules are those of every address to which a token is sent.
        Upstream::parse(&base).map_err(|_wrong| {
            Error::usage(format!(
                "{BASE_VARIABLE}: expected an address such as {BASE} (http only on loopback)"
            ))
        })?;
        Ok(Self {
            agent: http::agent(&base, LIMIT)?,
            base: base.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// Returns the result of a GET of `path`, which begins with `/`.
    pub(crate) fn get(&self, path: &str) -> std::result::Result<Value, ApiError> {
        self.send("GET", path, None)
    }

    /// Returns the result of a call.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::result::Result<Value, ApiError> {
        let url = format!("{}{path}", self.base);
        let answer = http::ask(&self.agent, method, &url, &self.token, body);
        let (status, text) = answer.map_err(|error| ApiError {
            status: 0,
            code: None,
            message: http::why(&error),
        })?;
        let mut answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) && answer["success"] == true {
            return Ok(answer["result"].take());
        }
        let error = &answer["errors"][0];
        let message =
            error["message"].as_str().unwrap_or("the answer is not from the Cloudflare API");
        Err(ApiError {
            status,
            code: error["code"].as_i64(),
            message: message.chars().filter(|c| !c.is_control()).collect(),
        })
    }
}

impl ApiError {
    /// Returns true if the API says that the object does not exist. A 404 of a proxy, or for a path that the API does not
    /// have (codes 7000 and 7003), does not say that.
    pub(crate) fn is_missing(&self) -> bool {
        self.status == 404 && self.code.is_some_and(|code| ![7000, 7003].contains(&code))
    }

    /// Returns true if the call may have had its effect although it failed: the answer is not from the API, or is a 5xx.
    pub(crate) const fn is_uncertain(&self) -> bool {
        self.code.is_none() || self.status >= 500
    }

    /// Returns an explanation of an error whose own message explains nothing.
    const fn hint(&self) -> Option<&'static str> {
        match self.code {
            Some(1000 | 1001 | 6003 | 6111) => Some("this is not a token, or not a complete one"),
            Some(9109) => Some("the token may not do this, or not from this address"),
            Some(10000) => Some("the token is wrong, revoked or expired, or may not do this"),
            _ => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.status == 0 {
            return write!(f, "the Cloudflare API did not answer: {}", self.message);
        }
        write!(f, "the Cloudflare API said {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, " (code {code})")?;
        }
        write!(f, ": {}", self.message)?;
        self.hint().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}
