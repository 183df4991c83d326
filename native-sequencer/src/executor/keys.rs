//! The keys that the planned transactions of a block use, numbered in the order in which they are met.
//!
//! A key is hashed once, when it gets its number; from there on the number stands for it.

use alloy_primitives::map::DefaultHashBuilder;
use hashbrown::{HashTable, hash_table::Entry};
use ocelli_core::{
    access::Access,
    key::Key,
    value::{Value, Version},
};
use std::hash::BuildHasher;

/// A key, with version and value before the block's transactions.
#[derive(Clone, Copy, Debug)]
struct Known {
    key: Key,
    before: (Version, Value),
}

/// Keys by their numbers, and numbers by their keys.
#[derive(Default)]
pub(super) struct Keys {
    hashing: DefaultHashBuilder,
    /// Numbers only: small enough to stay near the CPU.
    numbers: HashTable<u32>,
    known: Vec<Known>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.known).finish()
    }
}

impl Keys {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, more: usize) {
        let Self { hashing, numbers, known } = self;
        numbers.reserve(more, |number| hashing.hash_one(known[*number as usize].key));
        known.reserve(more);
    }

    /// The number of an access's key, which it gets if it has none.
    pub(super) fn number(&mut self, access: &Access) -> u32 {
        let Self { hashing, numbers, known } = self;
        let is_it = |number: &u32| known[*number as usize].key == access.key;
        let again = |number: &u32| hashing.hash_one(known[*number as usize].key);
        match numbers.entry(hashing.hash_one(access.key), is_it, again) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let number = known.len() as u32;
                entry.insert(number);
                // Whoever is the first to use a key found it as it was before the block: nobody of the same group whose guess is
                // kept was earlier, and those that are kept are the first ones.
                known.push(Known { key: access.key, before: (access.version, access.before) });
                number
            }
        }
    }

    /// The number of a key, if it has one.
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        let is_it = |number: &u32| self.known[*number as usize].key == *key;
        self.numbers.find(self.hashing.hash_one(key), is_it).copied()
    }

    /// Each key with version and value before the block's transactions, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Version, Value)> {
        self.known.iter().map(|known| (known.key, known.before.0, known.before.1))
    }

    /// Version and value, before the block's transactions, of the key that has this number.
    pub(super) fn before(&self, number: u32) -> (Version, Value) {
        self.known[number as usize].before
    }
}
