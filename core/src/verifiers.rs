//! The registered verifiers of a chain, and their weights.

use crate::{
    hash::{Domain, Preimage},
    limits,
    row::body::ascending,
};
use alloc::vec::Vec;
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// One registered verifier: the owner of votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The owner's address.
    #[serde(with = "crate::wire::raw")]
    pub owner: Address,
    /// The weight of its vote; never zero.
    pub weight: u64,
}

/// Why a list is not a set of verifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifierSetError {
    /// The owners are not strictly ascending.
    NotAscending,
    /// An owner has no weight.
    NoWeight,
    /// More than [`limits::VERIFIERS`].
    TooMany,
}

impl core::fmt::Display for VerifierSetError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAscending => "verifiers are not strictly ascending by address",
            Self::NoWeight => "a verifier has a weight of zero",
            Self::TooMany => "too many verifiers",
        })
    }
}

impl core::error::Error for VerifierSetError {}

/// The registered verifiers, strictly ascending by address. An empty set is a chain that nothing can attest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Registered>", into = "Vec<Registered>")]
pub struct VerifierSet {
    verifiers: Vec<Registered>,
    /// The sum of all weights: below 2^75, since there are at most 2^11 verifiers.
    total_weight: u128,
}

impl TryFrom<Vec<Registered>> for VerifierSet {
    type Error = VerifierSetError;

    fn try_from(verifiers: Vec<Registered>) -> Result<Self, VerifierSetError> {
        if verifiers.len() > limits::VERIFIERS {
            return Err(VerifierSetError::TooMany);
        }
        if !ascending(verifiers.iter().map(|verifier| verifier.owner)) {
            return Err(VerifierSetError::NotAscending);
        }
        if verifiers.iter().any(|verifier| verifier.weight == 0) {
            return Err(VerifierSetError::NoWeight);
        }
        let total_weight = verifiers.iter().map(|verifier| u128::from(verifier.weight)).sum();
        Ok(Self { verifiers, total_weight })
    }
}

impl From<VerifierSet> for Vec<Registered> {
    fn from(set: VerifierSet) -> Self {
        set.verifiers
    }
}

impl VerifierSet {
    /// The verifiers, ascending by address.
    pub fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.verifiers.iter()
    }

    /// The weight of `owner`; 0 if it is not registered.
    pub fn weight(&self, owner: &Address) -> u64 {
        let at = self.verifiers.binary_search_by_key(owner, |verifier| verifier.owner);
        at.ok().and_then(|at| self.verifiers.get(at)).map_or(0, |verifier| verifier.weight)
    }

    /// The sum of all weights.
    pub const fn total_weight(&self) -> u128 {
        self.total_weight
    }

    /// Whether `weight` is more than two thirds of all registered weight.
    pub const fn is_quorum(&self, weight: u128) -> bool {
        weight.saturating_mul(3) > self.total_weight.saturating_mul(2)
    }

    /// The hash that headers carry: owners and weights, behind the domain of verifier sets.
    pub fn hash(&self) -> B256 {
        let preimage = Preimage::of(Domain::VerifierSet, &B256::ZERO).u32(self.verifiers.len() as u32);
        let preimage = self
            .verifiers
            .iter()
            .fold(preimage, |preimage, verifier| preimage.address(&verifier.owner).u64(verifier.weight));
        preimage.hash()
    }
}
