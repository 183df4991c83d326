//! Signatures: ECDSA over secp256k1 as Ethereum uses it, the 32-byte hash signed and the signer recovered.
//!
//! A [`Signature`] that exists is well formed: r and s in [1, n), s in the lower half (EIP-2), a parity of 0 or 1. So of a
//! signature and its twin (r, n - s) only one exists here, and bytes that anyone can alter never name the same vote twice.
//!
//! Recovery handles public data only and takes variable time. Signing is RFC 6979, deterministic and constant-time; a
//! verifier in a tab signs with it, and there is no other source of randomness in this crate.

use crate::{hash::keccak256, wire};
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, B512, FixedBytes, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

mod backend;
#[cfg(any(target_arch = "x86_64", target_arch = "wasm32"))]
mod lanes;
#[cfg(feature = "libsecp256k1")]
mod library;
mod portable;

pub use backend::Backend;

/// The order n of the group, big-endian (SEC 2, section 2.4.1).
const ORDER: B256 = B256::new([
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
]);
/// (n - 1) / 2, the greatest s that EIP-2 allows.
const HALF_ORDER: B256 = B256::new([
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e,
    0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
]);

/// Why something is not a signature, or not one of any key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// r is zero or not below the order of the group.
    ROutOfRange,
    /// s is zero or not below the order of the group.
    SOutOfRange,
    /// s is in the upper half (EIP-2).
    HighS,
    /// The parity byte is neither 0 nor 1 (nor, from a wallet, 27 or 28).
    Parity,
    /// No public key makes this signature of this hash: r is on no point, or the key would be the point at infinity.
    NoKey,
    /// The secret key is zero or not below the order of the group.
    SecretKey,
}

impl core::fmt::Display for SignatureError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::ROutOfRange => "r of the signature is out of range",
            Self::SOutOfRange => "s of the signature is out of range",
            Self::HighS => "s of the signature is in the upper half",
            Self::Parity => "parity of the signature is not 0 or 1",
            Self::NoKey => "no key makes this signature",
            Self::SecretKey => "secret key is out of range",
        })
    }
}

impl core::error::Error for SignatureError {}

/// A well-formed signature in 65 bytes: r, s (32 bytes each, big-endian) and the parity of the y coordinate of R, 0 or 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 65]);

impl Signature {
    /// The signature (r, s) whose R has an odd y coordinate if `y_odd`.
    ///
    /// # Errors
    /// [`SignatureError::ROutOfRange`], [`SignatureError::SOutOfRange`] or [`SignatureError::HighS`].
    pub fn new(r: &B256, s: &B256, y_odd: bool) -> Result<Self, SignatureError> {
        if r.is_zero() || *r >= ORDER {
            return Err(SignatureError::ROutOfRange);
        }
        if s.is_zero() || *s >= ORDER {
            return Err(SignatureError::SOutOfRange);
        }
        if *s > HALF_ORDER {
            return Err(SignatureError::HighS);
        }
        let mut bytes = [0; 65];
        bytes[..32].copy_from_slice(r.as_slice());
        bytes[32..64].copy_from_slice(s.as_slice());
        bytes[64] = u8::from(y_odd);
        Ok(Self(bytes))
    }

    /// The signature (r, s) whose R has an odd y coordinate if `y_odd`, or its twin (r, n - s), whichever is one here. Both are
    /// of the same hash and key: the twin's R is the negative.
    ///
    /// # Errors
    /// [`SignatureError::ROutOfRange`] or [`SignatureError::SOutOfRange`].
    pub fn lowered(r: &B256, s: &B256, y_odd: bool) -> Result<Self, SignatureError> {
        if *s <= HALF_ORDER || *s >= ORDER {
            return Self::new(r, s, y_odd);
        }
        let [order, s] = [&ORDER, s].map(|number| U256::from_be_bytes(number.0));
        Self::new(r, &B256::from(order.wrapping_sub(s)), !y_odd)
    }

    /// The signature with these 65 bytes.
    ///
    /// # Errors
    /// Those of [`Signature::new`], and [`SignatureError::Parity`].
    pub fn from_bytes(bytes: &[u8; 65]) -> Result<Self, SignatureError> {
        Self::parse(bytes, 0)
    }

