//! Cutting a block's accesses into columns.

use super::{ColumnKey, packed::Packed};
use crate::{
    access::{Placed, by_path, cell_leaf},
    limits,
    manifest::ColumnHeader,
    merkle::{self, Paths},
    parallel::Parallel,
    params::TaskLimits,
    prefix::Prefix,
    tree::{NodeHash, Tree},
    wire,
};
use alloc::vec::Vec;
use alloy_primitives::B256;

/// A column and its body.
#[derive(Clone, Debug)]
pub struct BuiltColumn {
    /// The header.
    pub header: ColumnHeader,
    /// The encoded body.
    pub body: Vec<u8>,
    /// The tree of every row's cell, in row order.
    pub cells: Paths,
}

/// Columns that lack their hashes after the block: all else of them follows from the state before it, so it can be made while the
/// state after it is.
#[derive(Clone, Debug)]
pub struct OpenColumns(Vec<BuiltColumn>);

impl OpenColumns {
    /// The columns, given the state after the block.
    pub fn close(mut self, after: &Tree) -> Vec<BuiltColumn> {
        for column in &mut self.0 {
            column.header.root_after = after.subtree(&column.header.prefix);
        }
        self.0
    }
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

/// A range of paths with the accesses of every row that fall in it.
struct Range<'a> {
    prefix: Prefix,
    cells: Cells<'a>,
}

impl<'a> Range<'a> {
    fn new(prefix: Prefix, rows: &'a [Vec<Placed>]) -> Self {
        Self { prefix, cells: rows.iter().map(|row| prefix.range_of(row, |placed| &placed.path)).collect() }
    }

    fn accesses(&self) -> usize {
        self.cells.iter().map(|cell| cell.len()).sum()
    }

    fn holds_one_key(&self) -> bool {
        let mut paths = self.cells.iter().flat_map(|cell| cell.iter()).map(|placed| placed.path);
        let first = paths.next();
        paths.all(|path| Some(path) == first)
    }

    /// Both halves, the left one first; `None` if this is a whole path.
    fn halves(&self) -> Option<[Self; 2]> {
        let half = |right| {
            let prefix = self.prefix.child(right)?;
            let cells = self.cells.iter().map(|cell| prefix.range_of(cell, |placed| &placed.path)).collect();
            Some(Range { prefix, cells })
        };
        Some([half(false)?, half(true)?])
    }
}

/// Cuts the accesses of `rows` (each ascending by path) into columns with their bodies, given the state tree before the block.
///
/// # Errors
/// [`SplitError`] if the block would have too many columns.
pub fn build_columns(
    threads: &impl Parallel,
    limits: &TaskLimits,
    before: &Tree,
    rows: &[Vec<Placed>],
) -> Result<OpenColumns, SplitError> {
    let whole = Range { prefix: Prefix::root(), cells: rows.iter().map(Vec::as_slice).collect() };
    let most = most_columns(whole.accesses());
    let has_few = |range: &Range<'_>| range.accesses() <= limits.column_accesses as usize || range.holds_one_key();
    let mut ranges = Vec::new();
    cut(whole, most, has_few, &mut ranges)?;
    let mut built = Vec::new();
    while !ranges.is_empty() {
        let columns = threads.map(&ranges, |range| build_column(before, range));
        let mut too_long = Vec::new();
        for (range, column) in ranges.into_iter().zip(columns) {
            if column.body.len() <= limits.column_body_bytes as usize || range.holds_one_key() {
                built.push(column);
            } else {
                too_long.push(range);
            }
        }
        ranges = Vec::new();
        for range in too_long {
            let halves = range.halves().ok_or(SplitError)?;
            for half in halves {
                cut(half, most - built.len().min(most), has_few, &mut ranges)?;
            }
        }
    }
    built.sort_unstable_by_key(|column| column.header.prefix);
    Ok(with_hashes(threads, built))
}

/// The columns of a block that was cut before, into ranges with these prefixes: what [`build_columns`] gave.
pub(crate) fn build_columns_at(
    threads: &impl Parallel,
    prefixes: impl IntoIterator<Item = Prefix>,
    before: &Tree,
    rows: &[Vec<Placed>],
) -> OpenColumns {
    let ranges: Vec<Range<'_>> = prefixes.into_iter().map(|prefix| Range::new(prefix, rows)).collect();
    with_hashes(threads, threads.map(&ranges, |range| build_column(before, range)))
}

