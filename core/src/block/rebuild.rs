//! What a block's rows give: nobody has to keep it who has them.
//!
//! Whoever rebuilds compares what comes out with the manifest. Cells follow from the rows alone, columns from the rows and the
//! state before the block.

use super::assemble::writes;
use crate::{
    access::{Placed, place},
    column::{BuiltColumn, split},
    manifest::Manifest,
    merkle::Paths,
    parallel::Parallel,
    row::ExecutedRow,
    tree::{Leaf, Tree},
};
use alloc::vec::Vec;

/// What the rows of a block make of the state before it.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// The columns, in the ranges of the manifest's.
    pub columns: Vec<BuiltColumn>,
    /// The keys that the block wrote, by path, with what they hold after it.
    pub writes: Vec<Leaf>,
    /// The state after the block.
    pub state: Tree,
}

impl Rebuilt {
    /// The first column that is not the one that `manifest` has in its place.
    pub fn first_other(&self, manifest: &Manifest) -> Option<usize> {
        let pairs = self.columns.iter().zip(&manifest.columns);
        pairs.into_iter().position(|(built, committed)| built.header != *committed)
    }
}

/// The columns of the block with this manifest, and the state after it. `rows` are the block's, `state` is the one before it.
///
/// Values that rows claim to have found are taken as they say; a column with a wrong one does not pass its check.
pub fn rebuild_columns(threads: &impl Parallel, manifest: &Manifest, state: &Tree, rows: &[ExecutedRow]) -> Rebuilt {
    let placed = placed(threads, rows);
    let update = || {
        let writes = writes(&placed);
        let mut after = state.clone();
        after.update_from(&writes);
        (writes, after)
    };
    let prefixes = manifest.columns.iter().map(|column| column.prefix);
    let make_columns = || split::build_columns_at(threads, prefixes, state, &placed);
    let ((writes, after), columns) = threads.join(update, make_columns);
    Rebuilt { columns: columns.close(&after), writes, state: after }
}

/// For each column of the block with this manifest, the tree of its cells, if they are those that the columns commit to.
pub fn rebuild_cells(threads: &impl Parallel, manifest: &Manifest, rows: &[ExecutedRow]) -> Option<Vec<Paths>> {
    let prefixes = manifest.columns.iter().map(|column| column.prefix);
    let cells = split::cells_at(threads, prefixes, &placed(threads, rows));
    let same = cells.iter().zip(&manifest.columns).all(|(cells, column)| cells.root() == column.cells_root);
    same.then_some(cells)
}

fn placed(threads: &impl Parallel, rows: &[ExecutedRow]) -> Vec<Vec<Placed>> {
    threads.map(rows, |row| place(row.effects.accesses.iter().copied()))
}
