//! What JavaScript is given: plain objects, whose TypeScript types are made from these.
//!
//! Integers of 64 bits become numbers; one above 2^53 is refused as an error, which no block of a chain at ten blocks a
//! second reaches. Hashes and addresses are `0x` and lower-case hexadecimal, bytes are `Uint8Array`s.

use crate::error::Failure;
use alloy_primitives::{Address, B256};
use ocelli_core::{
    certificate::CertifiedBlock,
    manifest::{ColumnHeader, RowHeader, RowKind},
    refusal::NotCommitted,
};
use serde::{Deserialize, Serialize, Serializer};
use tsify::Tsify;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

#[wasm_bindgen(typescript_custom_section)]
const HEX: &str = "/** `0x` and lower-case hexadecimal digits. */\nexport type Hex = `0x${string}`;";

/// `value` as a plain object.
pub(crate) fn to_js<T: Serialize>(value: &T) -> Result<JsValue, Failure> {
    // Without this, `None` would be `undefined` but lists of bytes would be arrays of numbers either way.
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(false);
    value.serialize(&serializer).map_err(Failure::from)
}

/// Bytes that become a `Uint8Array`.
#[derive(Clone, Debug)]
pub struct Binary(pub Vec<u8>);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// How a check ended.
#[derive(Clone, Debug, Serialize, Tsify)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Verdict {
    /// What the block commits to holds.
    Valid,
    /// The block is wrong, and `evidence` proves it to anyone.
    Fault {
        /// What is wrong, for people.
        description: String,
        /// The encoded evidence.
        #[tsify(type = "Uint8Array<ArrayBuffer>")]
        evidence: Binary,
    },
    /// What was given is not what the block commits to. It says nothing about the block: ask elsewhere.
    NotCommitted {
        /// Which part of it is not.
        #[tsify(type = "NotCommittedPart")]
        part: &'static str,
        /// Why, for people.
        reason: String,
    },
}

#[wasm_bindgen(typescript_custom_section)]
const PART: &str = "/** What was given and is not what the block commits to. */\nexport type NotCommittedPart =\n  | 'task' | 'body' | 'cells' | 'code' | 'parent' | 'chain' | 'signature' | 'manifest';";

impl From<NotCommitted> for Verdict {
    fn from(reason: NotCommitted) -> Self {
        let part = match reason {
            NotCommitted::NoSuchTask => "task",
            NotCommitted::CellPath => "cells",
            NotCommitted::NoCode(_) => "code",
            NotCommitted::Parent | NotCommitted::Ancestors => "parent",
            NotCommitted::OtherChain => "chain",
            NotCommitted::NotSigned => "signature",
            NotCommitted::Manifest => "manifest",
            _ => "body",
        };
        Self::NotCommitted { part, reason: reason.to_string() }
    }
}

/// Whether bytes are evidence against a block of this chain.
#[derive(Clone, Debug, Serialize, Tsify)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum EvidenceVerdict {
    /// They are.
    Fault {
        /// The height of the faulty block.
        height: u64,
        /// Its hash.
        #[tsify(type = "Hex")]
        block: B256,
        /// What is wrong, for people.
        description: String,
    },
    /// They are not.
    NotEvidence {
        /// Why, for people.
        reason: String,
    },
}

/// A block as far as everyone checks it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct BlockInfo {
    /// Height.
    pub height: u64,
    /// Term.
    pub term: u64,
    /// The header's hash.
    #[tsify(type = "Hex")]
    pub hash: B256,
    /// The parent's hash.
    #[tsify(type = "Hex")]
    pub parent: B256,
    /// Unix milliseconds.
    pub time_ms: u64,
    /// The root of the state after the block.
    #[tsify(type = "Hex")]
    pub state_root: B256,
    /// Gas of all transactions, after refunds.
    pub gas_used: u64,
    /// Base fee in wei.
    pub base_fee: u64,
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// Transactions.
    pub transactions: u32,
}

/// What a task is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, Tsify)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// A list of transactions to execute.
    Row,
    /// A range of state to replay.
    Column,
}

/// What a row is for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, Tsify)]
#[serde(rename_all = "kebab-case")]
pub enum RowRole {
    /// The first row, which writes the parent's hash.
    Opening,
    /// A row of transactions.
    User,
    /// The last row, which credits the fees.
    Closing,
}

/// One task of a block, as its manifest tells it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct TaskInfo {
    /// Its number: rows first, then columns.
    pub task: u32,
    /// What it is.
    pub kind: TaskKind,
    /// What the row is for; of a column, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[tsify(optional)]
    pub role: Option<RowRole>,
    /// Its index among the rows or among the columns.
    pub index: u32,
    /// Transactions; 0 for a column.
    pub transactions: u32,
    /// Keys used.
    pub accesses: u32,
    /// Gas after refunds; 0 for a column.
    pub gas_used: u64,
}

