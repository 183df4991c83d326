//! Recovery by libsecp256k1, Bitcoin Core's C library: sooner than [`super::portable`] for one signature, and for many on a
//! processor without lanes. Only in native builds that ask for it (feature `libsecp256k1`).

use super::Signature;
use alloy_primitives::{B256, B512};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};

/// The public key under which `signature` is one of `prehash`.
pub(super) fn recover(prehash: &B256, signature: &Signature) -> Option<B512> {
    let [fields @ .., _] = signature.as_bytes();
    let parity = if signature.y_odd() { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(fields, parity).ok()?;
    let key = signature.recover(Message::from_digest(prehash.0)).ok()?;
    B512::try_from(key.serialize_uncompressed().get(1..)?).ok()
}
