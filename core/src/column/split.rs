//! Cutting a block's accesses into columns.

use super::{CellAccess, ColumnBody, ColumnKey, RowCell};
use crate::{
    access::{Placed, cell_leaf},
    limits,
    manifest::ColumnHeader,
    merkle,
    params::TaskLimits,
    prefix::Prefix,
    tree::{NodeHash, Tree},
    wire,
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use alloy_primitives::B256;

/// A column and its body.
#[derive(Clone, Debug)]
pub struct BuiltColumn {
    /// The header.
    pub header: ColumnHeader,
    /// The encoded body.
    pub body: Vec<u8>,
    /// The leaf hash of every row's cell, in row order.
    pub cell_leaves: Vec<B256>,
}

/// Why a block cannot be cut: its accesses share prefixes so long that it would have more columns than a block may have.
/// Leave out the transactions that use those keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitError;

impl core::fmt::Display for SplitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the keys of the block share prefixes so long that it would have too many columns")
    }
}

impl core::error::Error for SplitError {}

/// The most columns that a block with `accesses` accesses may have.
pub const fn most_columns(accesses: usize) -> usize {
    let most = accesses / limits::COLUMN_ACCESSES_AT_LEAST + limits::COLUMNS_EXTRA;
    if most < limits::BLOCK_COLUMNS { most } else { limits::BLOCK_COLUMNS }
}

/// The accesses of one row that fall in a range, ascending by path.
type Cells<'a> = Vec<&'a [Placed]>;

/// Cuts the accesses of `rows` (each ascending by path) into columns with their bodies, given the state tree before and
/// after the block.
///
/// # Errors
/// [`SplitError`] if the block would have too many columns.
pub fn build_columns(
    limits: &TaskLimits,
    before: &Tree,
    after: &Tree,
    rows: &[Vec<Placed>],
) -> Result<Vec<BuiltColumn>, SplitError> {
    let total: usize = rows.iter().map(Vec::len).sum();
    let most = most_columns(total);
    let mut built = Vec::new();
    // Ranges still to look at, the leftmost on top.
    let mut ranges = alloc::vec![(Prefix::root(), rows.iter().map(Vec::as_slice).collect::<Cells<'_>>())];
    while let Some((prefix, cells)) = ranges.pop() {
        let accesses: usize = cells.iter().map(|cell| cell.len()).sum();
        let small = accesses <= limits.column_accesses as usize;
        let column = (small || holds_one_key(&cells)).then(|| build_column(before, after, prefix, &cells));
        match column {
            Some(column) if column.body.len() <= limits.column_body_bytes as usize || holds_one_key(&cells) => {
                built.push(column);
            }
            _ => {
                // Only a range of one key reaches the last bit, and that is not split.
                let (Some(left), Some(right)) = (prefix.child(false), prefix.child(true)) else {
                    return Err(SplitError);
                };
                ranges.push((right, cells_in(&right, &cells)));
                ranges.push((left, cells_in(&left, &cells)));
            }
        }
        if built.len() + ranges.len() > most {
            return Err(SplitError);
        }
    }
    Ok(built)
}

fn holds_one_key(cells: &Cells<'_>) -> bool {
    let mut paths = cells.iter().flat_map(|cell| cell.iter()).map(|placed| placed.path);
    let first = paths.next();
    paths.all(|path| Some(path) == first)
}

fn cells_in<'a>(prefix: &Prefix, cells: &Cells<'a>) -> Cells<'a> {
    cells.iter().map(|cell| prefix.range_of(cell, |placed| &placed.path)).collect()
}

fn build_column(before: &Tree, after: &Tree, prefix: Prefix, cells: &Cells<'_>) -> BuiltColumn {
    let keys = first_uses(cells);
    let index: BTreeMap<B256, u32> = keys.keys().enumerate().map(|(at, path)| (*path, at as u32)).collect();
    let paths: Vec<B256> = keys.keys().copied().collect();
    let listed = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()).map(|(row, cell)| RowCell {
        row: row as u32,
        accesses: cell
            .iter()
            .filter_map(|placed| {
                Some(CellAccess { key: *index.get(&placed.path)?, after: placed.access.after.map(Box::new) })
            })
            .collect(),
    });
    let body = ColumnBody {
        keys: keys.into_values().collect(),
        cells: listed.collect(),
        proof: before.prove(&prefix, &paths),
    };
    let body = wire::encode(&body);
    let cell_leaves = merkle::leaf_hashes(cells.iter().map(|cell| cell_leaf(cell.iter().map(|placed| &placed.access))));
    let header = ColumnHeader {
        prefix,
        root_before: before.subtree(&prefix),
        root_after: after.subtree(&prefix),
        cells_root: merkle::root(&cell_leaves),
        access_count: cells.iter().map(|cell| cell.len() as u32).sum(),
        body_hash: wire::body_hash(&body),
    };
    BuiltColumn { header, body, cell_leaves }
}

/// The keys that the rows use, by path, each as the first row that uses it found it.
fn first_uses(cells: &Cells<'_>) -> BTreeMap<B256, ColumnKey> {
    let mut keys = BTreeMap::new();
    for placed in cells.iter().flat_map(|cell| cell.iter()) {
        let access = &placed.access;
        keys.entry(placed.path).or_insert(ColumnKey { key: access.key, version: access.version, value: access.before });
    }
    keys
}

/// The root of the state tree that columns cover, from the roots of their ranges.
///
/// `None` if the ranges do not cover the space once.
pub fn combine_columns<'a>(columns: impl IntoIterator<Item = (&'a Prefix, NodeHash)>) -> Option<NodeHash> {
    // Ranges seen so far that have no neighbour yet, each shorter than the one above it.
    let mut open: Vec<(Prefix, NodeHash)> = Vec::new();
    for (prefix, hash) in columns {
        let (mut prefix, mut hash) = (*prefix, hash);
        while let Some((parent, true)) = prefix.parent() {
            let (left, left_hash) = open.pop()?;
            if left.parent() != Some((parent, false)) {
                return None;
            }
            (prefix, hash) = (parent, crate::tree::combine(left_hash, hash));
        }
        open.push((prefix, hash));
    }
    match open.as_slice() {
        [(prefix, hash)] if *prefix == Prefix::root() => Some(*hash),
        _ => None,
    }
}