impl TaskInfo {
    pub(crate) fn of_row(index: u32, row: &RowHeader) -> Self {
        let role = match row.kind {
            RowKind::Opening => RowRole::Opening,
            RowKind::User => RowRole::User,
            RowKind::Closing => RowRole::Closing,
        };
        let RowHeader { tx_count: transactions, access_count: accesses, gas_used, .. } = *row;
        Self { task: index, kind: TaskKind::Row, role: Some(role), index, transactions, accesses, gas_used }
    }

    pub(crate) const fn of_column(rows: u32, index: u32, column: &ColumnHeader) -> Self {
        let (task, accesses) = (rows + index, column.access_count);
        Self { task, kind: TaskKind::Column, role: None, index, transactions: 0, accesses, gas_used: 0 }
    }
}

/// A verifier that the chain has registered.
#[derive(Clone, Debug, Serialize, Tsify)]
pub struct RegisteredVerifier {
    /// The owner of the votes.
    #[tsify(type = "Hex")]
    pub owner: Address,
    /// Their weight, in decimal.
    pub weight: String,
}

/// One frame of the stream. Nothing in it has been verified.
#[derive(Clone, Debug, Serialize, Tsify)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum StreamEvent {
    /// A block was sealed.
    Sealed {
        /// Its height.
        height: u64,
        /// Its term.
        term: u64,
        /// Its header's hash.
        #[tsify(type = "Hex")]
        hash: B256,
        /// The encoded signed header.
        #[tsify(type = "Uint8Array<ArrayBuffer>")]
        header: Binary,
    },
    /// Someone's attestation was accepted.
    Checked {
        /// The encoded signed attestation.
        #[tsify(type = "Uint8Array<ArrayBuffer>")]
        attestation: Binary,
        /// The height of the header voted for.
        height: u64,
        /// Its hash.
        #[tsify(type = "Hex")]
        header: B256,
        /// The tasks that the signer says it checked.
        blocks: Vec<TaskList>,
    },
    /// A certificate was formed.
    Attested {
        /// The encoded certificate.
        #[tsify(type = "Uint8Array<ArrayBuffer>")]
        certificate: Binary,
        /// The height below the first block that it certifies.
        after: u64,
        /// The height of the last block that it certifies.
        height: u64,
        /// The height of the highest header voted for: to verify it takes the blocks up to there.
        top: u64,
    },
    /// Evidence of a fault was confirmed by the sequencer.
    Fault {
        /// The height of the faulty block.
        height: u64,
        /// The hash of the evidence, by which it can be fetched.
        #[tsify(type = "Hex")]
        evidence: B256,
    },
    /// The reader fell behind: connect again.
    Lagged,
}

/// Tasks of one block.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, Tsify)]
pub struct TaskList {
    /// The block's height.
    pub height: u64,
    /// The tasks' numbers.
    #[tsify(type = "readonly number[]")]
    pub tasks: Vec<u32>,
}

/// Whom an attestation speaks for.
#[derive(Clone, Debug, Serialize, Tsify)]
pub struct VoterInfo {
    /// The owner of the vote.
    #[tsify(type = "Hex")]
    pub owner: Address,
    /// The key that signed.
    #[tsify(type = "Hex")]
    pub session: Address,
    /// Whether the owner is registered: otherwise its finds count and its votes do not.
    pub registered: bool,
}

/// What a certificate needs to know of a block.
#[derive(Clone, Debug, Deserialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct CertifiedBlockInfo {
    /// Its height.
    pub height: u64,
    /// Its term.
    pub term: u64,
    /// Its header's hash.
    #[tsify(type = "Hex")]
    pub hash: B256,
    /// Its header's time, Unix milliseconds.
    pub time_ms: u64,
    /// How many rows it has.
    pub rows: u32,
    /// How many columns it has.
    pub columns: u32,
}

impl From<CertifiedBlockInfo> for CertifiedBlock {
    fn from(info: CertifiedBlockInfo) -> Self {
        let CertifiedBlockInfo { height, term, hash, time_ms, rows, columns } = info;
        Self { height, term, hash, time_ms, tasks: rows.saturating_add(columns) }
    }
}

/// Which blocks a certificate speaks of.
#[derive(Clone, Copy, Debug, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSpan {
    /// The height below the first block that it certifies.
    pub after: u64,
    /// The height of the last block that it certifies.
    pub height: u64,
    /// The height of the highest header voted for: to verify it takes the blocks up to there.
    pub top: u64,
}

/// Whether a certificate certifies.
#[derive(Clone, Debug, Serialize, Tsify)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum CertificateVerdict {
    /// It does.
    Valid {
        /// The height below the first block that it certifies.
        after: u64,
        /// The height of the last block that it certifies.
        height: u64,
        /// That block's hash.
        #[tsify(type = "Hex")]
        block: B256,
        /// How many attestations it holds.
        attestations: u32,
    },
    /// It does not.
    Invalid {
        /// Why, for people.
        reason: String,
    },
}
