//! What the sequencer and verifiers say to each other; every message is encoded by [`crate::wire`].
//!
//! A message carries other encoded objects as bytes, so that whoever passes it on need not know what is inside. Proofs are
//! messages too: whoever has a header that it believes can believe what they say of the block.

mod receipt_proof;
mod state_proof;
mod submission;

pub use receipt_proof::{ReceiptProof, ReceiptProofError, RowPlace};
pub use state_proof::{ProvenKey, StateProof, StateProofError};
pub use submission::{Submission, Verdict, Verdicts};

use crate::{header::SignedHeader, manifest::Manifest, merkle::Frontier};
use alloc::boxed::Box;
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

/// A block as its checks need it, without bodies: with the parent's header, enough for [`crate::block::verify_block`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDocument {
    /// The signed header.
    pub signed: SignedHeader,
    /// The parent's log of ancestors.
    pub parent_ancestors: Frontier,
    /// Row headers and column headers.
    pub manifest: Manifest,
}

/// One frame of the stream that verifiers follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamMessage {
    /// A block was sealed; its document and bodies can be fetched.
    Sealed {
        /// The signed header.
        signed: Box<SignedHeader>,
        /// Rows of the block.
        rows: u32,
        /// Columns of the block.
        columns: u32,
    },
    /// Someone's attestation was accepted.
    Checked {
        /// The encoded signed attestation.
        attestation: Bytes,
    },
    /// A certificate was formed.
    Attested {
        /// The encoded certificate.
        certificate: Bytes,
    },
    /// Evidence of a fault was confirmed.
    Fault {
        /// The height of the faulty block.
        height: u64,
        /// Keccak-256 of the encoded evidence, by which it can be fetched.
        #[serde(with = "crate::wire::raw")]
        evidence: B256,
    },
    /// The reader fell behind and missed messages; it has to connect again from the height it has.
    Lagged,
}
