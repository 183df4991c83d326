//! The column check of design section 5: open, replay, put back.

use super::ColumnBody;
use crate::{
    access::{Access, cell_leaf},
    evm::Env,
    key::Key,
    limits,
    manifest::Manifest,
    merkle,
    prefix::Prefix,
    refusal::{NotCommitted, Refusal},
    row::body::ascending,
    tree::{ProofError, Touched},
    value::{Value, Version},
    wire::{self, WireError},
};
use alloc::vec::Vec;
use alloy_primitives::B256;

/// Why a committed column is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnFault {
    /// The body is longer than a column's may be.
    BodyTooLong,
    /// More accesses than a column with more than one key may have.
    TooManyAccesses,
    /// The body is not an encoded column body.
    Malformed(WireError),
    /// Keys, rows or a row's accesses are not strictly ascending.
    NotAscending,
    /// A key lies outside the column's range.
    KeyOutside(u32),
    /// A key is listed with a value that it cannot have.
    NotAValue(u32),
    /// No row uses this key.
    KeyNotUsed(u32),
    /// A row without accesses is listed, or one that the block does not have.
    Row(u32),
    /// An access names a key that is not listed.
    NoSuchKey {
        /// The row.
        row: u32,
        /// The key's index.
        key: u32,
    },
    /// A row is said to change a key to what it held already.
    NoChange {
        /// The row.
        row: u32,
        /// The key's index.
        key: u32,
    },
    /// The header counts other accesses than the body has.
    AccessCount,
    /// The proof does not prove the keys under `root_before`.
    Proof(ProofError),
    /// The cells have another root than `cells_root`.
    CellsRoot,
    /// Putting the values at the end into the proof gives another root than `root_after`.
    RootAfter,
}

/// What a column check found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedColumn {
    /// Keys used.
    pub keys: usize,
    /// Accesses of all rows.
    pub accesses: usize,
}

/// Checks column `index` of a block, given the encoding of its body.
///
/// # Errors
/// [`Refusal::Fault`] with a [`ColumnFault`] if the column is wrong, [`Refusal::NotCommitted`] if `body` is not what the block
/// commits to, which says nothing about the block.
pub fn verify_column(
    env: &Env<'_>,
    manifest: &Manifest,
    index: usize,
    body: &[u8],
) -> Result<CheckedColumn, Refusal<ColumnFault>> {
    let header = manifest.columns.get(index).ok_or(NotCommitted::NoSuchTask)?;
    if wire::body_hash(body) != header.body_hash {
        return Err(NotCommitted::Body.into());
    }
    let fault = |fault| Refusal::Fault(fault);
    let length = body.len();
    let body = open(env, length, body).map_err(fault)?;
    let touched = check_lists(&header.prefix, manifest.rows.len(), &body).map_err(fault)?;
    let accesses: usize = body.cells.iter().map(|cell| cell.accesses.len()).sum();
    if accesses != header.access_count as usize {
        return Err(fault(ColumnFault::AccessCount));
    }
    if accesses > env.params.limits.column_accesses as usize && body.keys.len() > 1 {
        return Err(fault(ColumnFault::TooManyAccesses));
    }
    let opened = body
        .proof
        .open(&header.prefix, header.root_before, &touched)
        .map_err(|error| fault(ColumnFault::Proof(error)))?;
    let (cells, after) = replay(manifest.rows.len(), &body).map_err(fault)?;
    if merkle::root(&cells) != header.cells_root {
        return Err(fault(ColumnFault::CellsRoot));
    }
    if opened.root_after(&after) != header.root_after {
        return Err(fault(ColumnFault::RootAfter));
    }
    Ok(CheckedColumn { keys: body.keys.len(), accesses })
}

fn open(env: &Env<'_>, length: usize, bytes: &[u8]) -> Result<ColumnBody, ColumnFault> {
    if length > limits::COLUMN_BODY_BYTES_ANY {
        return Err(ColumnFault::BodyTooLong);
    }
    let body: ColumnBody = wire::decode(bytes, limits::COLUMN_BODY_BYTES_ANY).map_err(ColumnFault::Malformed)?;
    if length > env.params.limits.column_body_bytes as usize && body.keys.len() > 1 {
        return Err(ColumnFault::BodyTooLong);
    }
    Ok(body)
}

