//! Delegations: an owner's signed word that a session key may attest for it for a while.
//!
//! A tab makes the session key itself and asks the owner's wallet once. The key can attest and do nothing else: a
//! delegation is typed data of its own, which no contract takes for anything.

use crate::{
    signature::{self, SecretKey, Signature, SignatureError},
    typed_data::{SigningDomain, StructHash, TypedData},
};
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// A session key and until when it may attest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The address of the session key.
    #[serde(with = "crate::wire::raw")]
    pub session: Address,
    /// Unix seconds. The key may attest headers with an earlier time; nobody's clock is asked.
    pub expires: u64,
}

impl Delegation {
    /// Whether the session key may attest a header with this time, in Unix milliseconds.
    pub const fn is_valid_at(&self, time_ms: u64) -> bool {
        time_ms < self.expires.saturating_mul(1_000)
    }
}

impl TypedData for Delegation {
    const TYPE: &'static str = "Delegation(address session,uint64 expires)";

    fn struct_hash(&self) -> B256 {
        StructHash::of::<Self>().address(&self.session).uint(self.expires).finish()
    }
}

/// A delegation with its owner's signature, not yet verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedDelegation {
    /// What is delegated.
    pub delegation: Delegation,
    /// The owner's signature of the delegation's digest.
    pub signature: Signature,
}

impl SignedDelegation {
    /// Signs `delegation` with the owner's key, where no wallet does.
    pub fn new(delegation: Delegation, owner: &SecretKey, domain: &SigningDomain) -> Self {
        Self { delegation, signature: owner.sign(&delegation.digest(domain)) }
    }

    /// The owner who signed.
    ///
    /// # Errors
    /// [`SignatureError::NoKey`].
    pub fn owner(&self, domain: &SigningDomain) -> Result<Address, SignatureError> {
        signature::recover(&self.delegation.digest(domain), &self.signature)
    }
}
