//! Proofs that a transaction is in a block, and of what it did there.
//!
//! Three steps: from the header's `manifest_root` to a row header, from there to the transaction under `txs_root`, and to its
//! receipt under `receipts_root`. The manifest's first leaf, its shape, says how many leaves there are, and the row header says
//! how many transactions, so no size is taken from whoever sends the proof.

use crate::{
    hash::keccak256,
    header::Header,
    limits,
    manifest::{Manifest, RowHeader, shape_leaf},
    merkle,
    receipt::Receipt,
    row::{receipt_leaves, transaction_leaves},
    wire::{self, WireError},
};
use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

/// The place of one row header in a block's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPlace {
    /// Rows of the block.
    pub rows: u32,
    /// Columns of the block.
    pub columns: u32,
    /// The path of the manifest's first leaf, its shape: rows and columns.
    pub shape_path: Vec<B256>,
    /// The row's index.
    pub index: u32,
    /// The row's header.
    pub header: RowHeader,
    /// The path of the row's leaf.
    pub path: Vec<B256>,
}

impl RowPlace {
    /// The place of row `index` of `manifest`; `None` if there is no such row.
    pub fn new(manifest: &Manifest, index: u32) -> Option<Self> {
        let header = manifest.rows.get(index as usize)?.clone();
        let paths = merkle::paths(&manifest.leaf_hashes());
        Some(Self {
            rows: manifest.rows.len() as u32,
            columns: manifest.columns.len() as u32,
            shape_path: paths.path(0),
            index,
            header,
            path: paths.path(index as usize + 1),
        })
    }

    /// Whether this is the row at that index of the block whose manifest has this root.
    pub fn is_under(&self, manifest_root: &B256) -> bool {
        let size = 1 + u64::from(self.rows) + u64::from(self.columns);
        let shape = merkle::leaf_hash(&shape_leaf(self.rows, self.columns));
        let row = merkle::leaf_hash(&self.header.leaf());
        self.index < self.rows
            && merkle::verify_path(manifest_root, &shape, 0, size, &self.shape_path)
            && merkle::verify_path(manifest_root, &row, u64::from(self.index) + 1, size, &self.path)
    }
}

/// A transaction of a block with its receipt, and the proof that the block commits to both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptProof {
    /// The block's height.
    pub height: u64,
    /// The transaction's row.
    pub row: RowPlace,
    /// The transaction's index in the row.
    pub index: u32,
    /// The transaction's EIP-2718 bytes.
    pub transaction: Bytes,
    /// Its path under the row's `txs_root`.
    pub transaction_path: Vec<B256>,
    /// Its receipt.
    pub receipt: Receipt,
    /// The receipt's path under the row's `receipts_root`.
    pub receipt_path: Vec<B256>,
}

/// Why a proof of a receipt proves nothing. It says nothing about the block: ask elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptProofError {
    /// It is about the block at this height, and the header given is another one's.
    OtherHeight(u64),
    /// The row header is not under the header's `manifest_root`.
    Row,
    /// The transaction is another one.
    OtherTransaction,
    /// The transaction is not under the row's `txs_root`.
    Transaction,
    /// The receipt is not under the row's `receipts_root`, or no log is like one of its.
    Receipt,
}

impl core::fmt::Display for ReceiptProofError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OtherHeight(height) => write!(f, "a proof about block {height}, which is another one"),
            Self::Row => f.write_str("the row is not in the block"),
            Self::OtherTransaction => f.write_str("a proof about another transaction"),
            Self::Transaction => f.write_str("the transaction is not in the row"),
            Self::Receipt => f.write_str("the receipt is not in the row"),
        }
    }
}

impl core::error::Error for ReceiptProofError {}

impl ReceiptProof {
    /// Proves transaction `index` of row `row` of the block at `height`. `transactions` and `receipts` are all those of the row.
    ///
    /// `None` if there is no such transaction.
    pub fn new(
        height: u64,
        manifest: &Manifest,
        (row, index): (u32, u32),
        transactions: &[Bytes],
        receipts: &[Receipt],
    ) -> Option<Self> {
        let at = index as usize;
        Some(Self {
            height,
            row: RowPlace::new(manifest, row)?,
            index,
            transaction: transactions.get(at)?.clone(),
            transaction_path: merkle::path(&transaction_leaves(transactions), at),
            receipt: receipts.get(at)?.clone(),
            receipt_path: merkle::path(&receipt_leaves(receipts), at),
        })
    }

    /// Checks the proof that the transaction with this hash is in the block with this header, and returns its receipt.
    ///
    /// Whether the header is to be believed is for the caller to know.
    ///
    /// # Errors
    /// [`ReceiptProofError`].
    pub fn verify(&self, transaction: &B256, header: &Header) -> Result<&Receipt, ReceiptProofError> {
        if self.height != header.height {
            return Err(ReceiptProofError::OtherHeight(self.height));
        }
        if !self.row.is_under(&header.manifest_root) {
            return Err(ReceiptProofError::Row);
        }
        if keccak256(&self.transaction) != *transaction {
            return Err(ReceiptProofError::OtherTransaction);
        }
        let (row, index) = (&self.row.header, u64::from(self.index));
        let is_under = |root, leaf: &[u8], path: &[B256]| {
            merkle::verify_path(root, &merkle::leaf_hash(leaf), index, u64::from(row.tx_count), path)
        };
        if !is_under(&row.txs_root, &self.transaction, &self.transaction_path) {
            return Err(ReceiptProofError::Transaction);
        }
        // The leaf counts topics in one byte: with more, another receipt's bytes could be read as this one's.
        let is_receipt = self.receipt.logs.iter().all(|log| log.topics.len() <= limits::LOG_TOPICS);
        if !is_receipt || !is_under(&row.receipts_root, &self.receipt.leaf(), &self.receipt_path) {
            return Err(ReceiptProofError::Receipt);
        }
        Ok(&self.receipt)
    }

    /// The transport encoding.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Decodes what [`Self::encode`] encoded.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, limits::RECEIPT_PROOF_BYTES)
    }
}
