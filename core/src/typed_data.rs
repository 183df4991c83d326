//! EIP-712 typed data: what a wallet shows, signs, and a contract can check.
//!
//! Attestations, delegations and promises are signed in this form and in no other. A digest names the chain twice, by its id
//! and by its genesis hash, so nothing signed for one chain means anything on another.
//!
//! Only what these need is here: flat structs of `uint64`, `address`, `bytes32` and `bytes`.

use crate::hash::{Preimage, keccak256};
use alloy_primitives::{Address, B256, U256};

/// The type of the signing domain.
pub const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)";
/// `name` of the signing domain.
pub const DOMAIN_NAME: &str = "Ocelli";
/// `version` of the signing domain.
pub const DOMAIN_VERSION: &str = "1";

/// The EIP-712 domain of one chain; the salt is its genesis hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningDomain(B256);

impl SigningDomain {
    /// The domain of the chain `chain_id` with this genesis hash.
    pub fn new(chain_id: u64, genesis: &B256) -> Self {
        let separator = StructHash::of_type(DOMAIN_TYPE)
            .bytes(DOMAIN_NAME.as_bytes())
            .bytes(DOMAIN_VERSION.as_bytes())
            .uint(chain_id)
            .bytes32(genesis)
            .finish();
        Self(separator)
    }

    /// `domainSeparator` of EIP-712.
    pub const fn separator(&self) -> B256 {
        self.0
    }
}

/// A struct that is signed as typed data.
pub trait TypedData {
    /// `encodeType` of EIP-712: the name and the members with their types.
    const TYPE: &'static str;

    /// `hashStruct` of EIP-712.
    fn struct_hash(&self) -> B256;

    /// The hash that is signed in `domain`.
    fn digest(&self, domain: &SigningDomain) -> B256 {
        Preimage::new().bytes(b"\x19\x01").b256(&domain.0).b256(&self.struct_hash()).hash()
    }
}

/// `hashStruct` under construction: the hash of the type, then one word for each member.
#[derive(Clone, Debug)]
pub(crate) struct StructHash(Preimage);

impl StructHash {
    pub(crate) fn of<T: TypedData>() -> Self {
        Self::of_type(T::TYPE)
    }

    fn of_type(encoded: &str) -> Self {
        Self(Preimage::new().b256(&keccak256(encoded)))
    }

    /// A `uint64` or wider.
    pub(crate) fn uint(self, value: u64) -> Self {
        Self(self.0.u256(&U256::from(value)))
    }

    /// An `address`.
    pub(crate) fn address(self, value: &Address) -> Self {
        Self(self.0.b256(&value.into_word()))
    }

    /// A `bytes32`.
    pub(crate) fn bytes32(self, value: &B256) -> Self {
        Self(self.0.b256(value))
    }

    /// A `bytes` or a `string`.
    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        Self(self.0.b256(&keccak256(value)))
    }

    pub(crate) fn finish(self) -> B256 {
        self.0.hash()
    }
}
