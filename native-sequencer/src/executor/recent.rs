//! What keys hold that were used in the last blocks, by key: found in a fraction of the time that the state tree takes for it.
//!
//! Accounts without code are left out. Transactions name most of those that they use, so they are looked up together, and most
//! are used once in a long while. Contracts and their slots are come upon one by one while transactions run, and some of them
//! in every block: those that transactions only read, and those that several of a block used. What one alone changed, a balance of
//! tokens mostly, is looked up with what others name, or once a block at most.

use crate::state::Snapshot;
use alloy_primitives::{
    B256,
    map::{HashMap, HashSet},
};
use ocelli_core::{
    evm::{Code, Source, StateError},
    key::Key,
    tree::{Leaf, NodeHash},
    value::{Value, Version},
};

/// Slots that are remembered; then those are forgotten that no block used while as many others came. About 5 MB, twice: as many as
/// a table of 2^15 places takes, which stays near the processor. Eight times as many made no block faster.
const SLOTS: usize = (1 << 15) / 8 * 7;
/// Accounts with code that are remembered, in the same way.
const ACCOUNTS: usize = (1 << 15) / 8 * 7;

/// What a block used that the next ones may ask for.
#[derive(Debug, Default)]
pub struct Used {
    /// Keys that planned transactions read and none was to change, with version and value before the block. Those that surprised,
    /// and the closing row, may have changed them.
    pub read: Vec<(Key, Version, Value)>,
    /// Keys that several planned transactions used and one at least was to change.
    pub shared: Vec<Key>,
}

/// Version and value of keys that the last blocks used.
#[derive(Debug)]
pub struct Recent {
    /// The root of the state that they belong to.
    root: NodeHash,
    slots: Generations,
    /// Accounts with code.
    accounts: Generations,
}

impl Default for Recent {
    fn default() -> Self {
        Self { root: NodeHash::EMPTY, slots: Generations::new(SLOTS), accounts: Generations::new(ACCOUNTS) }
    }
}

impl Recent {
    /// Goes on from the state with the root `before` to the one with the root `after`, given what the block between `used` and what
    /// it wrote.
    pub fn go_on(&mut self, (before, after): (NodeHash, NodeHash), used: &Used, written: &[Leaf]) {
        if self.root != before {
            *self = Self::default();
        }
        for (key, version, value) in &used.read {
            self.put(*key, (*version, *value), true);
        }
        let shared: HashSet<&Key> = used.shared.iter().collect();
        for Leaf { key, version, value, .. } in written {
            self.put(*key, (*version, *value), shared.contains(key));
        }
        self.root = after;
    }

    /// Says what a key holds now, which is remembered if it `is_worth` that or was remembered before.
    fn put(&mut self, key: Key, found: (Version, Value), is_worth: bool) {
        let kept = match found.1 {
            Value::Slot(_) => &mut self.slots,
            Value::Account(account) if !account.code_hash.is_zero() => &mut self.accounts,
            // It may have had code until now: a delegation that was taken back (EIP-7702).
            Value::Account(_) => return self.accounts.remove(&key),
        };
        if is_worth || kept.get(&key).is_some() {
            kept.insert(key, found);
        }
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, (Version, Value))> {
        let keys =
            [&self.slots, &self.accounts].into_iter().flat_map(|kind| kind.recent.keys().chain(kind.older.keys()));
        keys.filter_map(|key| Some((*key, self.get(key)?)))
    }

    fn get(&self, key: &Key) -> Option<(Version, Value)> {
        match key {
            Key::Account(_) => self.accounts.get(key),
            Key::Slot(..) => self.slots.get(key),
        }
    }
}

/// Keys of which those are forgotten that were not used while as many others came as there may be.
#[derive(Debug)]
struct Generations {
    most: usize,
    recent: HashMap<Key, (Version, Value)>,
    /// Those that were used before the ones of `recent`.
    older: HashMap<Key, (Version, Value)>,
}

impl Generations {
    fn new(most: usize) -> Self {
        Self { most, recent: HashMap::default(), older: HashMap::default() }
    }

    fn insert(&mut self, key: Key, found: (Version, Value)) {
        if self.recent.len() >= self.most {
            std::mem::swap(&mut self.recent, &mut self.older);
            self.recent.clear();
        }
        self.recent.insert(key, found);
    }

