//! A bounded map that forgets the entries that were used longest ago, so that the memory of an isolate
//! does not grow with the number of its callers' keys.

use crate::base::sorted_map::SortedMap;

/// A map from names to at most `capacity` values.
#[derive(Debug)]
pub struct Lru<V> {
    capacity: usize,
    clock: u64,
    entries: SortedMap<String, (u64, V)>,
}

impl<V> Lru<V> {
    /// Creates an empty map.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, clock: 0, entries: SortedMap::new() }
    }

    /// Returns the value of this name, and counts it as used just now.
    pub fn get(&mut self, name: &str) -> Option<&mut V> {
        let now = self.tick();
        let (used, value) = self.entries.get_mut(name)?;
        *used = now;
        Some(value)
    }

    /// Stores a value under this name, replacing the one that was there. If the map is full, it forgets
    /// those used longest ago.
    pub fn put(&mut self, name: &str, value: V) {
        let now = self.tick();
        if self.entries.len() >= self.capacity && !self.entries.contains_key(name) {
            self.forget_a_quarter();
        }
        let _ = self.entries.insert(name.to_owned(), (now, value));
    }

    /// Forgets the value of this name.
    pub fn remove(&mut self, name: &str) {
        let _ = self.entries.remove(name);
    }

    /// Forgets the quarter of the entries that was used longest ago. If it forgot one at a time, every
    /// new entry would have to look through all of them.
    fn forget_a_quarter(&mut self) {
        let quarter = self.entries.len().div_ceil(4);
        // The last use to forget, found by bisection: a sort would be kilobytes of code.
        let (mut last, mut after) = (0, self.clock);
        while last < after {
            let middle = last.midpoint(after);
            let earlier = self.entries.values().filter(|(used, _)| *used <= middle).count();
            match earlier < quarter {
                true => last = middle.saturating_add(1),
                false => after = middle,
            }
        }
        self.entries.retain(|_, (used, _)| *used > last);
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
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
    fn a_full_one_forgets_a_quarter_at_once() {
        let mut lru = Lru::new(100);
        for number in 0..100_u32 {
            lru.put(&number.to_string(), number);
        }
        for number in 0..10_u32 {
            lru.get(&number.to_string());
        }
        lru.put("new", 0);
        let there = |lru: &mut Lru<u32>, number: u32| lru.get(&number.to_string()).is_some();
        assert!((0..10).all(|number| there(&mut lru, number)));
        assert!((10..35).all(|number| !there(&mut lru, number)));
        assert!((35..100).all(|number| there(&mut lru, number)));
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
