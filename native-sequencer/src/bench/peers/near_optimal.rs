//! nomt: a binary trie over BLAKE3, on disk, every commit durable, its caches at their defaults.

use super::super::BenchError;
use nomt::{KeyReadWrite, Nomt, Options, SessionParams, hasher::Blake3Hasher};
use std::path::Path;

/// The name of the peer.
pub const NAME: &str = "nomt";
/// Pages of its hash table: room for ten million keys.
const BUCKETS: u32 = 1_000_000;

/// A trie in a folder.
#[allow(missing_debug_implementations, reason = "its database has none")]
pub struct Trie(Nomt<Blake3Hasher>);

impl Trie {
    /// A new trie in the folder `dir`.
    ///
    /// # Errors
    /// [`BenchError::Peer`].
    pub fn new(dir: &Path) -> Result<Self, BenchError> {
        let mut options = Options::new();
        options.path(dir);
        options.hashtable_buckets(BUCKETS);
        options.commit_concurrency(std::thread::available_parallelism().map_or(1, usize::from));
        Nomt::open(options).map(Self).map_err(failed)
    }

    /// Writes `values`, ascending by key, and makes them durable.
    ///
    /// # Errors
    /// [`BenchError::Peer`].
    pub fn update(&mut self, values: Vec<([u8; 32], Vec<u8>)>) -> Result<(), BenchError> {
        let session = self.0.begin_session(SessionParams::default());
        for (key, _) in &values {
            session.warm_up(*key);
        }
        let writes = values.into_iter().map(|(key, value)| (key, KeyReadWrite::Write(Some(value)))).collect();
        session.finish(writes).and_then(|finished| finished.commit(&self.0)).map_err(failed)
    }
}

fn failed(error: anyhow::Error) -> BenchError {
    BenchError::Peer { name: NAME, reason: format!("{error:#}") }
}
