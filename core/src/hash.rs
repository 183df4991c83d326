//! Keccak-256 and the preimages that it is taken of.
//!
//! A preimage has a fixed big-endian layout, so that a Solidity contract can rebuild it with `abi.encodePacked`. What is
//! signed or stands alone begins with a domain: 32 bytes that name the type of the object, and the genesis hash of the
//! chain. What hangs under a root (leaves, cells, manifest entries) is told apart by the tree it hangs in.

mod batch;
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
mod permutation;
mod sponge;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;

pub use batch::{Backend, Batch, SHORT_BYTES, keccak256_each, keccak256_many};

use alloc::vec::Vec;
use alloy_primitives::{Address, B256, U256};
use sha3::{Digest, Keccak256};

/// Keccak-256 of `bytes`.
pub fn keccak256(bytes: impl AsRef<[u8]>) -> B256 {
    B256::new(Keccak256::digest(bytes.as_ref()).into())
}

/// The type of an object that is hashed under a domain; the name stands in the first 32 bytes of its preimage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The genesis of a chain: parameters, first state, time.
    Genesis,
    /// A block header.
    Header,
    /// The parameters of a chain.
    Params,
    /// The registered verifiers of an epoch.
    VerifierSet,
    /// The seed of an epoch.
    Seed,
}

impl Domain {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Genesis => b"ocelli genesis v1",
            Self::Header => b"ocelli header v1",
            Self::Params => b"ocelli params v1",
            Self::VerifierSet => b"ocelli verifier set v1",
            Self::Seed => b"ocelli seed v1",
        }
    }

    /// The name in ASCII, filled up with zeros to 32 bytes.
    pub fn tag(self) -> B256 {
        B256::right_padding_from(self.name())
    }
}

/// A preimage under construction: big-endian integers and fixed-length byte strings, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Preimage(Vec<u8>);

impl Preimage {
    /// An empty preimage, for what hangs under a root.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty preimage with room for so many bytes, so that it is not copied while it grows.
    pub fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A preimage that begins with the domain of `domain` on the chain `genesis`.
    pub fn of(domain: Domain, genesis: &B256) -> Self {
        Self::new().b256(&domain.tag()).b256(genesis)
    }

    /// Appends one byte.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Appends two bytes.
    pub fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends four bytes.
    pub fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends eight bytes.
    pub fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends thirty-two bytes.
    pub fn u256(self, value: &U256) -> Self {
        self.bytes(&value.to_be_bytes::<32>())
    }

    /// Appends thirty-two bytes.
    pub fn b256(self, value: &B256) -> Self {
        self.bytes(value.as_slice())
    }

    /// Appends twenty bytes.
    pub fn address(self, value: &Address) -> Self {
        self.bytes(value.as_slice())
    }

    /// Appends `bytes` as they are. The caller makes sure that their length follows from what stands before them.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The preimage itself.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Keccak-256 of the preimage.
    pub fn hash(&self) -> B256 {
        keccak256(&self.0)
    }
}
