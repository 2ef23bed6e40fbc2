//! A bounded map that forgets what was used longest ago: what the isolate keeps of callers' keys must
//! not grow with them.

use std::collections::BTreeMap;

/// At most `capacity` values by name.
#[derive(Debug)]
pub struct Lru<V> {
    capacity: usize,
    clock: u64,
    entries: BTreeMap<String, (u64, V)>,
}

impl<V> Lru<V> {
    /// An empty one.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            clock: 0,
            entries: BTreeMap::new(),
        }
    }

    /// The value of this name, which is now the one used last.
    pub fn get(&mut self, name: &str) -> Option<&mut V> {
        let now = self.tick();
        let (used, value) = self.entries.get_mut(name)?;
        *used = now;
        Some(value)
    }

    /// Keeps a value under this name, in place of the one that was there or of the one used longest ago.
    pub fn put(&mut self, name: &str, value: V) {
        let now = self.tick();
        if self.entries.len() >= self.capacity && !self.entries.contains_key(name) {
            // Looking through all is slow, but whoever puts something in has waited for it far longer.
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(name.to_owned(), (now, value));
    }

    /// Forgets the value of this name.
    pub fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Counts uses; not a time.
    const fn tick(&mut self) -> u64 {
        self.clock = self.clock.wrapping_add(1);
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes() {
        let mut lru = Lru::new(2);
        lru.put("a", 1);
        lru.put("b", 2);
        assert_eq!(lru.get("a"), Some(&mut 1));
        lru.put("c", 3);
        assert_eq!(lru.get("b"), None);
        lru.put("a", 4);
        lru.put("d", 5);
        assert_eq!(lru.get("a"), Some(&mut 4));
        assert_eq!(lru.get("c"), None);
        lru.remove("a");
        assert_eq!(lru.len(), 1);
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let mut lru = Lru::new(3);
        for number in 0..1_000_u32 {
            lru.put(&(number % 7).to_string(), number);
            lru.get(&(number % 5).to_string());
            assert!(lru.len() <= 3);
        }
        let mut none = Lru::new(0);
        none.put("a", 1);
        assert!(none.len() <= 1);
    }
}