/// Checks everything about the lists that needs no hashing but the keys' paths, which it returns.
fn check_lists(prefix: &Prefix, rows: usize, body: &ColumnBody) -> Result<Vec<Touched>, ColumnFault> {
    let paths = Key::paths(body.keys.iter().map(|key| &key.key));
    let touched = paths.into_iter().zip(&body.keys);
    let touched: Vec<Touched> =
        touched.map(|(path, key)| Touched { path, version: key.version, value: key.value }).collect();
    if !ascending(touched.iter().map(|touched| touched.path)) || !ascending(body.cells.iter().map(|cell| cell.row)) {
        return Err(ColumnFault::NotAscending);
    }
    for (at, (key, touched)) in body.keys.iter().zip(&touched).enumerate() {
        if !prefix.contains(&touched.path) {
            return Err(ColumnFault::KeyOutside(at as u32));
        }
        if !key.value.fits(&key.key) || (key.version == 0 && !key.value.is_absent()) {
            return Err(ColumnFault::NotAValue(at as u32));
        }
    }
    let mut used = alloc::vec![false; body.keys.len()];
    for cell in &body.cells {
        if cell.accesses.is_empty() || cell.row as usize >= rows {
            return Err(ColumnFault::Row(cell.row));
        }
        if !ascending(cell.accesses.iter().map(|access| access.key)) {
            return Err(ColumnFault::NotAscending);
        }
        for access in &cell.accesses {
            let no_such_key = ColumnFault::NoSuchKey { row: cell.row, key: access.key };
            *used.get_mut(access.key as usize).ok_or(no_such_key)? = true;
        }
    }
    used.iter().position(|used| !used).map_or(Ok(touched), |at| Err(ColumnFault::KeyNotUsed(at as u32)))
}

/// What a key has come to: version and value, and whether any row wrote it.
#[derive(Clone, Copy)]
struct Now {
    version: Version,
    value: Value,
    written: bool,
}

type After = Vec<Option<(Version, Value)>>;

/// Walks the rows in order: the leaf hash of each row's cell, and what the written keys hold at the end.
fn replay(rows: usize, body: &ColumnBody) -> Result<(Vec<B256>, After), ColumnFault> {
    let mut now: Vec<Now> =
        body.keys.iter().map(|key| Now { version: key.version, value: key.value, written: false }).collect();
    let mut leaves = alloc::vec![merkle::leaf_hash(&[]); rows];
    for cell in &body.cells {
        let mut accesses = Vec::with_capacity(cell.accesses.len());
        for access in &cell.accesses {
            accesses.push(step(body, &mut now, cell.row, access)?);
        }
        if let Some(leaf) = leaves.get_mut(cell.row as usize) {
            *leaf = merkle::leaf_hash(&cell_leaf(&accesses));
        }
    }
    let after = now.iter().map(|now| now.written.then_some((now.version, now.value))).collect();
    Ok((leaves, after))
}

fn step(body: &ColumnBody, now: &mut [Now], row: u32, access: &super::CellAccess) -> Result<Access, ColumnFault> {
    let no_such_key = ColumnFault::NoSuchKey { row, key: access.key };
    let key = body.keys.get(access.key as usize).ok_or_else(|| no_such_key.clone())?.key;
    let now = now.get_mut(access.key as usize).ok_or(no_such_key)?;
    let after = access.after.as_deref().copied();
    let found = Access { key, version: now.version, before: now.value, after };
    if let Some(after) = after {
        if after == now.value || !after.fits(&key) {
            return Err(ColumnFault::NoChange { row, key: access.key });
        }
        *now = Now { version: found.version_after(), value: after, written: true };
    }
    Ok(found)
}

/// The leaf hash of every row's cell in the column with this body, in row order; `None` if it is no valid body.
pub fn cells_of(rows: usize, body: &[u8]) -> Option<Vec<B256>> {
    let body: ColumnBody = wire::decode(body, limits::COLUMN_BODY_BYTES_ANY).ok()?;
    check_lists(&Prefix::root(), rows, &body).ok()?;
    replay(rows, &body).ok().map(|(leaves, _)| leaves)
}
