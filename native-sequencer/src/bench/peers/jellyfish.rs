//! jmt: the Jellyfish Merkle tree over SHA-256, over its own in-memory store, old nodes dropped after each batch.

use super::super::BenchError;
use jmt::{KeyHash, Sha256Jmt, mock::MockTreeStore};

/// The name of the peer.
pub const NAME: &str = "jmt";

/// A tree in memory.
#[allow(missing_debug_implementations, reason = "its store has none")]
pub struct Tree {
    store: MockTreeStore,
    version: u64,
}

impl Tree {
    /// A tree without keys.
    pub fn new() -> Self {
        Self { store: MockTreeStore::new(false), version: 0 }
    }

    /// Writes `values`.
    ///
    /// # Errors
    /// [`BenchError::Peer`].
    pub fn update(&mut self, values: Vec<([u8; 32], Vec<u8>)>) -> Result<(), BenchError> {
        let values = values.into_iter().map(|(key, value)| (KeyHash(key), Some(value)));
        let (_, batch) = Sha256Jmt::new(&self.store).put_value_set(values, self.version).map_err(failed)?;
        self.store.write_tree_update_batch(batch).map_err(failed)?;
        self.version += 1;
        Ok(())
    }

    /// Forgets what no version from the last one on needs; not part of what is measured.
    ///
    /// # Errors
    /// [`BenchError::Peer`].
    pub fn forget(&self) -> Result<(), BenchError> {
        self.store.purge_stale_nodes(self.version.saturating_sub(1)).map_err(failed)
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

fn failed(error: anyhow::Error) -> BenchError {
    BenchError::Peer { name: NAME, reason: format!("{error:#}") }
}
