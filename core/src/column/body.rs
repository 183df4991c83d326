//! The body of a column: the keys used in it, what each row did to them, and one proof for all.

use super::packed;
use crate::{
    key::Key,
    tree::Proof,
    value::{Value, Version},
};
use alloc::{boxed::Box, vec::Vec};
use serde::Deserialize;

/// A key of a column, with version and value before the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnKey {
    /// The key.
    pub key: Key,
    /// Its version before the block; 0 says that it was never written.
    pub version: Version,
    /// What it held before the block.
    pub value: Value,
}

/// One row's use of one key of the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellAccess {
    /// The key, by its index in [`ColumnBody::keys`].
    pub key: u32,
    /// What the key holds after the row, if the row changed it. Behind a pointer, so that an access that changed nothing, two
    /// bytes of a body, takes little memory.
    pub after: Option<Box<Value>>,
}

/// One row's accesses in the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowCell {
    /// The row, by its index in the block.
    pub row: u32,
    /// Strictly ascending by key; never empty.
    pub accesses: Vec<CellAccess>,
}

/// The body of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ColumnBody {
    /// The keys used by any row, strictly ascending by path.
    #[serde(deserialize_with = "packed::keys")]
    pub keys: Vec<ColumnKey>,
    /// The rows that use any key, strictly ascending.
    #[serde(deserialize_with = "packed::cells")]
    pub cells: Vec<RowCell>,
    /// Proves the keys' versions and values, or their absence, under `root_before`.
    pub proof: Proof,
}
