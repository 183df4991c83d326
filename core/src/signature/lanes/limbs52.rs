//! Elements of five limbs of 52 bits, for registers of many lanes.
//!
//! What keeps every limb in its word:
//!
//! | | limbs 0 to 3 | limb 4 |
//! |---|---|---|
//! | element | < 2^52 | < 2^48 + 2^12 |
//! | product or square of elements | < 12 · 2^52 | < 12 · 2^52 |
//! | sum of two or three products ([`Element::times_plus`]) | < 30 · 2^52 | < 30 · 2^52 |
//! | sum | < 2^62 | < 2^62 |
//!
//! Subtraction adds 2^8 · p first, whose limbs are 2^8 · (2^52 - 2^33) > 2^59 at least, limb 4 being 2^56 - 2^8 > 12 · 2^52.
//! So a product, or up to eight times an element, may be subtracted, and each subtraction adds less than 2^60.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512_ifma;
#[cfg(all(test, target_arch = "x86_64"))]
pub(super) mod doubles;
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
mod fused;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(super) mod relaxed_simd;

use super::{
    constants::{Entry, MULTIPLES},
    field::{Digits, Element, FOLD_256, Kernel, Sum, Words},
};

/// p, limb by limb.
const P: [u64; 5] = limbs(&[0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX]);
const LOW_52: u64 = (1 << 52) - 1;
const LOW_48: u64 = (1 << 48) - 1;
/// 2^260 mod p, 37 bits: what a carry out of five limbs of 52 bits is worth.
const FOLD_260: u64 = FOLD_256 << 4;

/// The limbs of a number below 2^256.
const fn limbs(words: &Words) -> [u64; 5] {
    let [a, b, c, d] = *words;
    [a & LOW_52, (a >> 52 | b << 12) & LOW_52, (b >> 40 | c << 24) & LOW_52, (c >> 28 | d << 36) & LOW_52, d >> 16]
}

/// The inverse of [`limbs`].
const fn words(limbs: &[u64; 5]) -> Words {
    let [a, b, c, d, e] = *limbs;
    [a | b << 52, b >> 12 | c << 40, c >> 24 | d << 28, d >> 36 | e << 16]
}

/// 64 bits in each of up to eight lanes, and multiplication of five limbs of 52 bits.
///
/// A mask has a bit a lane, the lowest for the first; bits beyond the lanes mean nothing.
pub(super) trait Word: Copy {
    /// The proof that this processor has the instructions.
    type Cpu: Copy;

    /// How many lanes there are, at most eight.
    const LANES: usize;

    /// Runs `kernel` compiled for the instructions of this backend.
    fn run<K: Kernel<Element52<Self>>>(cpu: Self::Cpu, kernel: K) -> K::Output;

    /// `word` in every lane.
    fn splat(cpu: Self::Cpu, word: u64) -> Self;

    /// A word for each lane, the first of `words`.
    fn load(cpu: Self::Cpu, words: &[u64; 8]) -> Self;

    /// A word for each lane, the first of `words` with their sign extended.
    fn load_signed(cpu: Self::Cpu, words: &[i16; 8]) -> Self;

    /// The inverse of [`Self::load`]; zero for lanes that there are not.
    fn store(self) -> [u64; 8];

    /// `word` in every lane. That there is a word already proves what [`Self::splat`] wants proved.
    fn constant(self, word: u64) -> Self;

    /// self + other mod 2^64
    fn add(self, other: Self) -> Self;

    /// self - other mod 2^64
    fn sub(self, other: Self) -> Self;

    /// self & other
    fn and(self, other: Self) -> Self;

    /// self | other
    fn or(self, other: Self) -> Self;

    /// self << BITS
    fn shl<const BITS: u32>(self) -> Self;

    /// self >> BITS
    fn shr<const BITS: u32>(self) -> Self;

    /// `other` in the lanes that `mask` names, self in the rest.
    fn or_where(self, mask: u8, other: Self) -> Self;

    /// The lanes that hold zero.
    fn zero_lanes(self) -> u8;

    /// The lanes whose highest bit is set.
    fn negative_lanes(self) -> u8;

    /// Whether every lane is below `bound`.
    fn all_below(self, bound: u64) -> bool;

    /// In each lane, the limb numbered `limb` of that entry of `table` which the lane of `index` names, as far as the lane's
    /// own part of the table goes. Whatever is beyond the last is the last.
    fn pick<const ENTRIES: usize>(table: &[Element52<Self>; ENTRIES], index: Self, limb: usize) -> Self;

