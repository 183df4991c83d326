//! Making a block of rows that were executed.

use super::next_header;
use crate::{
    access::{Placed, by_path, place},
    column::{SplitError, build_columns},
    genesis::ChainConfig,
    header::Header,
    manifest::{Manifest, RowHeader},
    merkle::{Frontier, Paths},
    parallel::{OneByOne, Parallel},
    row::{CellProof, ExecutedRow, RowTask},
    tree::{Leaf, Tree},
    wire,
};
use alloc::vec::Vec;
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
    moment: (u64, u64),
    state: &Tree,
    rows: &[ExecutedRow],
) -> Result<AssembledBlock, SplitError> {
    assemble_by(&OneByOne, config, parent, ancestors, moment, state, rows)
}

/// [`assemble`], with the work done by `threads`.
///
/// # Errors
/// As [`assemble`].
pub fn assemble_by(
    threads: &impl Parallel,
    config: &ChainConfig,
    parent: &Header,
    ancestors: &mut Frontier,
    (time_ms, term): (u64, u64),
    state: &Tree,
    rows: &[ExecutedRow],
) -> Result<AssembledBlock, SplitError> {
    let placed: Vec<Vec<Placed>> = threads.map(rows, |row| place(row.effects.accesses.iter().copied()));
    let update = || {
        let writes = writes(&placed);
        let mut after = state.clone();
        after.update_from(&writes);
        (writes, after)
    };
    let params = config.params_at(parent.height.saturating_add(1));
    let make_columns = || build_columns(threads, &params.limits, state, &placed);
    let make = || threads.join(|| make_rows(threads, rows), make_columns);
    let ((writes, after), ((row_headers, row_bodies), columns)) = threads.join(update, make);
    let columns = columns?.close(&after);

    let manifest =
        Manifest { rows: row_headers, columns: columns.iter().map(|column| column.header.clone()).collect() };
    let header = next_header(config, parent, ancestors, &manifest, (time_ms, term), after.root());
    let (column_bodies, cells) = columns.into_iter().map(|column| (Bytes::from(column.body), column.cells)).unzip();
    Ok(AssembledBlock { header, manifest, row_bodies, column_bodies, cells, writes, state: after })
}

fn make_rows(threads: &impl Parallel, rows: &[ExecutedRow]) -> (Vec<RowHeader>, Vec<Bytes>) {
    let bodies: Vec<Bytes> = threads.map(rows, |row| row.encoded_body().into());
    let hashes = wire::body_hashes(threads, &bodies.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let hashed: Vec<(&ExecutedRow, B256)> = rows.iter().zip(hashes).collect();
    (threads.map(&hashed, |(row, hash)| row.header(*hash)), bodies)
}

/// What the written keys hold after all rows, ascending by path.
pub(super) fn writes(rows: &[Vec<Placed>]) -> Vec<Leaf> {
    let written = rows.iter().flatten().filter(|placed| placed.access.after.is_some());
    // Keeps the order of the rows, the last of which counts.
    let written: Vec<&Placed> = by_path(written, |placed| &placed.path).collect();
    let last = written.chunk_by(|a, b| a.path == b.path).filter_map(|of_key| of_key.last());
    let leaf = |Placed { path, access }: &&Placed| {
        let (key, version) = (access.key, access.version_after());
        Some(Leaf { path: *path, key, version, value: access.after? })
    };
    let mut leaves = Vec::with_capacity(written.len());
    leaves.extend(last.filter_map(leaf));
    leaves
}
