//! One element of nine limbs of 29 bits, for machines whose widest product is of 64 bits.
//!
//! Limbs are signed, so nothing is added before something is subtracted, and a negative is the negative of each limb. A
//! product stays in its seventeen columns until it is carried; so sums of products are carried once. What keeps every limb
//! in its word, in size whatever its sign:
//!
//! | | limbs 0 to 7 | limb 8 |
//! |---|---|---|
//! | element | < 2^29 + 2^14 | < 2^24 |
//!
//! Columns 7 and 8 of a product have the largest sums: eight products of limbs 0 to 7, or seven and two with limb 8. So a
//! column of a product is below 8.01 · 2^58, and one of three products and sixteen elements below 25 · 2^58, which is below
//! 2^63.

use super::{
    constants::{Entry, MULTIPLES},
    field::{Digits, Element, FOLD_256, Kernel, Sum, Words},
};

const LIMBS: usize = 9;
const COLUMNS: usize = 2 * LIMBS - 1;
const LOW_29: i64 = (1 << 29) - 1;
const LOW_24: i64 = (1 << 24) - 1;
/// 2^256 mod p is 2^32 and this: what a carry out of limb 8 at its bit 24 is worth, in limb 0, and 2^3 in limb 1.
const FOLD_256_LOW: i64 = (FOLD_256 - (1 << 32)) as i64;
/// 2^261 mod p is 2^37 and this: what column k + 9 is worth in column k, and 2^8 in column k + 1.
const FOLD_261_LOW: i64 = FOLD_256_LOW << 5;
/// p, limb by limb.
const P: [i64; LIMBS] = limbs(&[0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX]);

/// The limbs of a number below 2^256.
const fn limbs(words: &Words) -> [i64; LIMBS] {
    let mut limbs = [0; LIMBS];
    let mut limb = 0;
    while limb < LIMBS {
        let (word, shift) = (29 * limb / 64, 29 * limb % 64);
        let next = if word < 3 { words[word + 1] } else { 0 };
        limbs[limb] = ((words[word] >> shift | next << 1 << (63 - shift)) as i64) & LOW_29;
        limb += 1;
    }
    limbs
}

/// The inverse of [`limbs`].
fn words(limbs: &[i64; LIMBS]) -> Words {
    let mut words = [0; 4];
    for (limb, value) in limbs.iter().enumerate() {
        let (word, shift) = (29 * limb / 64, 29 * limb % 64);
        words[word] |= value.cast_unsigned() << shift;
        if let Some(next) = words.get_mut(word + 1) {
            *next |= value.cast_unsigned() >> 1 >> (63 - shift);
        }
    }
    words
}

/// An element of the field, not always the smallest number that stands for it.
#[derive(Clone, Copy)]
pub(super) struct Element29([i64; LIMBS]);

/// A sum of products of elements, not yet carried.
#[derive(Clone, Copy)]
pub(super) struct Sum29([i64; COLUMNS]);

impl Element29 {
    fn is_reduced(&self) -> bool {
        let [low @ .., high] = &self.0;
        low.iter().all(|limb| limb.abs() < (1 << 29) + (1 << 14)) && high.abs() < 1 << 24
    }

    /// Each limb but the last from 0 to 2^29 - 1, and the number from 0 to p - 1.
    fn canonical(self) -> Self {
        // The number is above -2^256 - 2^218, so with 2 p it is positive, and below 2^258. What is above 2^256 is below 4, and
        // folded once it leaves less than 2^256 + 2^35, folded twice less than 2^256.
        let mut number = carried(core::array::from_fn(|at| self.0[at] + 2 * P[at]));
        for _ in 0..2 {
            let above = number[8] >> 24;
            number[8] &= LOW_24;
            number[0] += above * FOLD_256_LOW;
            number[1] += above << 3;
            number = carried(number);
        }
        debug_assert!(number[8] >> 24 == 0);
        let less = carried(core::array::from_fn(|at| number[at] - P[at]));
        Self(if less[8] < 0 { number } else { less })
    }
}

/// The same number, each limb but the last from 0 to 2^29 - 1.
fn carried(mut limbs: [i64; LIMBS]) -> [i64; LIMBS] {
    for limb in 0..LIMBS - 1 {
        limbs[limb + 1] += limbs[limb] >> 29;
        limbs[limb] &= LOW_29;
    }
    limbs
}