    /// In each lane, the words of that entry of `table` which the lane of `index` names. An index of [`MULTIPLES`] or more is the
    /// last.
    fn look_up(table: &[Entry; MULTIPLES], index: Self) -> [Self; 8];

    /// self + high · [`FOLD_256`], where `high` is below 2^14.
    fn plus_folded_256(self, high: Self) -> Self;

    /// a · b. Of this and the products below, the table above says how large limbs may be and become.
    fn product(a: [Self; 5], b: [Self; 5]) -> [Self; 5];

    /// a · a
    fn square(a: [Self; 5]) -> [Self; 5];

    /// a · b + c · d
    fn product_sum(a: [Self; 5], b: [Self; 5], c: [Self; 5], d: [Self; 5]) -> [Self; 5];

    /// a · b + 2 · c · c
    fn product_and_twice_square(a: [Self; 5], b: [Self; 5], c: [Self; 5]) -> [Self; 5];
}

/// An element of the field in each lane, not always the smallest number that stands for it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Element52<W>([W; 5]);

/// A sum of products of elements in each lane, not yet carried.
#[derive(Clone, Copy)]
pub(super) struct Sum52<W>([W; 5]);

impl<W: Word> Element52<W> {
    /// From four words a lane, the lowest first.
    #[inline(always)]
    fn pack([a, b, c, d]: [W; 4]) -> Self {
        let low = a.constant(LOW_52);
        Self([
            a.and(low),
            a.shr::<52>().or(b.shl::<12>()).and(low),
            b.shr::<40>().or(c.shl::<24>()).and(low),
            c.shr::<28>().or(d.shl::<36>()).and(low),
            d.shr::<16>(),
        ])
    }

    /// Whether limbs are as the table says.
    #[inline(always)]
    fn is_reduced(self) -> bool {
        const LOW: u64 = 1 << 52;
        all_below(self.0, [LOW, LOW, LOW, LOW, (1 << 48) + (1 << 12)])
    }

    /// The same elements, each by the smallest number that stands for it.
    #[inline(always)]
    fn canonical(self) -> Self {
        // Limb 4 is below 2^48 + 2^12, so the number is below 2^256 + 2^221. Carrying once more folds what is above 2^256:
        // then it is 2^221 · 2 at most, or was below 2^256 before. Either way limb 4 is below 2^48 now.
        let number = self.sum().reduce().0;
        debug_assert!(number[4].all_below(1 << 48));
        // The number is at least p exactly if adding 2^256 - p reaches 2^256, and what is left then is the difference.
        let low = number[0].constant(LOW_52);
        let mut sum = number;
        sum[0] = sum[0].add(number[0].constant(FOLD_256));
        for limb in 0..4 {
            sum[limb + 1] = sum[limb + 1].add(sum[limb].shr::<52>());
            sum[limb] = sum[limb].and(low);
        }
        let below_p = sum[4].shr::<48>().zero_lanes();
        sum[4] = sum[4].and(low.constant(LOW_48));
        Self(sum).or_where(below_p, Self(number))
    }
}

impl<W: Word> Element for Element52<W> {
    type Cpu = W::Cpu;
    type Sum = Sum52<W>;
    type Index = W;
    const LANES: usize = W::LANES;
    const IN_TURNS: bool = true;

    #[inline(always)]
    fn run<K: Kernel<Self>>(cpu: W::Cpu, kernel: K) -> K::Output {
        W::run(cpu, kernel)
    }

    #[inline(always)]
    fn splat(cpu: W::Cpu, number: &Words) -> Self {
        let [a, b, c, d, e] = limbs(number);
        Self([W::splat(cpu, a), W::splat(cpu, b), W::splat(cpu, c), W::splat(cpu, d), W::splat(cpu, e)])
    }

    #[inline(always)]
    fn load(cpu: W::Cpu, numbers: &[Words; 8]) -> Self {
        let mut lanes = [[0; 8]; 5];
        for (lane, number) in numbers.iter().enumerate() {
            for (lanes, limb) in lanes.iter_mut().zip(limbs(number)) {
                lanes[lane] = limb;
            }
        }
        let [a, b, c, d, e] = &lanes;
        Self([W::load(cpu, a), W::load(cpu, b), W::load(cpu, c), W::load(cpu, d), W::load(cpu, e)])
    }

