//! What is to be multiplied: from signatures to digits.
//!
//! Q = u₁G + u₂R with u₁ = -z/r and u₂ = s/r. R is another point for every signature, so u₂ is split in two halves of 128
//! bits, which share their doublings and their digits: u₂ = k₁ + k₂λ, where λ(x, y) = (βx, y) (GLV). G is always the same, so
//! multiples of it are in a table, and u₁ needs no splitting.

use super::{
    super::{Signature, portable::invert_all},
    eisenstein::{self, Digit},
    field::Words,
};
use alloc::{vec, vec::Vec};
use alloy_primitives::B256;
use k256::{
    Scalar,
    elliptic_curve::{PrimeField, ops::Reduce},
};

/// How many bits a digit of u₁ has.
pub(super) const GENERATOR_BITS: usize = 10;
/// Digits of u₁, from -512 to 512, one half of them for multiples of G, one for multiples of 2^130 G: 10 · 26 = 260 bits hold 256
/// and the carry.
pub(super) const GENERATOR_DIGITS: usize = 13;
/// How often a sum is doubled on the way.
pub(super) const DOUBLINGS: usize = eisenstein::BITS * (eisenstein::COUNT - 1);
const _: () = assert!(GENERATOR_BITS * (GENERATOR_DIGITS - 1) <= DOUBLINGS, "the generator's digits go with them");
const _: () = assert!(DOUBLINGS.is_multiple_of(2), "what they make of the start is not negated");
const _: () = assert!(GENERATOR_BITS.is_multiple_of(2), "digits of u₁ are followed by an even number of them");

/// What up to eight lanes need to know of their signatures. Of lanes that there are not, nothing is said.
///
/// Each doubling of the program negates. So digits that are followed by an odd number of them are negated.
#[derive(Clone)]
pub(super) struct Group {
    /// The x coordinate of R.
    pub(super) x: [Words; 8],
    /// The lanes whose R has an odd y coordinate.
    pub(super) y_odd: u8,
    /// The digits of u₂.
    pub(super) of_point: [PointDigits; eisenstein::COUNT],
    /// The digits of the lower and of the upper half of u₁.
    pub(super) of_generator: [[[i16; 8]; 2]; GENERATOR_DIGITS],
}

/// A digit of u₂ for each lane.
#[derive(Clone, Copy)]
pub(super) struct PointDigits {
    /// Its representative, counted from one, and negative if the digit is; 0 if there is none.
    pub(super) representative: [i16; 8],
    /// What it is but for the sign, by its place among the turns of all representatives.
    pub(super) turned: [i16; 8],
}

impl Group {
    const EMPTY: Self = Self {
        x: [[0; 4]; 8],
        y_odd: 0,
        of_point: [PointDigits { representative: [0; 8], turned: [0; 8] }; eisenstein::COUNT],
        of_generator: [[[0; 8]; 2]; GENERATOR_DIGITS],
    };

    fn set(&mut self, lane: usize, x: Words, y_odd: bool, of_generator: &Scalar, of_point: &Scalar) {
        self.x[lane] = x;
        self.y_odd |= u8::from(y_odd) << lane;
        let digits = eisenstein::digits(split(&words_of(of_point)));
        for (at, (digit, lanes)) in digits.into_iter().zip(&mut self.of_point).enumerate() {
            let Digit { representative, turned, .. } = digit;
            lanes.representative[lane] =
                i16::from(if eisenstein::BITS * at % 2 == 1 { -representative } else { representative });
            lanes.turned[lane] = i16::from(turned);
        }
        let digits = signed_digits::<GENERATOR_BITS, { 2 * GENERATOR_DIGITS }>(&words_of(of_generator));
        let (lower, upper) = digits.split_at(GENERATOR_DIGITS);
        for ((lower, upper), lanes) in lower.iter().zip(upper).zip(&mut self.of_generator) {
            lanes[0][lane] = *lower;
            lanes[1][lane] = *upper;
        }
    }
}

/// What the lanes need to know of `signed`, `lanes` signatures a group. The last group repeats its last signature in the lanes
/// that are left over.
pub(super) fn groups(signed: &[(B256, Signature)], lanes: usize) -> Vec<Group> {
    let scalar = |bytes: B256| Scalar::from_repr(bytes.0.into()).into_option().unwrap_or(Scalar::ONE);
    let inverses = invert_all(signed.iter().map(|(_, signature)| scalar(signature.r())));
    let mut groups = vec![Group::EMPTY; signed.len().div_ceil(lanes)];
    for ((signed, inverses), group) in signed.chunks(lanes).zip(inverses.chunks(lanes)).zip(&mut groups) {
        let filling = signed.last().into_iter().zip(inverses.last()).cycle();
        for (lane, ((prehash, signature), r_inverse)) in
            signed.iter().zip(inverses).chain(filling).take(lanes).enumerate()
        {
            let z = <Scalar as Reduce<k256::FieldBytes>>::reduce(&prehash.0.into());
            let of_generator = -(z * r_inverse);
            let of_point = scalar(signature.s()) * r_inverse;
            group.set(lane, words(&signature.r().0), signature.y_odd(), &of_generator, &of_point);
        }
    }
    groups
}

