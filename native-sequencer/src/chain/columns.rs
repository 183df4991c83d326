//! What is served of columns: from memory, from the store's files, or made again.
//!
//! Columns follow from a block's rows and the state before it, so those of the last blocks can always be made; older ones are there as
//! long as the store keeps them. The cells that a row's task takes follow from the rows alone: rows are served for ever.

use super::{Chain, ReadError, bound};
use crate::{
    block::SealedBlock,
    limits,
    store::{ReplayError, add_cells, add_columns},
};
use alloy_primitives::Bytes;
use ocelli_core::row::RowTask;
use parking_lot::Mutex;
use rayon::ThreadPoolBuilder;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One at a time makes something again, on one core, which leaves the others to whoever makes blocks; and not too many wait for that.
#[derive(Debug, Default)]
pub(super) struct Rebuilding {
    turn: Mutex<()>,
    waiting: AtomicUsize,
}

impl Rebuilding {
    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, ReadError> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before > limits::REBUILDS_WAITING {
            return Err(ReadError::Busy);
        }
        let _turn = self.turn.lock();
        match ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "rebuild".to_owned()).build() {
            Ok(one) => Ok(one.install(work)),
            Err(_) => Ok(work()),
        }
    }
}

/// Whoever waits or works does so no longer, when it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Chain {
    /// The body of column `index` of `block`, if it has such a column.
    ///
    /// # Errors
    /// [`ReadError::NotKept`] if it is neither kept nor can be made again, [`ReadError::Busy`] if that takes too long.
    pub fn column_body(&self, block: &SealedBlock, index: usize) -> Result<Option<Bytes>, ReadError> {
        if index >= block.stored.manifest.columns.len() {
            return Ok(None);
        }
        if !self.find_columns(block) {
            let height = block.header().height;
            // What cannot be made again takes nobody's turn.
            if self.snapshot_at(height - 1).is_none() {
                return Err(ReadError::NotKept(height));
            }
            let rebuilt = self.rebuilding.run(|| self.find_columns(block) || self.rebuild_columns(block))?;
            if !rebuilt {
                return Err(ReadError::NotKept(height));
            }
        }
        Ok(block.column_bodies().and_then(|bodies| bodies.get(index)).cloned())
    }

    /// What travels to whoever checks row `index` of `block`, if it has such a row.
    ///
    /// # Errors
    /// As [`Self::column_body`]; [`ReadError::NotKept`] only if the block's columns are not what its rows give, so that it is faulty.
    pub fn row_task(&self, block: &SealedBlock, index: usize) -> Result<Option<RowTask>, ReadError> {
        if index >= block.stored.row_bodies.len() {
            return Ok(None);
        }
        if block.cells().is_none() && !self.find_columns(block) {
            let made = self.rebuilding.run(|| block.cells().is_some() || self.rebuild_cells(block))?;
            if !made {
                return Err(ReadError::NotKept(block.header().height));
            }
        }
        Ok(block.row_task(index))
    }

    /// Whether the bodies are beside the block, or in the store, from where they are put there.
    fn find_columns(&self, block: &SealedBlock) -> bool {
        if block.column_bodies().is_some() {
            return true;
        }
        let height = block.header().height;
        let Some(bodies) = self.store.column_bodies(height) else { return false };
        let found = block.set_column_bodies(bodies);
        if !found {
            tracing::warn!(height, "what is kept of a block's columns is not what it commits to");
        }
        self.bound_recent();
        found
    }

    fn rebuild_columns(&self, block: &SealedBlock) -> bool {
        let header = block.header();
        let Some(before) = self.snapshot_at(header.height - 1) else { return false };
        let made = add_columns(&self.config, block, &before.tree, &self.codes);
        self.bound_recent();
        self.is_made(block, made)
    }

    fn rebuild_cells(&self, block: &SealedBlock) -> bool {
        self.is_made(block, add_cells(&self.config, block, &self.codes))
    }

    fn is_made(&self, block: &SealedBlock, made: Result<(), ReplayError>) -> bool {
        let height = block.header().height;
        made.inspect_err(|error| tracing::warn!(height, %error, "a block's columns cannot be made again")).is_ok()
    }

    /// Blocks have become larger.
    fn bound_recent(&self) {
        bound(&mut self.recent.write());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_wait_and_no_more() {
        let rebuilding =
            Rebuilding { waiting: AtomicUsize::new(limits::REBUILDS_WAITING + 1), ..Rebuilding::default() };
        assert!(matches!(rebuilding.run(|| ()), Err(ReadError::Busy)));
        rebuilding.waiting.fetch_sub(1, Ordering::Relaxed);
        assert!(matches!(rebuilding.run(rayon::current_num_threads), Ok(1)), "on one core");
        assert_eq!(rebuilding.waiting.into_inner(), limits::REBUILDS_WAITING);
    }
}