    #[inline(always)]
    fn store(self) -> [Words; 8] {
        let [a, b, c, d, e] = self.canonical().0;
        let [a, b, c, d, e] = [a.store(), b.store(), c.store(), d.store(), e.store()];
        let mut numbers = [[0; 4]; 8];
        for (lane, number) in numbers.iter_mut().enumerate() {
            *number = words(&[a[lane], b[lane], c[lane], d[lane], e[lane]]);
        }
        numbers
    }

    #[inline(always)]
    fn index(cpu: W::Cpu, numbers: &[i16; 8]) -> W {
        W::load_signed(cpu, numbers)
    }

    #[inline(always)]
    fn digits(cpu: W::Cpu, digits: &[i16; 8]) -> Digits<W> {
        let digits = W::load_signed(cpu, digits);
        let (zeros, one) = (digits.constant(0), digits.constant(1));
        let (negative, zero) = (digits.negative_lanes(), digits.zero_lanes());
        let magnitude = digits.or_where(negative, zeros.sub(digits)).or_where(zero, one);
        Digits { index: magnitude.sub(one), negative, zero }
    }

    #[inline(always)]
    fn pick<const ENTRIES: usize>(table: &[Self; ENTRIES], index: W) -> Self {
        let mut limbs = [index; 5];
        for (at, limb) in limbs.iter_mut().enumerate() {
            *limb = W::pick(table, index, at);
        }
        Self(limbs)
    }

    #[inline(always)]
    fn look_up(table: &[Entry; MULTIPLES], index: W) -> [Self; 2] {
        let [a, b, c, d, e, f, g, h] = W::look_up(table, index);
        [Self::pack([a, b, c, d]), Self::pack([e, f, g, h])]
    }

    #[inline(always)]
    fn times(self, other: Self) -> Sum52<W> {
        debug_assert!(self.is_reduced() && other.is_reduced());
        let product = Sum52(W::product(self.0, other.0));
        debug_assert!(product.is_below(12));
        product
    }

    #[inline(always)]
    fn squared(self) -> Sum52<W> {
        debug_assert!(self.is_reduced());
        let square = Sum52(W::square(self.0));
        debug_assert!(square.is_below(12));
        square
    }

    #[inline(always)]
    fn times_plus(self, other: Self, a: Self, b: Self) -> Sum52<W> {
        debug_assert!(self.is_reduced() && other.is_reduced() && a.is_reduced() && b.is_reduced());
        let sum = Sum52(W::product_sum(self.0, other.0, a.0, b.0));
        debug_assert!(sum.is_below(30));
        sum
    }

    #[inline(always)]
    fn times_plus_twice_square(self, other: Self, a: Self) -> Sum52<W> {
        debug_assert!(self.is_reduced() && other.is_reduced() && a.is_reduced());
        let sum = Sum52(W::product_and_twice_square(self.0, other.0, a.0));
        debug_assert!(sum.is_below(30));
        sum
    }

    #[inline(always)]
    fn sum(self) -> Sum52<W> {
        Sum52(self.0)
    }

    #[inline(always)]
    fn negate(self) -> Self {
        let zero = self.0[0].constant(0);
        Sum52([zero; 5]).minus(self.sum()).reduce()
    }

    #[inline(always)]
    fn or_where(self, mask: u8, other: Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = limb.or_where(mask, other);
        }
        Self(limbs)
    }

    #[inline(always)]
    fn zero_lanes(self) -> u8 {
        let [a, b, c, d, e] = self.canonical().0;
        a.or(b).or(c.or(d)).or(e).zero_lanes()
    }

    #[inline(always)]
    fn odd_lanes(self) -> u8 {
        let lowest = self.canonical().0[0];
        !lowest.and(lowest.constant(1)).zero_lanes()
    }
}

/// Whether in every lane each limb is below its bound. A loop, because a closure is compiled for no kernel's instructions, and
/// tests would spend their time calling each by itself.
#[inline(always)]
fn all_below<W: Word>(limbs: [W; 5], bounds: [u64; 5]) -> bool {
    let mut all = true;
    for limb in 0..5 {
        all &= limbs[limb].all_below(bounds[limb]);
    }
    all
}

impl<W: Word> Sum52<W> {
    #[inline(always)]
    fn is_below(self, units: u64) -> bool {
        all_below(self.0, [units << 52; 5])
    }

    /// Whether no limb is above that of 2^8 · p.
    #[inline(always)]
    fn is_subtractable(self) -> bool {
        all_below(self.0, P.map(|limb| (limb << 8) + 1))
    }
}

