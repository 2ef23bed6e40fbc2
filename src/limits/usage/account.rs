//! Whom a request is charged to.

use std::rc::Rc;

use crate::base::day::Day;
use crate::keys::{Key, KeyId, Quota};

use super::{Amounts, Kind, Usage};

/// The key that a request is charged to, from when that is known to the request's end.
#[derive(Clone, Debug)]
pub struct Account<'g> {
    usage: &'g Usage,
    key: KeyId,
    quota: Option<Quota>,
    day: Day,
    in_flight: Option<Rc<InFlightGuard<'g>>>,
}

impl<'g> Account<'g> {
    /// The account of a request that arrived on `day`.
    #[must_use]
    pub fn new(usage: &'g Usage, key: &Key, day: Day) -> Self {
        Self { usage, key: key.id.clone(), quota: key.quota, day, in_flight: None }
    }

    /// Whether its key may have only so many bytes.
    #[must_use]
    pub const fn limits_bytes(&self) -> bool {
        match &self.quota {
            Some(quota) => quota.limits_bytes(),
            None => false,
        }
    }

    /// The request counts as one of its quota from now on.
    pub fn keep(&mut self, in_flight: InFlightGuard<'g>) {
        self.in_flight = Some(Rc::new(in_flight));
    }

    /// The request has ended: it is charged, and under way no more.
    pub fn charge(&mut self, kind: Kind, amounts: &Amounts) {
        let (usage, key) = (self.usage, &self.key);
        let per = self.quota.map(|quota| quota.per);
        usage.count(key, per, self.day, kind, amounts);
        self.in_flight = None;
    }
}

/// A request under way of a key with a quota: while it lasts, there is room for one fewer.
#[derive(Debug)]
pub struct InFlightGuard<'g> {
    usage: &'g Usage,
    key: KeyId,
}

impl<'g> InFlightGuard<'g> {
    /// From now until it is dropped.
    #[must_use]
    pub fn new(usage: &'g Usage, key: &KeyId) -> Self {
        usage.reserve(key);
        Self { usage, key: key.clone() }
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.usage.release(&self.key);
    }
}
