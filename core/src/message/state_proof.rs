//! Proofs of what keys hold after a block.

use crate::{
    header::Header,
    key::Key,
    limits,
    prefix::Prefix,
    tree::{NodeHash, Proof, ProofError, Touched, Tree},
    value::{Value, Version},
    wire::{self, WireError},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What one key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenKey {
    /// The key.
    pub key: Key,
    /// How many rows have written it; zero if it has no leaf.
    pub version: Version,
    /// What it holds; the absent value if it has no leaf.
    pub value: Value,
}

/// What some keys hold after a block, with the proof of it under the block's state root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateProof {
    /// The block's height.
    pub height: u64,
    /// The keys, strictly ascending by path; at most [`limits::PROOF_KEYS`].
    #[serde(deserialize_with = "wire::at_most::<{ limits::PROOF_KEYS }, _, _>")]
    pub leaves: Vec<ProvenKey>,
    /// The proof, from the root of the whole tree.
    pub proof: Proof,
}

/// Why a proof of state proves nothing. It says nothing about the block: ask elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateProofError {
    /// It is about the block at this height, and the header given is another one's.
    OtherHeight(u64),
    /// More than [`limits::PROOF_KEYS`] keys, or none.
    KeyCount(usize),
    /// A key is said to hold what it cannot hold.
    NotAValue(Key),
    /// The tree's proof does not hold.
    Proof(ProofError),
}

impl core::fmt::Display for StateProofError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OtherHeight(height) => write!(f, "a proof about block {height}, which is another one"),
            Self::KeyCount(count) => write!(f, "{count} keys where 1 to {} are allowed", limits::PROOF_KEYS),
            Self::NotAValue(key) => write!(f, "{key:?} cannot hold that"),
            Self::Proof(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for StateProofError {}

impl StateProof {
    /// Proves what `keys`, each named once or more often and in any order, hold in `tree`, the state after block `height`.
    pub fn new(height: u64, tree: &Tree, keys: &[Key]) -> Self {
        let mut placed: Vec<_> = keys.iter().map(|key| (key.path(), *key)).collect();
        placed.sort_unstable();
        placed.dedup();
        let paths: Vec<_> = placed.iter().map(|(path, _)| *path).collect();
        let leaves = placed.iter().map(|(path, key)| {
            let found = tree.get(path).map(|leaf| (leaf.version, leaf.value));
            let (version, value) = found.unwrap_or_else(|| (0, Value::absent(key)));
            ProvenKey { key: *key, version, value }
        });
        Self { height, leaves: leaves.collect(), proof: tree.prove(&Prefix::root(), &paths) }
    }

    /// Checks the proof against the header of its block, and returns the keys with what they hold.
    ///
    /// Whether the header is to be believed, and whether these are the keys asked for, is for the caller to know.
    ///
    /// # Errors
    /// [`StateProofError`].
    pub fn verify(&self, header: &Header) -> Result<&[ProvenKey], StateProofError> {
        if self.height != header.height {
            return Err(StateProofError::OtherHeight(self.height));
        }
        // A proof about nothing would be about the root alone, and proves no more than the header does.
        if self.leaves.is_empty() || self.leaves.len() > limits::PROOF_KEYS {
            return Err(StateProofError::KeyCount(self.leaves.len()));
        }
        if let Some(wrong) = self.leaves.iter().find(|leaf| !leaf.value.fits(&leaf.key)) {
            return Err(StateProofError::NotAValue(wrong.key));
        }
        let touched: Vec<Touched> = self
            .leaves
            .iter()
            .map(|leaf| Touched { path: leaf.key.path(), version: leaf.version, value: leaf.value })
            .collect();
        let root = NodeHash(header.state_root);
        self.proof.open(&Prefix::root(), root, &touched).map_err(StateProofError::Proof)?;
        Ok(&self.leaves)
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
        wire::decode(bytes, limits::STATE_PROOF_BYTES)
    }
}