impl<W: Word> Sum<Element52<W>> for Sum52<W> {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = limb.add(other);
        }
        Self(limbs)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        debug_assert!(other.is_subtractable());
        let mut limbs = self.0;
        for ((limb, other), p) in limbs.iter_mut().zip(other.0).zip(P) {
            *limb = limb.add(other.constant(p << 8)).sub(other);
        }
        Self(limbs)
    }

    #[inline(always)]
    fn negate_where(self, mask: u8) -> Self {
        debug_assert!(self.is_subtractable());
        let mut limbs = self.0;
        for (limb, p) in limbs.iter_mut().zip(P) {
            *limb = limb.or_where(mask, limb.constant(p << 8).sub(*limb));
        }
        Self(limbs)
    }

    /// Limbs 0 to 3 below 2^52, limb 4 below 2^48 + 2^12.
    #[inline(always)]
    fn reduce(self) -> Element52<W> {
        debug_assert!(all_below(self.0, [1 << 62; 5]));
        let [a, b, c, d, e] = self.0;
        let (low, high) = (a.constant(LOW_52), e.shr::<48>());
        // high < 2^14, so high · FOLD_256 < 2^47 and a < 2^62 + 2^47.
        let a = a.plus_folded_256(high);
        // Each carry is below 2^12, each sum with it below 2^62 + 2^12.
        let b = b.add(a.shr::<52>());
        let c = c.add(b.shr::<52>());
        let d = d.add(c.shr::<52>());
        // 2^48 + 2^12
        let e = e.and(a.constant(LOW_48)).add(d.shr::<52>());
        let element = Element52([a.and(low), b.and(low), c.and(low), d.and(low), e]);
        debug_assert!(element.is_reduced());
        element
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloc::vec::Vec;
    use alloy_primitives::{U256, U512};

    const LOW: u64 = (1 << 52) - 1;
    /// The largest limb 4 of an element.
    const HIGH: u64 = (1 << 48) + (1 << 12) - 1;
    /// Elements with the largest limbs there are, all of them and every other.
    const LARGEST: [[u64; 5]; 4] =
        [[LOW, LOW, LOW, LOW, HIGH], [LOW, 0, LOW, 0, HIGH], [0, LOW, 0, LOW, 0], [LOW, LOW, LOW, LOW, 0]];

    /// What becomes of two elements.
    struct Sums([u64; 5], [u64; 5]);

    impl<W: Word> Kernel<Element52<W>> for Sums {
        type Output = Vec<Words>;

        #[inline(always)]
        fn run(self, cpu: W::Cpu) -> Vec<Words> {
            let [mut a, mut b] = [[W::splat(cpu, 0); 5]; 2];
            for limb in 0..5 {
                (a[limb], b[limb]) = (W::splat(cpu, self.0[limb]), W::splat(cpu, self.1[limb]));
            }
            let (a, b) = (Element52(a), Element52(b));
            let three = a.times_plus_twice_square(b, b);
            let sixteen = a.sum().twice().twice().twice().twice();
            let eight = a.sum().twice().twice().twice();
            let sums = [a.times(b), a.squared(), a.times_plus(b, a, b), three, three.plus(sixteen), three.minus(eight)];
            let mut found = Vec::new();
            for sum in sums {
                found.push(sum.reduce().store()[0]);
            }
            found
        }
    }

    /// The largest sums of products come out right; with debug assertions, every limb on the way is checked as well.
    pub(in super::super) fn the_largest_sums_are_carried_without_loss<W: Word>(cpu: W::Cpu) {
        let modulus = U512::from(U256::from_limbs([0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX]));
        let number = |limbs: [u64; 5]| limbs.iter().rev().fold(U512::ZERO, |sum, limb| (sum << 52) + U512::from(*limb));
        for limbs in LARGEST.into_iter().flat_map(|a| LARGEST.map(|b| [a, b])) {
            let [a, b] = limbs.map(|limbs| number(limbs) % modulus);
            let three = a * b % modulus + U512::from(2) * (b * b % modulus);
            let (sixteen, eight) = (a * U512::from(16), modulus * U512::from(8) - a * U512::from(8));
            let expected = [a * b, a * a, U512::from(2) * (a * b % modulus), three, three + sixteen, three + eight];
            let found =
                W::run(cpu, Sums(limbs[0], limbs[1])).into_iter().map(|words| U512::from(U256::from_limbs(words)));
            assert!(found.eq(expected.map(|number| number % modulus)), "{limbs:x?}");
        }
    }
}
