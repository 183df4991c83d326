//! Digits of multiples of a point, in the ring of its cheap multiples.
//!
//! Multiplication by λ turns a point by a third, at the price of one product: λ(x, y) = (βx, y), and λ² + λ + 1 = 0. So a + bλ is an
//! Eisenstein integer. It has six units, ±1, ±λ, ±λ², and a table needs one of the six points that they make of one. In base 2^3
//! there are 63 digits but for zero, a shortest number of each class modulo 8, and up to units they are the [`REPRESENTATIVES`]:
//! with 11 points in the table, a half of 128 bits and its λ-half take 43 additions together.
//!
//! The norm of a + bλ, which is multiplicative, is a² - ab + b². A number that is zero modulo n has a norm of n or more, unless
//! it is zero. So two short numbers give the same point only if they are equal, and opposite points only if they are opposite.

/// a + bλ
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Eisenstein(i8, i8);

/// ±λ^turn, a unit.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    /// 0, 1 or 2.
    pub(super) turn: usize,
    pub(super) negative: bool,
}

/// One representative as a sum: `known + unit · other`, both of them representatives that come before.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) known: usize,
    pub(super) other: usize,
    pub(super) unit: Unit,
}

/// How many bits a digit has, of each half.
pub(super) const BITS: usize = 3;
const LOW: i8 = (1 << BITS) - 1;

/// How many representatives there are.
pub(super) const REPRESENTATIVES: usize = 11;
/// Turns of a point by λ.
pub(super) const TURNS: usize = 3;

/// From 1 and 2, the first two representatives, to all of them, in rounds: those of a round need only those of rounds before.
pub(super) const ROUNDS: [&[Step]; 2] = [
    // 1 - λ, 3, 2 - λ, 2 - λ², 2 - 2λ
    &[minus(0, 1, 0), plus(1, 0), minus(1, 1, 0), minus(1, 2, 0), minus(1, 1, 1)],
    // 4, 3 - λ, 3 - λ², 3 - 2λ
    &[plus(3, 0), minus(3, 1, 0), minus(3, 2, 0), minus(3, 1, 1)],
];

/// The place of a representative's turn in a list of all of them.
pub(super) const fn turned(representative: usize, turn: usize) -> usize {
    TURNS * representative + turn
}

const fn plus(known: usize, other: usize) -> Step {
    Step { known, other, unit: Unit { turn: 0, negative: false } }
}

/// known - λ^turn · other
const fn minus(known: usize, turn: usize, other: usize) -> Step {
    Step { known, other, unit: Unit { turn, negative: true } }
}

impl Eisenstein {
    /// self · unit
    const fn times(self, unit: Unit) -> Self {
        let mut product = self;
        let mut turn = 0;
        while turn < unit.turn {
            // λ(a + bλ) = aλ + b(-1 - λ)
            product = Self(-product.1, product.0 - product.1);
            turn += 1;
        }
        if unit.negative { Self(-product.0, -product.1) } else { product }
    }

    const fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1 + other.1)
    }

    /// Which of the 64 classes modulo 8 it is in.
    const fn class(self) -> usize {
        ((self.0 & LOW) << BITS | self.1 & LOW) as usize
    }
}

/// A unit times a representative, or zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digit {
    /// The representative, counted from one, and negative if the unit is; 0 for zero.
    pub(super) representative: i8,
    /// The representative and its turn, by their place among [`turned`]; 0 for zero.
    pub(super) turned: i8,
    value: Eisenstein,
}

/// The representatives, as the rounds make them.
const VALUES: [Eisenstein; REPRESENTATIVES] = {
    let mut values = [Eisenstein(1, 0); REPRESENTATIVES];
    values[1] = Eisenstein(2, 0);
    let (mut at, mut round) = (2, 0);
    while round < ROUNDS.len() {
        let mut step = 0;
        while step < ROUNDS[round].len() {
            let Step { known, other, unit } = ROUNDS[round][step];
            values[at] = values[known].plus(values[other].times(unit));
            (at, step) = (at + 1, step + 1);
        }
        round += 1;
    }
    assert!(at == REPRESENTATIVES, "there is a step for each representative");
    values
};

