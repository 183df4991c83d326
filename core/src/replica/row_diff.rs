//! What a row does to state, without how it came to do it.

use crate::{
    access::Access,
    key::Key,
    limits::ROW_ACCESSES,
    value::{Value, Version},
    wire,
};
use alloc::vec::Vec;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

/// One write of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The key.
    pub key: Key,
    /// Its version before the row; one more after it.
    pub version: Version,
    /// What it holds after the row.
    pub after: Value,
}

/// Why a list of writes is not a row's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiffError {
    /// More writes than a row may have accesses.
    TooMany,
    /// The keys are not strictly ascending.
    NotAscending,
    /// A key is written with a value of another kind, or with one that is never written.
    NotAValue(Key),
    /// No version comes after this key's.
    LastVersion(Key),
}

impl core::fmt::Display for DiffError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooMany => write!(f, "more than {ROW_ACCESSES} writes"),
            Self::NotAscending => write!(f, "keys are not strictly ascending"),
            Self::NotAValue(key) => write!(f, "{key:?} cannot hold the value written"),
            Self::LastVersion(key) => write!(f, "{key:?} has the last version"),
        }
    }
}

impl core::error::Error for DiffError {}

/// All writes of one row: as many as a row may have, strictly ascending by key, of values that the keys can hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Diff>", try_from = "Vec<Diff>")]
pub struct RowDiff {
    diffs: Vec<Diff>,
    id: B256,
}

impl RowDiff {
    /// The row with the writes `diffs`.
    ///
    /// # Errors
    /// [`DiffError`].
    pub fn new(diffs: Vec<Diff>) -> Result<Self, DiffError> {
        if diffs.len() > ROW_ACCESSES {
            return Err(DiffError::TooMany);
        }
        if !diffs.is_sorted_by(|a, b| a.key < b.key) {
            return Err(DiffError::NotAscending);
        }
        for diff in &diffs {
            if !diff.after.fits(&diff.key) {
                return Err(DiffError::NotAValue(diff.key));
            }
            if diff.version == Version::MAX {
                return Err(DiffError::LastVersion(diff.key));
            }
        }
        let id = wire::body_hash(&wire::encode(&diffs));
        Ok(Self { diffs, id })
    }

    /// The writes among a row's `accesses`, which may come in any order.
    ///
    /// # Errors
    /// [`DiffError`], if these are no row's accesses.
    pub fn of<'a>(accesses: impl IntoIterator<Item = &'a Access>) -> Result<Self, DiffError> {
        let written = |access: &Access| Some(Diff { key: access.key, version: access.version, after: access.after? });
        let mut diffs: Vec<Diff> = accesses.into_iter().filter_map(written).collect();
        diffs.sort_unstable_by_key(|diff| diff.key);
        Self::new(diffs)
    }

    /// What it is known by: a hash of the writes. Two rows that write the same are one to a replica.
    pub const fn id(&self) -> B256 {
        self.id
    }

    /// The writes, strictly ascending by key.
    pub fn diffs(&self) -> &[Diff] {
        &self.diffs
    }
}

impl From<RowDiff> for Vec<Diff> {
    fn from(row: RowDiff) -> Self {
        row.diffs
    }
}

impl TryFrom<Vec<Diff>> for RowDiff {
    type Error = DiffError;

    fn try_from(diffs: Vec<Diff>) -> Result<Self, DiffError> {
        Self::new(diffs)
    }
}