/// The element that is this number: the last limb's bits above 2^256 are folded.
#[inline(always)]
fn folded(mut limbs: [i64; LIMBS]) -> Element29 {
    let mut carry = 0;
    for limb in &mut limbs[..LIMBS - 1] {
        let sum = *limb + carry;
        (*limb, carry) = (sum & LOW_29, sum >> 29);
    }
    let last = limbs[8] + carry;
    // A column is below 2^63, so this is below 2^39, and what limb 0 gets below 2^49: limb 1 gets less than 2^43, and limb 2
    // less than 2^14.
    let above = last >> 24;
    limbs[8] = last & LOW_24;
    let first = limbs[0] + above * FOLD_256_LOW;
    let second = limbs[1] + (above << 3) + (first >> 29);
    limbs[0] = first & LOW_29;
    limbs[1] = second & LOW_29;
    limbs[2] += second >> 29;
    let element = Element29(limbs);
    debug_assert!(element.is_reduced());
    element
}

/// Adds a · b to columns, of which column k counts 2^(29 k).
#[inline(always)]
fn add_product(columns: &mut [i64; COLUMNS], a: &[i64; LIMBS], b: &[i64; LIMBS]) {
    for i in 0..LIMBS {
        for j in 0..LIMBS {
            columns[i + j] += a[i] * b[j];
        }
    }
}

/// Adds a · a · times to columns.
#[inline(always)]
fn add_square(columns: &mut [i64; COLUMNS], a: &[i64; LIMBS], times: i64) {
    for i in 0..LIMBS {
        let once = a[i] * times;
        columns[2 * i] += once * a[i];
        let twice = 2 * once;
        for j in i + 1..LIMBS {
            columns[i + j] += twice * a[j];
        }
    }
}

/// The element whose columns these are.
#[inline(always)]
fn reduced(columns: [i64; COLUMNS]) -> Element29 {
    debug_assert!(columns.iter().all(|column| column.abs() < 25 << 58));
    let mut sum: [i64; LIMBS] = core::array::from_fn(|at| columns[at]);
    let mut carry = 0;
    for at in 0..LIMBS - 1 {
        let column = columns[LIMBS + at] + carry;
        let low = column & LOW_29;
        carry = column >> 29;
        // Below 2^44 and 2^37.
        sum[at] += low * FOLD_261_LOW;
        sum[at + 1] += low << 8;
    }
    // Column 16 is the product of both limbs 8, so what it carries is below 2^24. It counts 2^493: folded, one part of it
    // counts 2^261 again.
    debug_assert!(carry.abs() < 1 << 24);
    sum[8] += carry * FOLD_261_LOW;
    let again = carry << 8;
    sum[0] += again * FOLD_261_LOW;
    sum[1] += again << 8;
    folded(sum)
}

impl Element for Element29 {
    type Cpu = ();
    type Sum = Sum29;
    type Index = usize;
    const LANES: usize = 1;
    const IN_TURNS: bool = false;

    fn run<K: Kernel<Self>>((): (), kernel: K) -> K::Output {
        kernel.run(())
    }

    fn splat((): (), number: &Words) -> Self {
        Self(limbs(number))
    }

    fn load((): (), numbers: &[Words; 8]) -> Self {
        Self(limbs(&numbers[0]))
    }

    fn store(self) -> [Words; 8] {
        let mut lanes = [[0; 4]; 8];
        lanes[0] = words(&self.canonical().0);
        lanes
    }

    fn index((): (), numbers: &[i16; 8]) -> usize {
        usize::from(numbers[0].cast_unsigned())
    }

    fn digits((): (), digits: &[i16; 8]) -> Digits<usize> {
        let digit = digits[0];
        let index = usize::from(digit.unsigned_abs()).saturating_sub(1);
        Digits { index, negative: u8::from(digit < 0), zero: u8::from(digit == 0) }
    }

    fn pick<const ENTRIES: usize>(table: &[Self; ENTRIES], index: usize) -> Self {
        table[index.min(ENTRIES - 1)]
    }

    fn look_up(table: &[Entry; MULTIPLES], index: usize) -> [Self; 2] {
        let [a, b, c, d, e, f, g, h] = table[index.min(MULTIPLES - 1)];
        [Self(limbs(&[a, b, c, d])), Self(limbs(&[e, f, g, h]))]
    }

    #[inline(always)]
    fn times(self, other: Self) -> Sum29 {
        debug_assert!(self.is_reduced() && other.is_reduced());
        let mut columns = [0; COLUMNS];
        add_product(&mut columns, &self.0, &other.0);
        Sum29(columns)
    }

    #[inline(always)]
    fn squared(self) -> Sum29 {
        debug_assert!(self.is_reduced());
        let mut columns = [0; COLUMNS];
        add_square(&mut columns, &self.0, 1);
        Sum29(columns)
    }

    #[inline(always)]
    fn times_plus(self, other: Self, a: Self, b: Self) -> Sum29 {
        debug_assert!(self.is_reduced() && other.is_reduced() && a.is_reduced() && b.is_reduced());
        let mut columns = [0; COLUMNS];
        add_product(&mut columns, &self.0, &other.0);
        add_product(&mut columns, &a.0, &b.0);
        Sum29(columns)
    }