    fn remove(&mut self, key: &Key) {
        for generation in [&mut self.recent, &mut self.older] {
            // Hashing takes longer than to see that there is nothing.
            if !generation.is_empty() {
                generation.remove(key);
            }
        }
    }

    fn get(&self, key: &Key) -> Option<(Version, Value)> {
        self.recent.get(key).or_else(|| self.older.get(key)).copied()
    }
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
    use ocelli_core::value::Account;

    fn slot(number: usize) -> (Key, Version, Value) {
        (Key::Slot(Address::ZERO, U256::from(number)), 1, Value::Slot(U256::from(number)))
    }

    fn root(byte: u8) -> NodeHash {
        NodeHash(B256::repeat_byte(byte))
    }

    fn read(keys: impl IntoIterator<Item = (Key, Version, Value)>) -> Used {
        Used { read: keys.into_iter().collect(), shared: Vec::new() }
    }

    #[test]
    fn what_no_block_used_for_long_is_forgotten() {
        let mut recent = Recent::default();
        recent.go_on((root(0), root(1)), &read([slot(0)]), &[]);
        recent.go_on((root(1), root(1)), &read((1..=SLOTS).map(slot)), &[]);
        assert!(recent.get(&slot(0).0).is_some(), "as many are kept besides");
        recent.go_on((root(1), root(1)), &read((SLOTS..=2 * SLOTS).map(slot)), &[]);
        assert!(recent.get(&slot(0).0).is_none() && recent.get(&slot(2 * SLOTS).0).is_some());
        assert!(recent.slots.recent.len() <= SLOTS && recent.slots.older.len() <= SLOTS);
    }

    #[test]
    fn another_state_makes_it_forget_everything() {
        let mut recent = Recent::default();
        recent.go_on((root(0), root(1)), &read([slot(0)]), &[]);
        recent.go_on((root(2), root(3)), &read([slot(1)]), &[]);
        assert!(recent.get(&slot(0).0).is_none() && recent.get(&slot(1).0).is_some());
    }

    #[test]
    fn what_one_transaction_alone_changed_is_remembered_only_if_it_was_before() {
        let written = |value: u64| [0, 1, 2].map(|at| Leaf::new(slot(at).0, 2, Value::Slot(U256::from(value))));
        let mut recent = Recent::default();
        recent.go_on((root(0), root(1)), &read([slot(0)]), &[]);
        for (value, shared) in [(10, vec![slot(1).0]), (11, Vec::new())] {
            recent.go_on((root(1), root(1)), &Used { read: Vec::new(), shared }, &written(value));
            let found = Some((2, Value::Slot(U256::from(value))));
            assert_eq!([0, 1, 2].map(|at| recent.get(&slot(at).0)), [found, found, None]);
        }
    }

    #[test]
    fn an_account_that_lost_its_code_is_forgotten_wherever_it_stands() {
        let key = |number: usize| Key::Account(Address::left_padding_from(&number.to_be_bytes()));
        let delegated = Value::Account(Account { code_hash: B256::repeat_byte(1), ..Account::default() });
        let plain = Value::Account(Account { nonce: 2, ..Account::default() });
        for others in [0, ACCOUNTS] {
            let mut recent = Recent::default();
            let accounts = (0..=others).map(|number| (key(number), 1, delegated));
            recent.go_on((root(0), root(1)), &read(accounts), &[]);
            assert_eq!(recent.get(&key(0)), Some((1, delegated)));
            recent.go_on((root(1), root(2)), &Used::default(), &[Leaf::new(key(0), 2, plain)]);
            assert_eq!(recent.get(&key(0)), None);
        }
    }

    #[test]
    fn what_belongs_to_another_state_is_not_asked() {
        let snapshot = Snapshot { tree: ocelli_core::tree::Tree::new(), codes: std::sync::Arc::default() };
        let (key, version, value) = slot(7);
        for (after, found) in [(snapshot.tree.root(), (version, value)), (root(1), (0, Value::absent(&key)))] {
            let mut recent = Recent::default();
            recent.go_on((root(9), after), &read([(key, version, value)]), &[]);
            assert_eq!(Remembered::new(&snapshot, &recent).load(&key), Ok(found));
        }
    }
}
