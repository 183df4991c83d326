//! Transactions on their way in, many at once, and what becomes of each.

use crate::{
    limits,
    promise::SignedPromise,
    wire::{self, WireError},
};
use alloc::{string::String, vec::Vec};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

/// Transactions that are handed in together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Whether the sequencer's promise is asked for. What cannot be promised is refused then.
    pub promise: bool,
    /// The EIP-2718 bytes of each, an account's in the order of nonces; at most [`limits::SUBMISSION_TRANSACTIONS`].
    #[serde(deserialize_with = "wire::at_most::<{ limits::SUBMISSION_TRANSACTIONS }, _, _>")]
    pub transactions: Vec<Bytes>,
}

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is durable and waits for a block.
    Accepted {
        /// Its hash.
        #[serde(with = "crate::wire::raw")]
        hash: B256,
    },
    /// It is durable and promised.
    Promised(SignedPromise),
    /// It is not taken.
    Refused {
        /// Why, for programs: it stays.
        code: String,
        /// Why, in words.
        message: String,
    },
}

/// What became of a submission: one verdict for each of its transactions, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts(
    #[serde(deserialize_with = "wire::at_most::<{ limits::SUBMISSION_TRANSACTIONS }, _, _>")] pub Vec<Verdict>,
);

impl Submission {
    /// The transport encoding.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Decodes what [`Self::encode`] encoded.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, limits::SUBMISSION_BYTES)
    }
}

impl Verdicts {
    /// The transport encoding.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Decodes what [`Self::encode`] encoded.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, limits::VERDICTS_BYTES)
    }
}
