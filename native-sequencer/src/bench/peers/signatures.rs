//! Signer recovery by libsecp256k1, Bitcoin Core's C library, one signature after the other.

use alloy_primitives::{Address, B256, Signature, keccak256};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};

/// The name of the peer.
pub const NAME: &str = "libsecp256k1";

/// The address whose key made `signature` of `hash`, if there is one.
pub fn recover(hash: &B256, signature: &Signature) -> Option<Address> {
    let bytes = signature.as_bytes();
    let parity = if signature.v() { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(&bytes[..64], parity).ok()?;
    let key = signature.recover(Message::from_digest(hash.0)).ok()?;
    Some(Address::from_word(keccak256(&key.serialize_uncompressed()[1..])))
}
