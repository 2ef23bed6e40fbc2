//! Flushes: usage on its way to the ledgers, in several batches and attempts.

use core::cell::Cell;

use crate::base::time::Timestamp;

use super::Usage;
use super::counter::UsageCounter;

/// Longest duration of a flush, in seconds. After it the flush counts as dead, because the platform ends
/// background work of a request after 30 s.
pub(super) const FLUSH_SECONDS: i64 = 35;
/// Most batches of one attempt: on the Free plan, a request may call Durable Objects 1,000 times.
const MAX_BATCHES: usize = 500;
/// An attempt after which a flush has sent so many batches is its last, and the next request begins another: on the Free plan, a
/// request has 50 subrequests, from which Cloudflare has not always told calls of its own services.
const ENOUGH_BATCHES: usize = 40;

impl Usage {
    /// Returns true, and begins a flush, if there is something to send and no flush is under way.
    pub fn begin_flush(&self, now: Timestamp) -> bool {
        let is_over = |began: Timestamp| !began.is_recent(now, FLUSH_SECONDS);
        let is_due = self.is_unsent.get() && self.flushing.get().is_none_or(is_over);
        if is_due {
            self.flushing.set(Some(now));
        }
        is_due
    }

    /// Returns a flush that has sent nothing.
    pub const fn flush(&self) -> Flush<'_> {
        Flush { usage: self, batches: Cell::new(0) }
    }

    /// Ends the time in which the current flush takes usage: later usage is for the next one.
    pub fn close_flush(&self) {
        self.flushing.set(None);
    }

    /// Returns all batches to send. They begin behind those that were settled, so that where only some arrive, others do
    /// the next time.
    pub fn batches(&self, now: Timestamp) -> Vec<(String, String)> {
        let mut counters = self.counters.borrow_mut();
        counters.retain(|_, counter| !counter.is_idle(now));
        let unsent = counters.iter_mut().filter(|(_, counter)| counter.is_unsent());
        let mut unsent: Vec<_> = unsent.collect();
        let start = self.settled.get().checked_rem(unsent.len()).unwrap_or(0);
        let (before, after) = unsent.split_at_mut(start);
        let isolate = self.isolate.borrow();
        after
            .iter_mut()
            .chain(before)
            .take(MAX_BATCHES)
            .map(|(key, counter)| (key.to_string(), counter.batch(&isolate, &self.sequence, now)))
            .collect()
    }

    /// Ends the flush, which has sent its batches, if nothing is left to send. Returns true if so.
    pub fn end_flush(&self) -> bool {
        let is_unsent = self.counters.borrow().values().any(UsageCounter::is_unsent);
        self.is_unsent.set(is_unsent);
        if !is_unsent {
            self.flushing.set(None);
        }
        !is_unsent
    }
}

/// A flush: some attempts to send what is there.
#[derive(Debug)]
pub struct Flush<'u> {
    usage: &'u Usage,
    /// Number of batches so far.
    batches: Cell<usize>,
}

impl<'u> Flush<'u> {
    /// Returns the usage that it sends.
    pub const fn usage(&self) -> &'u Usage {
        self.usage
    }

    /// Returns the batches of an attempt. After the last one, new usage is for the next flush.
    pub fn batches(&self, now: Timestamp, is_last: bool) -> Vec<(String, String)> {
        let batches = self.usage.batches(now);
        self.batches.set(self.batches.get().saturating_add(batches.len()));
        if is_last || self.has_sent_enough() {
            self.usage.close_flush();
        }
        batches
    }

    /// Ends an attempt. Returns true if it was the last one.
    pub fn end_attempt(&self) -> bool {
        self.usage.end_flush() || self.has_sent_enough()
    }

    const fn has_sent_enough(&self) -> bool {
        self.batches.get() >= ENOUGH_BATCHES
    }
}