    /// The signature in the 65 bytes that a wallet returns (`eth_signTypedData_v4`): their last byte is 27 or 28, or 0 or
    /// 1 as some hardware wallets have it.
    ///
    /// # Errors
    /// Those of [`Signature::from_bytes`].
    pub fn from_wallet(bytes: &[u8; 65]) -> Result<Self, SignatureError> {
        Self::parse(bytes, if bytes[64] < 27 { 0 } else { 27 })
    }

    fn parse(bytes: &[u8; 65], even: u8) -> Result<Self, SignatureError> {
        let [fields @ .., parity] = bytes;
        let (r, s) = fields.split_at(32);
        let y_odd = match parity.wrapping_sub(even) {
            0 => false,
            1 => true,
            _ => return Err(SignatureError::Parity),
        };
        Self::new(&B256::from_slice(r), &B256::from_slice(s), y_odd)
    }

    /// The 65 bytes.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// r, big-endian.
    pub fn r(&self) -> B256 {
        B256::from_slice(&self.0[..32])
    }

    /// s, big-endian.
    pub fn s(&self) -> B256 {
        B256::from_slice(&self.0[32..64])
    }

    /// Whether the y coordinate of R is odd.
    pub const fn y_odd(&self) -> bool {
        self.0[64] == 1
    }
}

impl core::fmt::Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Signature({})", FixedBytes(self.0))
    }
}

impl TryFrom<&alloy_primitives::Signature> for Signature {
    type Error = SignatureError;

    fn try_from(other: &alloy_primitives::Signature) -> Result<Self, SignatureError> {
        Self::new(&other.r().into(), &other.s().into(), other.v())
    }
}

impl From<&Signature> for alloy_primitives::Signature {
    fn from(signature: &Signature) -> Self {
        Self::new(U256::from_be_bytes(signature.r().0), U256::from_be_bytes(signature.s().0), signature.y_odd())
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::raw::serialize(&FixedBytes(self.0), serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let FixedBytes(bytes) = wire::raw::deserialize(deserializer)?;
        Self::from_bytes(&bytes).map_err(D::Error::custom)
    }
}

/// The address of a public key, given as its two coordinates: the last 20 bytes of their Keccak-256.
pub fn address_of(public_key: &B512) -> Address {
    Address::from_word(keccak256(public_key))
}

/// The public key (x, y; 32 bytes each, big-endian) under which `signature` is one of `prehash`.
///
/// The key is computed once and not verified again: that it satisfies the verification equation is how it is found.
///
/// # Errors
/// [`SignatureError::NoKey`].
pub fn recover_public_key(prehash: &B256, signature: &Signature) -> Result<B512, SignatureError> {
    Backend::fastest(1).recover_public_key(prehash, signature)
}

/// The address whose key made `signature` of `prehash`.
///
/// # Errors
/// [`SignatureError::NoKey`].
pub fn recover(prehash: &B256, signature: &Signature) -> Result<Address, SignatureError> {
    recover_public_key(prehash, signature).map(|key| address_of(&key))
}

/// [`recover`] for many signatures at once, each with its own answer, in order.
///
/// Cheaper for each than one by one, since inversions are shared and lanes are filled; never with another answer.
pub fn recover_many(signed: &[(B256, Signature)]) -> Vec<Result<Address, SignatureError>> {
    Backend::fastest(signed.len()).recover_many(signed)
}

/// A secret key, which signs in constant time and is wiped when dropped.
pub struct SecretKey {
    key: k256::ecdsa::SigningKey,
    address: Address,
}

impl SecretKey {
    /// The key with these bytes, a big-endian scalar.
    ///
    /// # Errors
    /// [`SignatureError::SecretKey`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SignatureError> {
        let key = k256::ecdsa::SigningKey::from_bytes(&(*bytes).into()).map_err(|_| SignatureError::SecretKey)?;
        let public_key = portable::coordinates(key.verifying_key().as_affine()).ok_or(SignatureError::SecretKey)?;
        Ok(Self { key, address: address_of(&public_key) })
    }

    /// The address of the key.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// The signature of `prehash`, always the same for the same hash (RFC 6979 with SHA-256), with s in the lower half.
    ///
    /// The one signature in 2^127 whose r was reduced modulo n has no parity byte that recovers its key, in Ethereum's
    /// form; nobody can find a hash that meets it.
    pub fn sign(&self, prehash: &B256) -> Signature {
        let (signature, id) = self.key.sign_prehash_recoverable(prehash.as_slice());
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = u8::from(id.is_y_odd());
        Signature(bytes)
    }
}

impl core::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SecretKey of {}", self.address)
    }
}