/// For each of these prefixes, the tree of the cells of `rows`.
pub(crate) fn cells_at(
    threads: &impl Parallel,
    prefixes: impl IntoIterator<Item = Prefix>,
    rows: &[Vec<Placed>],
) -> Vec<Paths> {
    let ranges: Vec<Range<'_>> = prefixes.into_iter().map(|prefix| Range::new(prefix, rows)).collect();
    threads.map(&ranges, |range| cells_tree(&range.cells))
}

fn with_hashes(threads: &impl Parallel, mut built: Vec<BuiltColumn>) -> OpenColumns {
    let hashes = wire::body_hashes(threads, &built.iter().map(|column| column.body.as_slice()).collect::<Vec<_>>());
    for (column, hash) in built.iter_mut().zip(hashes) {
        column.header.body_hash = hash;
    }
    OpenColumns(built)
}

/// Halves `range` until all parts are as `fits` wants them, which go to `parts`, of which there must be no more than `most`.
fn cut<'a>(
    range: Range<'a>,
    most: usize,
    fits: impl Fn(&Range<'a>) -> bool,
    parts: &mut Vec<Range<'a>>,
) -> Result<(), SplitError> {
    let mut ahead = alloc::vec![range];
    while let Some(range) = ahead.pop() {
        if fits(&range) {
            parts.push(range);
        } else {
            // Only a range of one key reaches the last bit, and that is not split.
            let [left, right] = range.halves().ok_or(SplitError)?;
            ahead.extend([right, left]);
        }
        if parts.len() + ahead.len() > most {
            return Err(SplitError);
        }
    }
    Ok(())
}

/// A column, but for the hash of its body and of the range after the block.
fn build_column(before: &Tree, range: &Range<'_>) -> BuiltColumn {
    let Range { prefix, cells } = range;
    let Indexed { paths, keys, indexes } = index(cells);
    let mut rest = indexes.as_slice();
    let listed = cells.iter().zip(0..).filter(|(cell, _)| !cell.is_empty()).map(|(cell, row)| {
        let of_row = rest.split_off(..cell.len()).unwrap_or_default();
        (row, of_row.iter().copied().zip(cell.iter().map(|placed| placed.access.after.as_ref())))
    });
    let proof = before.prove(prefix, &paths);
    let body = Packed::new([keys.len(), indexes.len()], &keys, listed, &proof);
    let body = wire::encode_about(&body, body.bytes_about());
    let tree = cells_tree(cells);
    let header = ColumnHeader {
        prefix: *prefix,
        root_before: before.subtree(prefix),
        root_after: NodeHash::EMPTY,
        cells_root: tree.root(),
        access_count: range.accesses() as u32,
        body_hash: B256::ZERO,
    };
    BuiltColumn { header, body, cells: tree }
}

fn cells_tree(cells: &Cells<'_>) -> Paths {
    let leaves = merkle::leaf_hashes(cells.iter().map(|cell| cell_leaf(cell.iter().map(|placed| &placed.access))));
    merkle::paths(&leaves)
}

/// The keys of a range.
struct Indexed {
    /// Their paths, ascending.
    paths: Vec<B256>,
    /// Each as the first row that uses it found it.
    keys: Vec<ColumnKey>,
    /// Which of them every access uses, row after row.
    indexes: Vec<u32>,
}

fn index(cells: &Cells<'_>) -> Indexed {
    let uses: Vec<(&Placed, usize)> = cells.iter().flat_map(|cell| cell.iter()).zip(0..).collect();
    let (paths, keys) = (Vec::with_capacity(uses.len()), Vec::with_capacity(uses.len()));
    let mut found = Indexed { paths, keys, indexes: alloc::vec![0; uses.len()] };
    // Keeps the order of the rows.
    for (Placed { path, access }, at) in by_path(uses.iter(), |(placed, _)| &placed.path) {
        if found.paths.last() != Some(path) {
            found.paths.push(*path);
            found.keys.push(ColumnKey { key: access.key, version: access.version, value: access.before });
        }
        if let Some(index) = found.indexes.get_mut(*at) {
            *index = found.paths.len() as u32 - 1;
        }
    }
    found
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
