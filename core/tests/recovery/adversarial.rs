//! Signatures that are made to meet the exceptional cases of adding points, and the edges of numbers.
//!
//! With R = kG known, s and the hash give any u₁ and u₂ in Q = u₁G + u₂R that one likes: s = u₂r and z = -u₁r.

use super::inputs::{Inputs, Signed};
use alloy_primitives::{B256, U256, uint};
use k256::{
    ProjectivePoint, Scalar,
    elliptic_curve::{PrimeField, sec1::ToSec1Point},
};
use ocelli_core::signature::Signature;
use std::vec::Vec;

const N: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
const LAMBDA: U256 = uint!(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72_U256);

fn minus(a: U256) -> U256 {
    (N - a % N) % N
}

/// The hash and signature with R = kG (or its negative, if s would be high), and u₁ and u₂ as named (or both negated).
/// None if there is no such signature.
fn made(k: U256, u1: U256, u2: U256) -> Option<Signed> {
    let k = Scalar::from_repr(k.to_be_bytes().into()).into_option()?;
    let encoded = (ProjectivePoint::GENERATOR * k).to_affine().to_sec1_point(false);
    let r = U256::from_be_slice(encoded.x()?);
    let y_odd = encoded.y()?[31] & 1 == 1;
    let (s, z) = (u2.mul_mod(r, N), minus(u1.mul_mod(r, N)));
    let high = s > N >> 1;
    let s = if high { minus(s) } else { s };
    let signature = Signature::new(&B256::from(r), &B256::from(s), y_odd ^ high).ok()?;
    // The negative of R with the negative of s is the same product; z stays.
    Some((B256::from(z), signature))
}

/// a + bλ modulo n.
fn eisenstein(a: U256, b: U256) -> U256 {
    a.add_mod(b.mul_mod(LAMBDA, N), N)
}

/// Factors that digits, tables and the split stumble over, if any.
fn factors() -> Vec<U256> {
    let powers = [5, 10, 64, 123, 125, 126, 127, 128, 129, 130, 135, 255].map(|bit| U256::from(1) << bit);
    let small = [0_u64, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 32, 511, 512, 513, 1023, 1024].map(U256::from);
    let around = powers.iter().flat_map(|power| [*power - U256::from(1), *power, *power + U256::from(1)]);
    let of_lambda = [[1, 1], [3, 1], [4, 1], [5, 2], [4, 4]].map(|[a, b]| eisenstein(U256::from(a), U256::from(b)));
    let turns = [1_u64, 2, 3, 4, 8].map(|number| LAMBDA.mul_mod(U256::from(number), N));
    // A 4 for every digit; and the longest number that the split leaves.
    let fours = (0..42).fold(U256::ZERO, |sum, _| (sum << 3) + U256::from(4));
    let corner = eisenstein(
        uint!(0xa2a8918ca85bafe22016d0b917e4dd76_U256),
        minus(uint!(0x59de565a2c9d0e2d4373f7623c1d7cd7_U256)),
    );
    let others = [LAMBDA.mul_mod(LAMBDA, N), N >> 1, fours, eisenstein(fours, fours), corner];
    let all: Vec<U256> = small.into_iter().chain(around).chain(of_lambda).chain(turns).chain(others).collect();
    all.iter().copied().chain(all.iter().copied().map(minus)).collect()
}

/// About ten thousand of them.
pub(crate) fn inputs() -> Vec<Signed> {
    let ks = || (1..=64_u64).map(U256::from).chain([LAMBDA, minus(LAMBDA), U256::from(1) << 130, N >> 1]);
    let factors = factors();
    let mut signed = without_key();
    for k in ks() {
        for (at, u2) in factors.iter().enumerate() {
            let product = u2.mul_mod(k, N);
            let u1s = [U256::ZERO, U256::from(1), minus(product), product, factors[(at * 7 + 3) % factors.len()]];
            // All of them for the smallest k, and in turns for the others.
            let turn = usize::try_from(k % U256::from(5)).unwrap_or(0);
            let chosen = if k <= U256::from(4) { 0..5 } else { (at + turn) % 5..(at + turn) % 5 + 1 };
            signed.extend(u1s[chosen].iter().filter_map(|u1| made(k, *u1, *u2)));
        }
    }
    signed.extend(edges());
    signed.extend(altered());
    signed
}

/// Keys at infinity, and r that are on no point, where a careless formula would divide by zero.
pub(crate) fn without_key() -> Vec<Signed> {
    let infinite = (1..40_u64).flat_map(|k| {
        [1_u64, 2, 3, 16, 1 << 40].into_iter().filter_map(move |u2| {
            let (k, u2) = (U256::from(k), U256::from(u2));
            made(k, minus(k.mul_mod(u2, N)), u2)
        })
    });
    let off_curve = (1..40_u64).filter_map(|r| {
        let signature = Signature::new(&B256::from(U256::from(r)), &B256::from(U256::from(1)), r % 2 == 0).ok()?;
        Some((B256::ZERO, signature))
    });
    infinite.chain(off_curve).collect()
}

/// The least and the greatest r, s and hash.
fn edges() -> Vec<Signed> {
    let one = U256::from(1);
    let rs = (1..30_u64).flat_map(|away| [U256::from(away), N - U256::from(away)]);
    let ss = [one, U256::from(2), N >> 1, (N >> 1) - one];
    let hashes = [U256::ZERO, one, N - one, N, N + one, U256::MAX];
    rs.flat_map(|r| ss.into_iter().flat_map(move |s| hashes.into_iter().map(move |hash| (r, s, hash))))
        .filter_map(|(r, s, hash)| {
            let y_odd = (r ^ s ^ hash).bit(0);
            Some((B256::from(hash), Signature::new(&B256::from(r), &B256::from(s), y_odd).ok()?))
        })
        .collect()
}

/// Random ones, and each of them with one bit flipped.
fn altered() -> Vec<Signed> {
    let flip = |(at, (hash, signature)): (usize, Signed)| {
        let (mut hash, mut bytes) = (hash, *signature.as_bytes());
        match at * 8 / 520 % 3 {
            0 => hash[at % 32] ^= 1 << (at % 8),
            _ => bytes[at % 64] ^= 1 << (at % 8),
        }
        Some([(hash, Signature::from_bytes(&bytes).ok()?), (hash, signature)])
    };
    Inputs::new(77).take(520).enumerate().filter_map(flip).flatten().collect()
}
