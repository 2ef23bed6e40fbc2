//! A map as a sorted list. The Worker's size is limited, and `BTreeMap` costs some kilobytes of code for each
//! type that it holds.
//!
//! Lookups take logarithmic time. A change moves one pointer for every later entry: microseconds for the
//! thousands of entries that an isolate keeps. Where callers decide how many entries there are, use
//! `BTreeMap`.

use core::borrow::Borrow;
use core::mem;

/// A map whose entries are in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedMap<K, V> {
    /// Boxed, so that little moves when an entry comes or goes.
    entries: Vec<Box<(K, V)>>,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> SortedMap<K, V> {
    /// Returns an empty map.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Returns the number of entries.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|entry| (&entry.0, &entry.1))
    }

    /// Returns the entries in the order of their keys; the values may be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|entry| (&entry.0, &mut entry.1))
    }

    /// Returns the keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Returns the values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Removes the entries for which `keep` returns false.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|entry| keep(&entry.0, &entry.1));
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Returns the value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.entries.get(at).map(|entry| &entry.1)
    }

    /// Returns the value of a key, which may be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.entries.get_mut(at).map(|entry| &mut entry.1)
    }

    /// Returns true if the key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Gives a key a value; returns the value that it had before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.get_mut(&key) {
            Some(old) => Some(mem::replace(old, value)),
            None => {
                let at = self.find(&key).unwrap_or_else(|at| at);
                self.entries.insert(at, Box::new((key, value)));
                None
            }
        }
    }

    /// Removes a key; returns the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        let (_, value) = *self.entries.remove(at);
        Some(value)
    }

    /// Returns where the key is, or where it would have to be inserted.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries.binary_search_by(|entry| entry.0.borrow().cmp(key))
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            let _ = map.insert(key, value);
        }
        map
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = core::iter::Map<std::vec::IntoIter<Box<(K, V)>>, fn(Box<(K, V)>) -> (K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter().map(|entry| *entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_does_what_a_btree_map_does() {
        let mut ours = SortedMap::new();
        let mut theirs = BTreeMap::new();
        let mut number: u32 = 1;
        for round in 0..2_000 {
            // A linear congruential generator: every run does the same.
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (number >> 16) % 64;
            let (one, other) = match (number >> 8) % 5 {
                0 => (ours.insert(key, round), theirs.insert(key, round)),
                1 => (ours.remove(&key), theirs.remove(&key)),
                2 => (ours.get(&key).copied(), theirs.get(&key).copied()),
                3 => {
                    let changed = |value: &mut u32| {
                        *value += 1;
                        *value
                    };
                    (ours.get_mut(&key).map(changed), theirs.get_mut(&key).map(changed))
                }
                _ => {
                    ours.retain(|kept, value| kept % 7 != key % 7 || value % 2 == 0);
                    theirs.retain(|kept, value| kept % 7 != key % 7 || *value % 2 == 0);
                    (None, None)
                }
            };
            assert_eq!(one, other);
            assert_eq!(ours.contains_key(&key), theirs.contains_key(&key));
            assert_eq!((ours.len(), ours.is_empty()), (theirs.len(), theirs.is_empty()));
            assert!(ours.iter().eq(theirs.iter()));
            assert!(ours.keys().eq(theirs.keys()) && ours.values().eq(theirs.values()));
        }
        assert_eq!(theirs.clone().into_iter().rev().collect::<SortedMap<_, _>>(), ours);
        assert!(ours.into_iter().eq(theirs));
    }
}
