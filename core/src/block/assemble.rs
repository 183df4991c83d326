//! Making a block of rows that were executed.

use super::next_header;
use crate::{
    access::{Placed, place},
    column::{SplitError, build_columns},
    genesis::ChainConfig,
    header::Header,
    manifest::Manifest,
    merkle::{self, Frontier, Paths},
    row::{CellProof, ExecutedRow, RowTask},
    tree::{Leaf, Tree},
    wire,
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{B256, Bytes};

/// A block before it is signed.
#[derive(Clone, Debug)]
pub struct AssembledBlock {
    /// The header.
    pub header: Header,
    /// Row headers and column headers.
    pub manifest: Manifest,
    /// The encoded body of each row.
    pub row_bodies: Vec<Bytes>,
    /// The encoded body of each column.
    pub column_bodies: Vec<Bytes>,
    /// For each column, the tree of its cells.
    pub cells: Vec<Paths>,
    /// The keys that the block wrote, by path, with what they hold after it.
    pub writes: Vec<Leaf>,
    /// The state after the block.
    pub state: Tree,
}

impl AssembledBlock {
    /// What travels to whoever checks row `index`.
    pub fn row_task(&self, index: usize) -> Option<RowTask> {
        row_task(self.row_bodies.get(index)?, &self.cells, index)
    }
}

/// A row's task, from its body and the cells trees of the block's columns.
pub fn row_task(body: &Bytes, cells: &[Paths], index: usize) -> Option<RowTask> {
    let cells = cells.iter().map(|cells| Some(CellProof { leaf: cells.leaf(index)?, path: cells.path(index) }));
    Some(RowTask { body: body.clone(), cells: cells.collect::<Option<_>>()? })
}

/// Makes the block after `parent` of `rows`, which were executed one after the other on `state` in the block's environment.
/// `ancestors` is the parent's log and becomes this block's.
///
/// # Errors
/// [`SplitError`] if the keys of the block cannot be cut into columns within the limits.
pub fn assemble(
    config: &ChainConfig,
    parent: &Header,
    ancestors: &mut Frontier,
    (time_ms, term): (u64, u64),
    state: &Tree,
    rows: &[ExecutedRow],
) -> Result<AssembledBlock, SplitError> {
    let placed: Vec<Vec<Placed>> = rows.iter().map(|row| place(row.effects.accesses.iter().copied())).collect();
    let writes = writes(&placed);
    let mut after = state.clone();
    after.update(writes.clone());
    let params = config.params_at(parent.height.saturating_add(1));
    let columns = build_columns(&params.limits, state, &after, &placed)?;

    let row_bodies: Vec<Bytes> = rows.iter().map(|row| wire::encode(&row.body()).into()).collect();
    let manifest = Manifest {
        rows: rows.iter().zip(&row_bodies).map(|(row, body)| row.header(body)).collect(),
        columns: columns.iter().map(|column| column.header.clone()).collect(),
    };
    let header = next_header(config, parent, ancestors, &manifest, (time_ms, term), after.root());
    let cells = columns.iter().map(|column| merkle::paths(&column.cell_leaves)).collect();
    let column_bodies = columns.into_iter().map(|column| column.body.into()).collect();
    Ok(AssembledBlock { header, manifest, row_bodies, column_bodies, cells, writes, state: after })
}

/// What the written keys hold after all rows.
fn writes(rows: &[Vec<Placed>]) -> Vec<Leaf> {
    let mut writes: BTreeMap<B256, Leaf> = BTreeMap::new();
    for placed in rows.iter().flatten() {
        if let Some(after) = placed.access.after {
            let leaf = Leaf {
                path: placed.path,
                key: placed.access.key,
                version: placed.access.version_after(),
                value: after,
            };
            writes.insert(placed.path, leaf);
        }
    }
    writes.into_values().collect()
}
