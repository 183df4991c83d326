//! The manifest: the Merkle tree of row headers and column headers that a header commits to.
//!
//! Its leaves are the shape (how many rows, how many columns), the row headers in order, and the column headers in order. The
//! shape comes first so that whoever holds one path knows how many tasks the block has: a certificate needs nothing else.

use crate::{
    hash::Preimage,
    header::Header,
    limits, merkle,
    prefix::Prefix,
    tree::NodeHash,
    wire::{self, WireError},
};
use alloc::vec::Vec;
use alloy_primitives::{B256, U256};
use serde::{Deserialize, Serialize};

/// What a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowKind {
    /// The first row: writes the parent's hash.
    Opening,
    /// Transactions.
    User,
    /// The last row: credits the block's fees.
    Closing,
}

/// What a block says of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowHeader {
    /// What the row is for.
    pub kind: RowKind,
    /// Transactions.
    pub tx_count: u32,
    /// Logs of all its transactions.
    pub log_count: u32,
    /// Gas of all its transactions, after refunds.
    pub gas_used: u64,
    /// Work of all its transactions.
    pub work: u64,
    /// Base fees paid, in wei.
    #[serde(with = "crate::wire::compact")]
    pub base_fees: U256,
    /// Tips paid, in wei.
    #[serde(with = "crate::wire::compact")]
    pub tips: U256,
    /// The root over its transactions' EIP-2718 bytes.
    #[serde(with = "crate::wire::raw")]
    pub txs_root: B256,
    /// The root over its receipts.
    #[serde(with = "crate::wire::raw")]
    pub receipts_root: B256,
    /// Keys used.
    pub access_count: u32,
    /// The hash of its body's encoding.
    #[serde(with = "crate::wire::raw")]
    pub body_hash: B256,
}

impl RowHeader {
    /// Its leaf in the manifest's tree.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        Preimage::new()
            .u8(1)
            .u8(match self.kind {
                RowKind::Opening => 0,
                RowKind::User => 1,
                RowKind::Closing => 2,
            })
            .u32(self.tx_count)
            .u32(self.log_count)
            .u64(self.gas_used)
            .u64(self.work)
            .u256(&self.base_fees)
            .u256(&self.tips)
            .b256(&self.txs_root)
            .b256(&self.receipts_root)
            .u32(self.access_count)
            .b256(&self.body_hash)
            .into_bytes()
    }
}

/// What a block says of one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnHeader {
    /// The range of paths.
    pub prefix: Prefix,
    /// The hash of the range's subtree before the block.
    pub root_before: NodeHash,
    /// The hash of the range's subtree after the block.
    pub root_after: NodeHash,
    /// The root over its cells, one for each row.
    #[serde(with = "crate::wire::raw")]
    pub cells_root: B256,
    /// Accesses of all rows in the range.
    pub access_count: u32,
    /// The hash of its body's encoding.
    #[serde(with = "crate::wire::raw")]
    pub body_hash: B256,
}

impl ColumnHeader {
    fn leaf(&self) -> Vec<u8> {
        Preimage::new()
            .u8(2)
            .u16(self.prefix.length())
            .b256(&self.prefix.bits())
            .b256(&self.root_before.0)
            .b256(&self.root_after.0)
            .b256(&self.cells_root)
            .u32(self.access_count)
            .b256(&self.body_hash)
            .into_bytes()
    }
}

/// The first leaf of the manifest's tree.
pub(crate) fn shape_leaf(rows: u32, columns: u32) -> Vec<u8> {
    Preimage::new().u8(0).u32(rows).u32(columns).into_bytes()
}

/// The rows and columns of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Row headers, in row order.
    pub rows: Vec<RowHeader>,
    /// Column headers, left to right.
    pub columns: Vec<ColumnHeader>,
}

/// Why bytes are not the manifest that a header commits to. Says nothing about the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not an encoded manifest.
    Wire(WireError),
    /// A manifest with another root.
    OtherRoot,
    /// More rows or columns than a block may have.
    TooMany,
}

impl core::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "not a manifest: {error}"),
            Self::OtherRoot => f.write_str("not the manifest that the header commits to"),
            Self::TooMany => f.write_str("more rows or columns than a block may have"),
        }
    }
}

impl core::error::Error for ManifestError {}

impl Manifest {
    /// Decodes the manifest that `header` commits to.
    ///
    /// # Errors
    /// [`ManifestError`]: these bytes are something else, so ask elsewhere.
    pub fn open(header: &Header, bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = wire::decode(bytes, limits::MANIFEST_BYTES).map_err(ManifestError::Wire)?;
        if manifest.rows.len() > limits::BLOCK_ROWS || manifest.columns.len() > limits::BLOCK_COLUMNS {
            return Err(ManifestError::TooMany);
        }
        if manifest.root() != header.manifest_root {
            return Err(ManifestError::OtherRoot);
        }
        Ok(manifest)
    }

    /// Tasks of the block: its rows, then its columns.
    pub fn task_count(&self) -> u32 {
        (self.rows.len() + self.columns.len()) as u32
    }

    /// The hashes of the leaves: shape, rows, columns.
    pub fn leaf_hashes(&self) -> Vec<B256> {
        core::iter::once(shape_leaf(self.rows.len() as u32, self.columns.len() as u32))
            .chain(self.rows.iter().map(RowHeader::leaf))
            .chain(self.columns.iter().map(ColumnHeader::leaf))
            .map(|leaf| merkle::leaf_hash(&leaf))
            .collect()
    }

    /// The root that the header carries.
    pub fn root(&self) -> B256 {
        merkle::root(&self.leaf_hashes())
    }
}