/// The words of a big-endian number.
pub(super) fn words(bytes: &[u8; 32]) -> Words {
    let (words, _) = bytes.as_chunks::<8>();
    let mut words = words.iter().rev().map(|word| u64::from_be_bytes(*word));
    core::array::from_fn(|_| words.next().unwrap_or(0))
}

fn words_of(scalar: &Scalar) -> Words {
    words(&scalar.to_bytes().into())
}

/// `count` digits of `number` in base 2^BITS, the lowest first, each from -2^(BITS - 1) to 2^(BITS - 1).
///
/// The number is to be below 2^(BITS · COUNT - 1), so that the last digit has no carry.
pub(super) fn signed_digits<const BITS: usize, const COUNT: usize>(number: &Words) -> [i16; COUNT] {
    let base = 1_i16 << BITS;
    let mut carry = 0;
    let digits = core::array::from_fn(|at| {
        let (word, shift) = (at * BITS / 64, at * BITS % 64);
        let [low, high] = [word, word + 1].map(|at| number.get(at).copied().unwrap_or(0));
        let bits = (low >> shift | high << 1 << (63 - shift)) as i16 & (base - 1);
        let digit = bits + carry;
        carry = i16::from(digit > base / 2);
        digit - carry * base
    });
    debug_assert_eq!(carry, 0);
    digits
}

/// k as k₁ + k₂λ mod n: of each its magnitude, below 2^128, and whether it is negative.
///
/// The lattice of (a, b) with a + bλ = 0 mod n has the basis (a₁, -b₁), (a₂, a₁) of vectors about √n long. (k, 0) is, as a
/// combination of these with real coefficients, c₁ = k · a₁ / n and c₂ = k · b₁ / n; subtracting the nearest vector of the
/// lattice leaves |k₁| ≤ (a₁ + a₂) / 2 + ε < 2^127.4 and |k₂| ≤ (a₁ + b₁) / 2 + ε < 2^127.2. (Guide to Elliptic Curve
/// Cryptography, algorithm 3.74; the constants are libsecp256k1's.) As Eisenstein integers both vectors have norm n and their sum
/// and difference 3n and n, so that what is left has norm 3n/4 + ε at most.
pub(super) fn split(k: &Words) -> [(u128, bool); 2] {
    const A1: Words = [0xe86c_90e4_9284_eb15, 0x3086_d221_a7d4_6bcd, 0, 0];
    const B1: Words = [0x6f54_7fa9_0abf_e4c3, 0xe443_7ed6_010e_8828, 0, 0];
    const A2: Words = [0x57c1_108d_9d44_cfd8, 0x14ca_50f7_a8e2_f3f6, 1, 0];
    /// 2^384 · a₁ / n and 2^384 · b₁ / n, rounded.
    const C1: Words = [0xe893_209a_45db_b031, 0x3daa_8a14_71e8_ca7f, 0xe86c_90e4_9284_eb15, 0x3086_d221_a7d4_6bcd];
    const C2: Words = [0x1571_b4ae_8ac4_7f71, 0x2212_08ac_9df5_06c6, 0x6f54_7fa9_0abf_e4c4, 0xe443_7ed6_010e_8828];
    let c1 = nearest_shifted_384(k, &C1);
    let c2 = nearest_shifted_384(k, &C2);
    let k1 = subtract(&subtract(k, &low_product(&c1, &A1)), &low_product(&c2, &A2));
    let k2 = subtract(&low_product(&c1, &B1), &low_product(&c2, &A1));
    [k1, k2].map(|number| {
        let negative = number[3] >> 63 == 1;
        let [low, high, rest @ ..] = if negative { subtract(&[0; 4], &number) } else { number };
        debug_assert_eq!(rest, [0; 2]);
        (u128::from(low) | u128::from(high) << 64, negative)
    })
}

/// a · b / 2^384 to the nearest integer.
fn nearest_shifted_384(a: &Words, b: &Words) -> Words {
    let mut product = [0_u64; 8];
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0_u64;
        for (word, b) in product[i..].iter_mut().zip(b) {
            // (2^64 - 1)² + 2 · (2^64 - 1) < 2^128
            let sum = u128::from(*a) * u128::from(*b) + u128::from(*word) + u128::from(carry);
            (*word, carry) = (sum as u64, (sum >> 64) as u64);
        }
        product[i + 4] = carry;
    }
    let [_, _, _, _, _, rounding, low, high] = product;
    let (low, carry) = low.overflowing_add(rounding >> 63);
    [low, high.wrapping_add(u64::from(carry)), 0, 0]
}

/// a · b mod 2^256
fn low_product(a: &Words, b: &Words) -> Words {
    let mut product = [0_u64; 4];
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0_u64;
        for (word, b) in product[i..].iter_mut().zip(b) {
            let sum = u128::from(*a) * u128::from(*b) + u128::from(*word) + u128::from(carry);
            (*word, carry) = (sum as u64, (sum >> 64) as u64);
        }
    }
    product
}

/// a - b mod 2^256
fn subtract(a: &Words, b: &Words) -> Words {
    let mut borrow = false;
    let mut at = a.iter().zip(b);
    core::array::from_fn(|_| {
        let (a, b) = at.next().unwrap_or((&0, &0));
        let (difference, first) = a.overflowing_sub(*b);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        borrow = first || second;
        difference
    })
}
