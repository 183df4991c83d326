//! The columns of a block: they follow from its rows and the state before it, so they are beside what is stored of it, if they are
//! at hand.

use super::SealedBlock;
use crate::threads::AllThreads;
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    block::{AssembledBlock, assemble},
    column,
    merkle::{self, Paths},
    row::RowTask,
    wire,
};
use std::sync::OnceLock;

/// What is at hand of a block's columns.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The encoded body of each.
    bodies: OnceLock<Vec<Bytes>>,
    /// For each, the tree of its cells.
    cells: OnceLock<Vec<Paths>>,
}

impl Columns {
    /// Those of a block that was just made.
    pub(super) fn of(assembled: &AssembledBlock) -> Self {
        let (bodies, cells) = (assembled.column_bodies.clone(), assembled.cells.clone());
        Self { bodies: OnceLock::from(bodies), cells: OnceLock::from(cells) }
    }
}

impl SealedBlock {
    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let columns = self.column_bodies().unwrap_or_default();
        self.bytes + columns.iter().map(|body| body.len()).sum::<usize>()
    }

    /// The encoded body of each column, if they are at hand.
    pub fn column_bodies(&self) -> Option<&[Bytes]> {
        self.columns.bodies.get().map(Vec::as_slice)
    }

    /// For each column the tree of its cells, if these or the bodies are at hand.
    pub fn cells(&self) -> Option<&[Paths]> {
        if self.columns.cells.get().is_none()
            && let Some(bodies) = self.column_bodies()
        {
            let rows = self.stored.manifest.rows.len();
            let trees = bodies.iter().map(|body| Some(merkle::paths(&column::check::cells_of(rows, body)?)));
            self.set_cells(trees.collect::<Option<_>>()?);
        }
        self.columns.cells.get().map(Vec::as_slice)
    }

    /// Puts the bodies of its columns beside it, if these are what it commits to.
    pub fn set_column_bodies(&self, bodies: Vec<Bytes>) -> bool {
        let hashes = self.stored.manifest.columns.iter().map(|column| &column.body_hash);
        let committed = are_bodies(hashes, &bodies);
        if committed {
            // If somebody else was faster, they are the same.
            let _ = self.columns.bodies.set(bodies);
        }
        committed
    }

    /// Puts the trees of its columns' cells beside it.
    pub(crate) fn set_cells(&self, cells: Vec<Paths>) {
        // If somebody else was faster, they are the same.
        let _ = self.columns.cells.set(cells);
    }

    /// What travels to whoever checks row `index`, if there is such a row and [`Self::cells`] are at hand.
    pub fn row_task(&self, index: usize) -> Option<RowTask> {
        assemble::row_task(self.stored.row_bodies.get(index)?, self.cells()?, index)
    }
}

/// Whether these are the bodies with these hashes.
pub(crate) fn are_bodies<'a>(hashes: impl ExactSizeIterator<Item = &'a B256>, bodies: &[Bytes]) -> bool {
    let found = || wire::body_hashes(&AllThreads, &bodies.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    hashes.len() == bodies.len() && hashes.eq(&found())
}