/// For each class modulo 8, the digit that is in it.
const DIGITS: [Digit; 1 << (2 * BITS)] = {
    let mut digits = [ZERO; 1 << (2 * BITS)];
    let mut at = 0;
    while at < REPRESENTATIVES {
        let mut unit = Unit { turn: 0, negative: false };
        while unit.turn < TURNS {
            let value = VALUES[at].times(unit);
            // 4 and its turns are in the class of their negatives.
            if digits[value.class()].representative == 0 {
                let number = at as i8 + 1;
                digits[value.class()] = Digit {
                    representative: if unit.negative { -number } else { number },
                    turned: turned(at, unit.turn) as i8,
                    value,
                };
            }
            unit = Unit { turn: unit.turn + unit.negative as usize, negative: !unit.negative };
        }
        at += 1;
    }
    digits
};
const ZERO: Digit = Digit { representative: 0, turned: 0, value: Eisenstein(0, 0) };

/// Digits of a number whose halves are below 2^128: 3 · 42 = 126 bits, and what is above.
pub(super) const COUNT: usize = 43;

/// The digits of k₁ + k₂λ in base 2^3, given magnitudes and whether they are negative, the lowest first.
///
/// Its norm is to be below 0.76 · 2^256. Then the last sum, which is the number less its lower digits, over 2^126, is no longer than
/// √0.76 · 2² + √19 / 7 < √17, for digits have norms of 19 at most. And all numbers of norms up to 16 are digits, or the negative of
/// one: 4 and its turns are in the classes of theirs.
pub(super) fn digits(halves: [(u128, bool); 2]) -> [Digit; COUNT] {
    let [mut a, mut b] = halves.map(|(magnitude, _)| magnitude);
    let [a_sign, b_sign] = halves.map(|(_, negative)| if negative { -1 } else { 1 });
    let (mut digits, mut carry) = ([ZERO; COUNT], Eisenstein(0, 0));
    for digit in &mut digits {
        // No half of a sum is above 7 + 1, nor one of a digit above 5, so that carries are -1, 0 or 1.
        let sum = carry.plus(Eisenstein(a_sign * (a as i8 & LOW), b_sign * (b as i8 & LOW)));
        (a, b) = (a >> BITS, b >> BITS);
        *digit = DIGITS[sum.class()];
        carry = Eisenstein((sum.0 - digit.value.0) >> BITS, (sum.1 - digit.value.1) >> BITS);
    }
    let [.., last] = &mut digits;
    if carry != Eisenstein(0, 0) {
        // The negative of such a digit. No scalar that is split comes here: 4 and its turns are 1.3 away from the cell of the lattice
        // that its halves are in, and a last sum √19 / 7 at most.
        debug_assert_eq!(carry, Eisenstein(-last.value.0 / 4, -last.value.1 / 4));
        last.representative = -last.representative;
        last.value = Eisenstein(-last.value.0, -last.value.1);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hash::keccak256, signature::lanes::scalar::split};
    use alloy_primitives::{I256, U256, uint};

    fn norm(Eisenstein(a, b): Eisenstein) -> i32 {
        let [a, b] = [a, b].map(i32::from);
        a * a - a * b + b * b
    }

    #[test]
    fn digits_are_the_shortest_numbers_of_their_classes() {
        let mut short = 0;
        for a in -12..=12 {
            for b in -12..=12 {
                let number = Eisenstein(a, b);
                let Digit { representative, turned, value } = DIGITS[number.class()];
                if number.class() == 0 {
                    assert_eq!((representative, turned, value), (0, 0, Eisenstein(0, 0)));
                    continue;
                }
                let at = usize::from(representative.unsigned_abs()) - 1;
                let unit = Unit { turn: turned as usize - super::turned(at, 0), negative: representative < 0 };
                assert!(value == VALUES[at].times(unit) && value.class() == number.class());
                assert!(norm(value) <= norm(number).min(19));
                let is_itself = [value, Eisenstein(-value.0, -value.1)].contains(&number);
                assert!(norm(number) > 16 || is_itself, "{number:?}");
                short += usize::from(norm(number) <= 16);
            }
        }
        assert_eq!(short, 60, "six of each norm 1, 3, 4, 9, 12 and 16, twelve of 7 and 13, and none else");
    }

    /// What digits come to.
    fn value(digits: &[Digit]) -> [I256; 2] {
        digits.iter().rev().fold([I256::ZERO; 2], |[a, b], digit| {
            let Some(at) = usize::from(digit.representative.unsigned_abs()).checked_sub(1) else {
                return [a, b].map(|half| half << 3);
            };
            let unit = Unit { turn: digit.turned as usize - turned(at, 0), negative: digit.representative < 0 };
            let Eisenstein(of_a, of_b) = VALUES[at].times(unit);
            assert_eq!(digit.value, Eisenstein(of_a, of_b));
            [(a, of_a), (b, of_b)].map(|(half, of_digit)| (half << 3) + I256::try_from(of_digit).unwrap())
        })
    }

    fn number((magnitude, negative): (u128, bool)) -> I256 {
        let magnitude = I256::try_from(magnitude).unwrap();
        if negative { -magnitude } else { magnitude }
    }

    /// Numbers from a seed.
    fn random(seed: u64) -> [u128; 2] {
        let hash = keccak256(seed.to_be_bytes());
        let (halves, _) = hash.as_chunks::<16>();
        [halves[0], halves[1]].map(u128::from_be_bytes)
    }

    /// The norm of a number, in parts of 2^256.
    fn large_norm([(a, a_negative), (b, b_negative)]: [(u128, bool); 2]) -> f64 {
        let [a, b] = [a, b].map(|half| half as f64 / 2_f64.powi(128));
        let mixed = if a_negative == b_negative { -a * b } else { a * b };
        a * a + mixed + b * b
    }

    #[test]
    fn digits_make_a_number_up_again() {
        let (mut checked, mut with_four) = (0, 0);
        for seed in 0..60_000 {
            let [a, b] = random(seed);
            // All over the plane; near 4 and its turns; and small ones.
            let [a, b] = match seed % 3 {
                0 => [a, b],
                1 => [u128::MAX - (a >> 3), (b >> 3) + (7 << 123)],
                _ => [a >> (seed % 128), b >> (seed % 127)],
            };
            let signed = [(a, false, b, false), (a, false, b, true), (a, true, b, true), (b, true, a, true)];
            for halves in signed.map(|(a, a_negative, b, b_negative)| [(a, a_negative), (b, b_negative)]) {
                if large_norm(halves) < 0.76 - 1e-9 {
                    let digits = digits(halves);
                    assert_eq!(value(&digits), halves.map(number), "{halves:?}");
                    checked += 1;
                    with_four += usize::from(digits[COUNT - 1].representative.unsigned_abs() == 8);
                }
            }
        }
        assert!(checked > 50_000 && with_four > 20, "{checked} {with_four}");
    }

    #[test]
    fn what_splitting_leaves_is_short_where_it_is_longest() {
        const N: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
        const LAMBDA: U256 = uint!(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72_U256);
        // The furthest corner of a cell of the lattice: (a₁ + a₂) / 2, and (b₁ - a₁) / 2, which is taken away.
        const CORNER: [U256; 2] =
            [uint!(0xa2a8918ca85bafe22016d0b917e4dd76_U256), uint!(0x59de565a2c9d0e2d4373f7623c1d7cd7_U256)];
        let mut longest = 0.0_f64;
        for (da, db) in (0..7).flat_map(|da| (0..7).map(move |db| (da, db))) {
            let [a, b] = [CORNER[0] + U256::from(da) - U256::from(3), CORNER[1] + U256::from(db) - U256::from(3)];
            let k = a.add_mod(N - b.mul_mod(LAMBDA, N), N);
            for k in [k, N - k] {
                let halves = split(&k.into_limbs());
                assert_eq!(value(&digits(halves)), halves.map(number));
                longest = longest.max(large_norm(halves));
            }
        }
        assert!((0.75..0.7501).contains(&(longest + 1e-9)), "{longest}");
    }
}
