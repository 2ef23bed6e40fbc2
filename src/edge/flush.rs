//! Sending what this isolate has counted to the ledgers of its keys, after the answer and at most every
//! 2 s. The waiting is `flush.js`'s.

use wasm_bindgen::prelude::*;

use crate::keys::KeyId;
use crate::limits::usage::Usage;
use crate::problem::Alarm;

use super::{clock, glue, wire};

#[wasm_bindgen(module = "/src/edge/flush.js")]
extern "C" {
    /// Begins a flush that outlives the answer.
    fn flush(usage: JsUsage, env: &JsValue, ctx: &JsValue);
}

/// What a request that has ended takes to begin a flush.
pub(super) struct FlushBy {
    pub(super) usage: &'static Usage,
    pub(super) env: JsValue,
    pub(super) ctx: JsValue,
}

impl FlushBy {
    pub(super) fn if_due(&self, now: crate::base::time::Timestamp) {
        if self.usage.begin_flush(now) {
            flush(JsUsage { usage: self.usage }, &self.env, &self.ctx);
        }
    }
}

/// The isolate's usage, as `flush.js` holds it.
#[wasm_bindgen]
pub struct JsUsage {
    usage: &'static Usage,
}

#[wasm_bindgen]
impl JsUsage {
    /// What is to be sent: keys and batches in turn, a line each. After the last time, what is counted is
    /// for the next flush.
    pub fn batches(&self, now_ms: f64, is_last: bool) -> String {
        if is_last {
            self.usage.close_flush();
        }
        wire::batches(&self.usage.batches(clock::at(now_ms)))
    }

    /// A key's ledger answered; `false` if that was no answer.
    pub fn settle(&self, key: &str, answer: &str, now_ms: f64) -> bool {
        let id = KeyId::parse(key);
        let settle = |id| self.usage.settle(&id, answer, clock::at(now_ms));
        id.is_some_and(|id| settle(id).is_ok())
    }

    /// All batches were sent, of which so many had no answer: whether nothing is left to send.
    pub fn rest(&self, unanswered: usize) -> bool {
        let lost = self.usage.take_lost();
        if unanswered > 0 || lost > 0 {
            let alarm = Alarm::UsageUnsent { batches: unanswered, lost };
            glue::error(&alarm.line(None));
        }
        self.usage.end_flush()
    }
}
