//! A forwarding in progress, as JavaScript holds it: it reports what the upstream did and is told
//! what to do next.

use wasm_bindgen::prelude::*;

use crate::exchange::{Exchange, Failure};

use super::convert;

/// The core's exchange. JavaScript owns it, so that one whose caller went away is collected.
#[wasm_bindgen]
pub struct JsExchange {
    exchange: Box<Exchange<'static>>,
}

impl JsExchange {
    pub(super) const fn new(exchange: Box<Exchange<'static>>) -> Self {
        Self { exchange }
    }
}

#[wasm_bindgen]
impl JsExchange {
    /// The upstream answered with this status and these headers (a line each for name and value).
    pub fn answered(&mut self, status: u16, headers: &str, now_ms: f64, random: f64) -> String {
        let headers = match headers {
            "" => Vec::new(),
            some => convert::pairs(some.split('\n')),
        };
        let now = convert::at(now_ms);
        convert::step(&self.exchange.answered(status, &headers, now, random))
    }

    /// The attempt ended without an answer: `timeout`, `too large`, `gone`, or anything else.
    pub fn failed(&mut self, reason: &str, now_ms: f64, random: f64) -> String {
        let failure = match reason {
            "timeout" => Failure::Timeout,
            "too large" => Failure::BodyTooLarge,
            "gone" => Failure::CallerGone,
            _ => Failure::Unreachable,
        };
        let now = convert::at(now_ms);
        convert::step(&self.exchange.failed(failure, now, random))
    }

    /// The upstream refused the gate's own token; the beginning of what it said.
    pub fn rejected(&mut self, status: u16, body: &str) -> String {
        convert::answer(&self.exchange.rejected(status, body.as_bytes()))
    }
}
