//! Charging a request to its key.

use std::rc::Rc;

use crate::base::day::Day;
use crate::keys::{Key, KeyId, Quota};

use super::{Amounts, Kind, Usage};

/// The key that a request is charged to, from the verification of its credential to its end.
#[derive(Clone, Debug)]
pub struct Account<'g> {
    usage: &'g Usage,
    key: KeyId,
    quota: Option<Quota>,
    day: Day,
    in_flight: Option<Rc<InFlightGuard<'g>>>,
}

impl<'g> Account<'g> {
    /// Creates the account of a request that arrived on `day`.
    pub fn new(usage: &'g Usage, key: &Key, day: Day) -> Self {
        Self { usage, key: key.id.clone(), quota: key.quota, day, in_flight: None }
    }

    /// Returns true if the key's quota limits bytes.
    pub const fn limits_bytes(&self) -> bool {
        match &self.quota {
            Some(quota) => quota.limits_bytes(),
            None => false,
        }
    }

    /// Returns true if browsers may keep answers, and so read them without being counted.
    pub fn allows_browser_cache(&self) -> bool {
        self.quota.is_none_or(|quota| quota.browser_cache)
    }

    /// Keeps the reservation of the request until it ends. The request counts on `day`, because that is the day
    /// whose quota had room for it: its body may have arrived after midnight.
    pub fn admitted(&mut self, in_flight: Option<InFlightGuard<'g>>, day: Day) {
        self.in_flight = in_flight.map(Rc::new);
        self.day = day;
    }

    /// Charges the request, which has ended, perhaps with the code of a refusal or a fault, and releases
    /// its reservation.
    pub fn charge(&mut self, kind: Kind, code: Option<&'static str>, amounts: &Amounts) {
        let (usage, key) = (self.usage, &self.key);
        let per = self.quota.map(|quota| quota.per);
        usage.count(key, per, (self.day, kind, code), amounts);
        self.in_flight = None;
    }
}

/// A reserved request of a key with a quota. As long as it exists, the key may send one fewer.
#[derive(Debug)]
pub struct InFlightGuard<'g> {
    usage: &'g Usage,
    key: KeyId,
}

impl<'g> InFlightGuard<'g> {
    /// Reserves one request until this guard is dropped.
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
