//! What keys hold that were used in the last blocks, by key: found in a fraction of the time that the state tree takes for it.
//!
//! Accounts without code are left out. Transactions name most of those that they use, so they are looked up together, and most
//! are used once in a long while. Contracts and their slots are come upon one by one while transactions run, and some of them
//! in every block.

use crate::state::Snapshot;
use alloy_primitives::{B256, map::HashMap};
use ocelli_core::{
    evm::{Code, Source, StateError},
    key::Key,
    tree::{Leaf, NodeHash},
    value::{Value, Version},
};

/// Keys that are remembered; then those are forgotten that no block used while as many others came. About 80 MB, twice.
const KEYS: usize = 1 << 19;

/// Version and value of keys that the last blocks used.
#[derive(Debug, Default)]
pub struct Recent {
    /// The root of the state that they belong to.
    root: NodeHash,
    values: HashMap<Key, (Version, Value)>,
    /// Those of keys that were used before the ones of `values`.
    older: HashMap<Key, (Version, Value)>,
}

impl Recent {
    /// Goes on from the state with the root `before` to the one with the root `after`: `read` is what some keys held that did not
    /// change, `written` what others hold now.
    pub fn go_on(
        &mut self,
        (before, after): (NodeHash, NodeHash),
        read: impl IntoIterator<Item = (Key, Version, Value)>,
        written: &[Leaf],
    ) {
        if self.root != before {
            self.values.clear();
            self.older.clear();
        }
        let written = written.iter().map(|leaf| (leaf.key, leaf.version, leaf.value));
        for (key, version, value) in read.into_iter().chain(written).filter(|(_, _, value)| !is_plain(value)) {
            if self.values.len() >= KEYS {
                std::mem::swap(&mut self.values, &mut self.older);
                self.values.clear();
            }
            self.values.insert(key, (version, value));
        }
        self.root = after;
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, (Version, Value))> {
        self.values.keys().chain(self.older.keys()).filter_map(|key| Some((*key, self.get(key)?)))
    }

    fn get(&self, key: &Key) -> Option<(Version, Value)> {
        self.values.get(key).or_else(|| self.older.get(key)).copied()
    }
}

/// Whether it is that of an account without code.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Account(account) if account.code_hash.is_zero())
}

/// A state of which what is remembered is at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// `None` if it belongs to another state.
    recent: Option<&'a Recent>,
}

impl<'a> Remembered<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, recent: &'a Recent) -> Self {
        Self { snapshot, recent: Some(recent).filter(|recent| recent.root == snapshot.tree.root()) }
    }
}

impl Source for Remembered<'_> {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        let recent = self.recent.and_then(|recent| recent.get(key));
        recent.map_or_else(|| self.snapshot.load(key), Ok)
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.snapshot.code(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, U256};

    fn slot(number: usize) -> (Key, Version, Value) {
        (Key::Slot(Address::ZERO, U256::from(number)), 1, Value::Slot(U256::from(number)))
    }

    fn root(byte: u8) -> NodeHash {
        NodeHash(B256::repeat_byte(byte))
    }

    #[test]
    fn what_no_block_used_for_long_is_forgotten() {
        let mut recent = Recent::default();
        recent.go_on((root(0), root(1)), [slot(0)], &[]);
        recent.go_on((root(1), root(1)), (1..=KEYS).map(slot), &[]);
        assert!(recent.get(&slot(0).0).is_some(), "as many are kept besides");
        recent.go_on((root(1), root(1)), (KEYS..=2 * KEYS).map(slot), &[]);
        assert!(recent.get(&slot(0).0).is_none() && recent.get(&slot(2 * KEYS).0).is_some());
        assert!(recent.values.len() <= KEYS && recent.older.len() <= KEYS);
    }

    #[test]
    fn another_state_makes_it_forget_everything() {
        let mut recent = Recent::default();
        recent.go_on((root(0), root(1)), [slot(0)], &[]);
        recent.go_on((root(2), root(3)), [slot(1)], &[]);
        assert!(recent.get(&slot(0).0).is_none() && recent.get(&slot(1).0).is_some());
    }
}
