//! An exchange with the upstream, as JavaScript uses it: JavaScript reports what the upstream did, and
//! gets the next step.

use wasm_bindgen::prelude::*;

use crate::cache::CacheEntry;
use crate::gateway::exchange::{Exchange, Failure};

use super::flush::FlushBy;
use super::{clock, wire};

/// The core's exchange. JavaScript owns it, so that it is garbage-collected after its caller broke off.
#[wasm_bindgen]
pub struct JsExchange {
    exchange: Box<Exchange<'static>>,
    flush: FlushBy,
}

impl JsExchange {
    pub(super) const fn new(exchange: Box<Exchange<'static>>, flush: FlushBy) -> Self {
        Self { exchange, flush }
    }
}

#[wasm_bindgen]
impl JsExchange {
    /// Takes a response of the upstream: its status and headers, one line each for name and value.
    /// `sent` is the length of a request body that had none announced, once it is known.
    pub fn answered(
        &mut self,
        status: u16,
        headers: &str,
        sent: Option<f64>,
        now_ms: f64,
        random: f64,
    ) -> String {
        let headers = wire::headers(headers);
        let now = clock::at(now_ms);
        let sent = sent.map(clock::bytes);
        let step = self.exchange.answered(status, &headers, sent, now, random);
        self.flush.if_due(now);
        wire::step(&step)
    }

    /// Takes a cache entry, whose route or URL was last purged at `purged_ms`, or never (0). Returns an
    /// empty text if the entry must not be served.
    pub fn cached(&mut self, status: u16, headers: &str, purged_ms: f64, now_ms: f64) -> String {
        let headers = wire::headers(headers);
        let entry = CacheEntry {
            headers: &headers,
            purged: (purged_ms > 0.0).then(|| clock::at(purged_ms)),
        };
        let now = clock::at(now_ms);
        let Some(step) = self.exchange.cached(status, entry, now) else {
            return String::new();
        };
        self.flush.if_due(now);
        wire::step(&step)
    }

    /// Takes the failure of an attempt: `timeout`, `too large`, `gone`, or anything else.
    pub fn failed(&mut self, reason: &str, sent: Option<f64>, now_ms: f64, random: f64) -> String {
        let failure = match reason {
            "timeout" => Failure::Timeout,
            "too large" => Failure::BodyTooLarge,
            "gone" => Failure::CallerGone,
            _ => Failure::Unreachable,
        };
        let now = clock::at(now_ms);
        let sent = sent.map(clock::bytes);
        let step = self.exchange.failed(failure, sent, now, random);
        self.flush.if_due(now);
        wire::step(&step)
    }

    /// Ends the exchange because the caller broke off between two attempts.
    pub fn gone(&mut self) -> String {
        let response = self.exchange.caller_gone();
        self.flush.if_due(clock::now());
        wire::response(&response)
    }

    /// Ends the exchange because the upstream refused its token; `body` is the beginning of the response
    /// body.
    pub fn rejected(&mut self, status: u16, body: &str) -> String {
        let response = self.exchange.rejected(status, body.as_bytes());
        self.flush.if_due(clock::now());
        wire::response(&response)
    }

    /// Charges bytes that have passed each way since the response's head, or since the last call.
    pub fn passed(&mut self, bytes_in: f64, bytes_out: f64) {
        let (bytes_in, bytes_out) = (clock::bytes(bytes_in), clock::bytes(bytes_out));
        self.exchange.passed(bytes_in, bytes_out);
        self.flush.if_due(clock::now());
    }
}
