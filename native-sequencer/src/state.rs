//! State as a row of a block finds it: the parent's, and what earlier rows of its chain made of it.

use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    access::Access,
    evm::{Code, Source, StateError},
    key::Key,
    tree::Tree,
    value::{Value, Version},
};
use parking_lot::RwLock;
use std::{collections::HashMap, sync::Arc};

/// All code of the chain, by hash. Code is content-addressed and never forgotten.
#[derive(Debug, Default)]
pub struct Codes {
    analysed: RwLock<HashMap<B256, Code>>,
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

impl Source for Snapshot {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        let leaf = self.tree.get(&key.path());
        Ok(leaf.map_or_else(|| (0, Value::absent(key)), |leaf| (leaf.version, leaf.value)))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.codes.get(hash).ok_or(StateError::CodeNotListed(*hash))
    }
}

/// A snapshot with the writes of some rows on top.
#[derive(Clone, Debug)]
pub struct Overlay {
    snapshot: Snapshot,
    writes: HashMap<Key, (Version, Value)>,
    codes: HashMap<B256, Code>,
}

impl Overlay {
    /// Nothing on top yet.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, writes: HashMap::new(), codes: HashMap::new() }
    }

    /// Puts what a row wrote and deployed on top.
    pub fn apply(&mut self, accesses: &[Access], codes: &[(B256, Bytes)]) {
        for access in accesses {
            if let Some(after) = access.after {
                self.writes.insert(access.key, (access.version_after(), after));
            }
        }
        for (hash, bytes) in codes {
            self.codes.entry(*hash).or_insert_with(|| Code::new_raw(bytes.clone()));
        }
    }
}

impl Source for Overlay {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        self.writes.get(key).map_or_else(|| self.snapshot.load(key), |written| Ok(*written))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.codes.get(hash).map_or_else(|| self.snapshot.code(hash), |code| Ok(code.clone()))
    }
}
