//! Sending this isolate's usage to the ledgers of its keys, after the response and at most every 2 s.
//! `flush.js` does the waiting.

use wasm_bindgen::prelude::*;

use crate::keys::KeyId;
use crate::limits::usage::Usage;
use crate::limits::usage::flush::Flush;
use crate::problem::Alarm;

use super::{clock, glue, wire};

#[wasm_bindgen(module = "/src/edge/flush.js")]
extern "C" {
    /// Begins a flush that continues after the response.
    fn flush(usage: JsUsage, env: &JsValue, ctx: &JsValue);
}

/// The values that a request needs to begin a flush when it ends.
pub(super) struct FlushBy {
    pub(super) usage: &'static Usage,
    pub(super) env: JsValue,
    pub(super) ctx: JsValue,
}

impl FlushBy {
    pub(super) fn if_due(&self, now: crate::base::time::Timestamp) {
        if self.usage.begin_flush(now) {
            flush(JsUsage { flush: self.usage.flush() }, &self.env, &self.ctx);
        }
    }
}

/// The isolate's usage, as `flush.js` uses it.
#[wasm_bindgen]
pub struct JsUsage {
    flush: Flush<'static>,
}

#[wasm_bindgen]
impl JsUsage {
    /// Returns the batches to send: keys and batches in turn, one line each. After the last attempt, new
    /// usage is for the next flush.
    pub fn batches(&self, now_ms: f64, is_last: bool) -> String {
        wire::batches(&self.flush.batches(clock::at(now_ms), is_last))
    }

    /// Takes the answer of a key's ledger. Returns false if it is malformed.
    pub fn settle(&self, key: &str, answer: &str, now_ms: f64) -> bool {
        let id = KeyId::parse(key);
        let settle = |id| self.flush.usage().settle(&id, answer, clock::at(now_ms));
        id.is_some_and(|id| settle(id).is_ok())
    }

    /// Ends an attempt, in which `unanswered` batches had no answer. Returns true if it was the last one.
    #[wasm_bindgen(js_name = endAttempt)]
    pub fn end_attempt(&self, unanswered: usize) -> bool {
        let lost = self.flush.usage().take_lost();
        if unanswered > 0 || lost > 0 {
            let alarm = Alarm::UsageUnsent { batches: unanswered, lost };
            glue::error(&alarm.line(None));
        }
        self.flush.end_attempt()
    }
}
