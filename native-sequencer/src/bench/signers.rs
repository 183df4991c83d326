//! Accounts that sign by the million.
//!
//! A measurement needs more signatures than a wallet's signer makes in good time, so the signers here prepare what of a
//! signature does not depend on the message: each has one nonce point R for all that it signs. The signatures are as valid
//! as any, and anyone can compute the keys from two of them; these keys own nothing.

use super::BenchError;
use alloy_primitives::{Address, B256, B512, Signature, U256, keccak256};
use k256::{
    AffinePoint, ProjectivePoint, Scalar,
    elliptic_curve::{BatchNormalize, PrimeField, ops::Reduce, sec1::ToSec1Point},
};
use ocelli_core::signature::address_of;
use rayon::prelude::*;

/// Signers made as one batch.
const BATCH: usize = 1_024;

/// An account that signs.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Its address.
    pub address: Address,
    r: Scalar,
    /// r times the key.
    r_key: Scalar,
    nonce_inverse: Scalar,
    y_odd: bool,
}

/// Signers 0 to `count` of the fixed sequence.
///
/// # Errors
/// [`BenchError`]; cannot happen but for one in 2^128.
pub fn signers(count: usize) -> Result<Vec<Signer>, BenchError> {
    let batches: Vec<Vec<Signer>> = (0..count)
        .into_par_iter()
        .step_by(BATCH)
        .map(|first| batch(first, BATCH.min(count - first)))
        .collect::<Option<_>>()
        .ok_or(BenchError::Invalid("a hash that is no key"))?;
    Ok(batches.into_iter().flatten().collect())
}

/// Keys, and nonces likewise, are consecutive numbers from one that is unlike any small one: their points need additions
/// only.
fn batch(first: usize, count: usize) -> Option<Vec<Signer>> {
    let key = scalar(b"key") + Scalar::from(first as u64);
    let nonce = scalar(b"nonce") + Scalar::from(first as u64);
    let (keys, nonces) = (consecutive(key, count), consecutive(nonce, count));
    let mut signers = Vec::with_capacity(count);
    for (at, (key_point, nonce_point)) in keys.iter().zip(&nonces).enumerate() {
        let step = Scalar::from(at as u64);
        let r = coordinates(nonce_point)?.0;
        signers.push(Signer {
            address: address_of(&public_key(key_point)?),
            r,
            r_key: r * (key + step),
            nonce_inverse: (nonce + step).invert_vartime().into_option()?,
            y_odd: coordinates(nonce_point)?.1,
        });
    }
    Some(signers)
}

fn scalar(name: &[u8]) -> Scalar {
    Scalar::reduce(&k256::FieldBytes::from(keccak256([b"ocelli bench ", name].concat()).0))
}

/// The points of `first`, `first + 1` and so on.
fn consecutive(first: Scalar, count: usize) -> Vec<AffinePoint> {
    let first = ProjectivePoint::GENERATOR * first;
    let points: Vec<ProjectivePoint> =
        std::iter::successors(Some(first), |point| Some(point + &AffinePoint::GENERATOR)).take(count).collect();
    ProjectivePoint::batch_normalize_vartime(points.as_slice())
}

fn public_key(point: &AffinePoint) -> Option<B512> {
    B512::try_from(point.to_sec1_point(false).as_bytes().get(1..)?).ok()
}

/// The x coordinate as a scalar, and whether y is odd.
fn coordinates(point: &AffinePoint) -> Option<(Scalar, bool)> {
    let key = public_key(point)?;
    let x = Scalar::reduce(&k256::FieldBytes::from(B256::from_slice(&key[..32]).0));
    Some((x, key[63] & 1 == 1))
}

impl Signer {
    /// The signature of `hash`: s is (hash + r key) / nonce, in the lower half.
    pub fn sign(&self, hash: &B256) -> Signature {
        let s = (Scalar::reduce(&k256::FieldBytes::from(hash.0)) + self.r_key) * self.nonce_inverse;
        let word = |scalar: Scalar| U256::from_be_bytes::<32>(scalar.to_repr().into());
        let half = word(-Scalar::ONE) >> 1;
        let (s, y_odd) = if word(s) > half { (-s, !self.y_odd) } else { (s, self.y_odd) };
        Signature::new(word(self.r), word(s), y_odd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocelli_core::signature;

    #[test]
    fn what_a_signer_signs_recovers_to_its_address() {
        let signers = signers(BATCH + 2).expect("signers");
        assert_eq!(signers.len(), BATCH + 2);
        for (at, signer) in signers.iter().enumerate().step_by(41) {
            let hash = keccak256(at.to_be_bytes());
            let signature = signature::Signature::try_from(&signer.sign(&hash)).expect("well formed");
            assert_eq!(signature::recover(&hash, &signature), Ok(signer.address));
        }
    }

    #[test]
    fn signers_have_addresses_of_their_own() {
        let mut addresses: Vec<_> = signers(3_000).expect("signers").iter().map(|signer| signer.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), 3_000);
    }
}
