//! A forwarding in progress, as JavaScript holds it: it reports what the upstream did and is told
//! what to do next.

use wasm_bindgen::prelude::*;

use crate::cache::CacheEntry;
use crate::gateway::exchange::{Exchange, Failure};

use super::flush::FlushBy;
use super::{clock, wire};

/// The core's exchange. JavaScript owns it, so that one whose caller went away is collected.
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
    /// The upstream answered with this status and these headers (a line each for name and value).
    /// `sent` is the length of a body that had none announced, once that is known.
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

    /// The store has an answer; its route or URL was last purged at `purged_ms`, or never. Nothing if that
    /// answer may not be passed on.
    pub fn found(&mut self, status: u16, headers: &str, purged_ms: f64, now_ms: f64) -> String {
        let headers = wire::headers(headers);
        let found = CacheEntry {
            headers: &headers,
            purged: (purged_ms > 0.0).then(|| clock::at(purged_ms)),
        };
        let now = clock::at(now_ms);
        let Some(step) = self.exchange.found(status, found, now) else {
            return String::new();
        };
        self.flush.if_due(now);
        wire::step(&step)
    }

    /// The attempt ended without an answer: `timeout`, `too large`, `gone`, or anything else.
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

    /// The caller left between two attempts.
    pub fn left(&mut self) -> String {
        let answer = self.exchange.left();
        self.flush.if_due(clock::now());
        wire::response(&answer)
    }

    /// The upstream refused the gate's own token; the beginning of what it said.
    pub fn rejected(&mut self, status: u16, body: &str) -> String {
        let answer = self.exchange.rejected(status, body.as_bytes());
        self.flush.if_due(clock::now());
        wire::response(&answer)
    }

    /// Since the answer's head, or since the last call, so many bytes more have passed each way.
    pub fn passed(&mut self, bytes_in: f64, bytes_out: f64) {
        let (bytes_in, bytes_out) = (clock::bytes(bytes_in), clock::bytes(bytes_out));
        self.exchange.passed(bytes_in, bytes_out);
        self.flush.if_due(clock::now());
    }
}
