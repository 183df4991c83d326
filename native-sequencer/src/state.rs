//! State as a row of a block finds it: the parent's, and what earlier rows of its chain made of it.

use alloy_primitives::{
    B256, Bytes,
    map::{B256Map, HashMap},
};
use ocelli_core::{
    evm::{Code, RowEffects, Source, StateError},
    key::Key,
    row::ExecutedRow,
    tree::{Leaf, Tree},
    value::{Value, Version},
};
use parking_lot::RwLock;
use std::sync::Arc;

/// All code of the chain, by hash. Code is content-addressed and never forgotten.
#[derive(Debug, Default)]
pub struct Codes {
    analysed: RwLock<B256Map<Code>>,
}

impl Codes {
    /// Adds code.
    pub fn insert(&self, hash: B256, bytes: Bytes) {
        self.analysed.write().entry(hash).or_insert_with(|| Code::new_raw(bytes));
    }

    /// The code with this hash.
    pub fn get(&self, hash: &B256) -> Option<Code> {
        self.analysed.read().get(hash).cloned()
    }
}

/// The state at a block boundary.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state tree.
    pub tree: Tree,
    /// The chain's code.
    pub codes: Arc<Codes>,
}

impl Snapshot {
    /// Version and value of `key`, whose path is `path`.
    pub fn at(&self, key: &Key, path: &B256) -> (Version, Value) {
        self.tree.get(path).map_or_else(|| (0, Value::absent(key)), |leaf| (leaf.version, leaf.value))
    }
}

impl Snapshot {
    /// [`Snapshot::at`] of each key, in order.
    pub fn at_each(&self, keys: &[Key]) -> Vec<(Version, Value)> {
        let leaves = self.tree.get_many(&Key::paths(keys));
        let found = |(leaf, key): (Option<Leaf>, &Key)| {
            leaf.map_or_else(|| (0, Value::absent(key)), |leaf| (leaf.version, leaf.value))
        };
        leaves.into_iter().zip(keys).map(found).collect()
    }
}

impl Source for Snapshot {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        Ok(self.at(key, &key.path()))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.codes.get(hash).ok_or(StateError::CodeNotListed(*hash))
    }
}

/// What some rows wrote and deployed.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    values: HashMap<Key, (Version, Value)>,
    codes: B256Map<Code>,
}

impl Writes {
    /// Adds what a row did, after those before it.
    pub fn apply(&mut self, effects: &RowEffects) {
        for access in &effects.accesses {
            if let Some(after) = access.after {
                self.values.insert(access.key, (access.version_after(), after));
            }
        }
        for (hash, bytes) in &effects.codes_made {
            self.codes.entry(*hash).or_insert_with(|| Code::new_raw(bytes.clone()));
        }
    }

    /// What `rows` did, one after the other.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a ExecutedRow>) -> Self {
        let mut writes = Self::default();
        rows.into_iter().for_each(|row| writes.apply(&row.effects));
        writes
    }

    /// Version and value of a key that was written.
    pub fn get(&self, key: &Key) -> Option<(Version, Value)> {
        // Hashing takes longer than to see that there is nothing.
        if self.values.is_empty() { None } else { self.values.get(key).copied() }
    }

    /// Code that was deployed.
    pub fn code(&self, hash: &B256) -> Option<Code> {
        self.codes.get(hash).cloned()
    }
}

/// A state with the writes of some rows on top.
#[derive(Clone, Debug)]
pub struct Overlay<S> {
    /// What is below.
    pub below: S,
    /// What is on top.
    pub writes: Writes,
}

impl<S> Overlay<S> {
    /// Nothing on top yet.
    pub fn new(below: S) -> Self {
        Self { below, writes: Writes::default() }
    }
}

impl<S: Source> Source for Overlay<S> {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        self.writes.get(key).map_or_else(|| self.below.load(key), Ok)
    }

    fn load_numbered(&self, key: &Key, number: u32) -> Result<(Version, Value), StateError> {
        self.writes.get(key).map_or_else(|| self.below.load_numbered(key, number), Ok)
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.writes.code(hash).map_or_else(|| self.below.code(hash), Ok)
    }
}
