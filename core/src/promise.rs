//! Promises: the sequencer's signed word, given at once, that a transaction will be in by a height.
//!
//! A promise is not proof of anything but that it was given. It names the height after which it was given, so which blocks
//! count is part of it, and whoever has it can judge it: [`Promise::judge`] says what became of it from headers that are
//! believed and proofs under them, [`Promise::outcome`] from the facts alone.

mod judgement;

pub use judgement::{Proofs, Undecided};

use crate::{
    limits,
    signature::{self, SecretKey, Signature, SignatureError},
    transaction::Recovered,
    typed_data::{SigningDomain, StructHash, TypedData},
    wire::{self, WireError},
};
use alloc::vec::Vec;
use alloy_primitives::{Address, B256};
use core::ops::RangeInclusive;
use serde::{Deserialize, Serialize};

/// The blocks that a promise is about: those above one height, up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The height after which the promise was given: the first block that counts is the next one.
    pub after: u64,
    /// The height of the last block that counts.
    pub height: u64,
}

/// That a transaction will be in a block not above a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Promise {
    /// The transaction's hash.
    #[serde(with = "crate::wire::raw")]
    pub transaction: B256,
    /// Its sender.
    #[serde(with = "crate::wire::raw")]
    pub sender: Address,
    /// Its nonce.
    pub nonce: u64,
    /// The height after which it was given: the base fees of the blocks above count.
    pub after: u64,
    /// The height by which it will be in.
    pub height: u64,
    /// The term of the sequencer that promises: it cannot bind a successor.
    pub term: u64,
}

/// What became of (sender, nonce) in the blocks up to the promised height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceUse {
    /// The sender's nonce is still not above the promised one.
    Unused,
    /// The promised transaction used it.
    Promised,
    /// Another transaction, an authorization (EIP-7702) or a creation by the sender's code used it.
    Other,
}

/// What decides over a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What became of (sender, nonce) in the blocks up to the promised height.
    pub nonce: NonceUse,
    /// The term of the header at the promised height.
    pub term: u64,
    /// The lowest base fee of the promise's [`Promise::blocks`], in wei.
    pub lowest_base_fee: u64,
    /// The transaction's greatest fee for a unit of gas, in wei.
    pub max_fee_per_gas: u128,
}

/// What became of a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The transaction is in.
    Kept,
    /// The transaction is not in, and could not be.
    Void(VoidReason),
    /// The transaction is not in, though it could have been.
    Broken(Breach),
}

/// Why a promise does not bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoidReason {
    /// The base fee stood above the transaction's fee in every block.
    BaseFee,
    /// Another sequencer, or the same one after a recovery, had taken over.
    HandOver,
}

/// How a promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The height came and the sender's nonce had not passed.
    NotIncluded,
    /// Something else used the sender's nonce.
    Displaced,
}

impl Promise {
    /// The promise that `transaction` will be in by the end of `window`.
    pub fn new(transaction: &Recovered, window: Window, term: u64) -> Self {
        let (sender, nonce) = (transaction.sender(), transaction.nonce());
        Self { transaction: transaction.hash(), sender, nonce, after: window.after, height: window.height, term }
    }

    /// Whether this is a promise about `transaction`: one that contradicts its transaction, or counts no block, is worthless,
    /// and whoever receives it sees that.
    pub fn is_about(&self, transaction: &Recovered) -> bool {
        let window = Window { after: self.after, height: self.height };
        self.after < self.height && *self == Self::new(transaction, window, self.term)
    }

    /// The heights of the blocks whose base fees count.
    pub const fn blocks(&self) -> RangeInclusive<u64> {
        self.after.saturating_add(1)..=self.height
    }

    /// What became of the promise. The facts are those at the promised height, which the chain has reached.
    pub fn outcome(&self, facts: &Facts) -> Outcome {
        if facts.nonce == NonceUse::Promised {
            return Outcome::Kept;
        }
        if u128::from(facts.lowest_base_fee) > facts.max_fee_per_gas {
            return Outcome::Void(VoidReason::BaseFee);
        }
        if facts.term != self.term {
            return Outcome::Void(VoidReason::HandOver);
        }
        Outcome::Broken(if facts.nonce == NonceUse::Unused { Breach::NotIncluded } else { Breach::Displaced })
    }
}

impl TypedData for Promise {
    const TYPE: &'static str =
        "Promise(bytes32 transaction,address sender,uint64 nonce,uint64 after,uint64 height,uint64 term)";

    fn struct_hash(&self) -> B256 {
        StructHash::of::<Self>()
            .bytes32(&self.transaction)
            .address(&self.sender)
            .uint(self.nonce)
            .uint(self.after)
            .uint(self.height)
            .uint(self.term)
            .finish()
    }
}

/// Why a promise is nobody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromiseError {
    /// No key makes the signature.
    Signature(SignatureError),
    /// Another key than the sequencer's signed.
    NotSequencer {
        /// The key that signed.
        found: Address,
    },
}

impl core::fmt::Display for PromiseError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Signature(error) => error.fmt(f),
            Self::NotSequencer { found } => write!(f, "signed by {found}, not by the sequencer"),
        }
    }
}

impl core::error::Error for PromiseError {}

/// A promise with its signature, not yet verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedPromise {
    /// What is promised.
    pub promise: Promise,
    /// The sequencer's signature of the promise's digest.
    pub signature: Signature,
}

impl SignedPromise {
    /// Signs `promise` with the sequencer's key.
    pub fn new(promise: Promise, key: &SecretKey, domain: &SigningDomain) -> Self {
        Self { promise, signature: key.sign(&promise.digest(domain)) }
    }

    /// Verifies that `sequencer` signed, and returns what it promised.
    ///
    /// # Errors
    /// [`PromiseError`].
    pub fn verify(&self, domain: &SigningDomain, sequencer: &Address) -> Result<&Promise, PromiseError> {
        let digest = self.promise.digest(domain);
        let found = signature::recover(&digest, &self.signature).map_err(PromiseError::Signature)?;
        if found == *sequencer { Ok(&self.promise) } else { Err(PromiseError::NotSequencer { found }) }
    }

    /// The encoding for transport.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Decodes what [`Self::encode`] encoded.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, limits::PROMISE_BYTES)
    }
}