    #[inline(always)]
    fn times_plus_twice_square(self, other: Self, a: Self) -> Sum29 {
        debug_assert!(self.is_reduced() && other.is_reduced() && a.is_reduced());
        let mut columns = [0; COLUMNS];
        add_square(&mut columns, &a.0, 2);
        add_product(&mut columns, &self.0, &other.0);
        Sum29(columns)
    }

    #[inline(always)]
    fn sum(self) -> Sum29 {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        Sum29([a, b, c, d, e, f, g, h, i, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    #[inline(always)]
    fn negate(self) -> Self {
        Self(self.0.map(|limb| -limb))
    }

    #[inline(always)]
    fn or_where(self, mask: u8, other: Self) -> Self {
        if mask & 1 == 1 { other } else { self }
    }

    fn zero_lanes(self) -> u8 {
        u8::from(self.canonical().0 == [0; LIMBS])
    }

    fn odd_lanes(self) -> u8 {
        self.canonical().0[0].cast_unsigned() as u8 & 1
    }

    /// A function of its own, as is a square: what is carried at once is asked for in many places.
    #[inline(never)]
    fn mul(self, other: Self) -> Self {
        self.times(other).reduce()
    }

    #[inline(never)]
    fn square(self) -> Self {
        self.squared().reduce()
    }

    fn minus(self, other: Self) -> Self {
        folded(core::array::from_fn(|at| self.0[at] - other.0[at]))
    }
}

impl Sum<Element29> for Sum29 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(core::array::from_fn(|at| self.0[at] + other.0[at]))
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self(core::array::from_fn(|at| self.0[at] - other.0[at]))
    }

    #[inline(always)]
    fn negate_where(self, mask: u8) -> Self {
        if mask & 1 == 1 { Self(self.0.map(|column| -column)) } else { self }
    }

    #[inline(always)]
    fn reduce(self) -> Element29 {
        reduced(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{U256, uint};

    const MODULUS: U256 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);

    /// Elements as large as they may be, each limb with a sign of its own.
    fn extremes() -> impl Iterator<Item = Element29> {
        let largest = |limb| if limb < 8 { (1 << 29) + (1 << 14) - 1 } else { (1 << 24) - 1 };
        let signed = move |signs: u32| move |limb| if signs >> limb & 1 == 1 { -largest(limb) } else { largest(limb) };
        (0..1 << LIMBS).map(move |signs| Element29(core::array::from_fn(signed(signs))))
    }

    fn value(element: &Element29) -> U256 {
        let digit = |value: U256, limb: &i64| {
            let shifted = value.mul_mod(U256::from(1_u32 << 29), MODULUS);
            let size = U256::from(limb.unsigned_abs());
            shifted.add_mod(if *limb < 0 { MODULUS - size } else { size }, MODULUS)
        };
        element.0.iter().rev().fold(U256::ZERO, digit)
    }

    fn stored(element: Element29) -> U256 {
        U256::from_limbs(element.store()[0])
    }

    #[test]
    fn the_largest_sums_are_carried_without_loss() {
        let all = || extremes().step_by(7).chain(extremes().take(1)).chain(extremes().last());
        for a in all() {
            let of_a = value(&a);
            assert_eq!(stored(a), of_a);
            assert_eq!(stored(a.negate()), MODULUS - of_a);
            let square = of_a.mul_mod(of_a, MODULUS);
            let thrice = square.mul_mod(U256::from(3), MODULUS);
            assert_eq!(stored(a.squared().twice().plus(a.squared()).reduce()), thrice);
            for b in all() {
                let of_b = value(&b);
                let product = of_a.mul_mod(of_b, MODULUS);
                assert_eq!(stored(a.minus(b)), of_a.add_mod(MODULUS - of_b, MODULUS));
                assert_eq!(stored(a.times_plus(b, a, b).reduce()), product.add_mod(product, MODULUS));
                let three = a.times_plus_twice_square(b, b);
                let squares = of_b.mul_mod(of_b, MODULUS).mul_mod(U256::from(2), MODULUS);
                let of_three = product.add_mod(squares, MODULUS);
                assert_eq!(stored(three.reduce()), of_three);
                // With sixteen elements besides.
                let sixteen = a.sum().twice().twice().twice().twice();
                let more = of_a.mul_mod(U256::from(16), MODULUS);
                assert_eq!(stored(three.plus(sixteen).reduce()), of_three.add_mod(more, MODULUS));
                assert_eq!(stored(three.minus(sixteen).reduce()), of_three.add_mod(MODULUS - more, MODULUS));
            }
        }
    }
}
