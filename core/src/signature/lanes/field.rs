//! The field of secp256k1, p = 2^256 - 2^32 - 977, one element a lane, in five limbs of 52 bits.
//!
//! An [`Element`] is what can be multiplied, a [`Sum`] is what multiplication gives. Sums are added and subtracted limb by
//! limb, and carried once, when they become an element. What keeps every limb in its word:
//!
//! | | limbs 0 to 3 | limb 4 |
//! |---|---|---|
//! | element | < 2^52 | < 2^48 + 2^12 |
//! | product or square of elements | < 12 · 2^52 | < 12 · 2^52 |
//! | product sum ([`Element::times_plus`]) | < 30 · 2^52 | < 30 · 2^52 |
//! | sum | < 2^62 | < 2^62 |
//!
//! Subtraction adds 2^8 · p first, whose limbs are 2^8 · (2^52 - 2^33) > 2^59 at least, limb 4 being 2^56 - 2^8 > 12 · 2^52.
//! So a product, or up to eight times an element, may be subtracted, and each subtraction adds less than 2^60.

use super::Word;

/// p, limb by limb.
const P: [u64; 5] = limbs(&[0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX]);
pub(super) const LOW_52: u64 = (1 << 52) - 1;
const LOW_48: u64 = (1 << 48) - 1;
/// 2^256 mod p, 33 bits.
pub(super) const FOLD_256: u64 = 0x1_0000_03d1;
/// 2^260 mod p, 37 bits: what a carry out of five limbs of 52 bits is worth.
pub(super) const FOLD_260: u64 = FOLD_256 << 4;

/// A number below 2^256 in four words, the lowest first.
pub(super) type Words = [u64; 4];

/// The limbs of a number below 2^256.
pub(super) const fn limbs(words: &Words) -> [u64; 5] {
    let [a, b, c, d] = *words;
    [a & LOW_52, (a >> 52 | b << 12) & LOW_52, (b >> 40 | c << 24) & LOW_52, (c >> 28 | d << 36) & LOW_52, d >> 16]
}

/// The inverse of [`limbs`].
const fn words(limbs: &[u64; 5]) -> Words {
    let [a, b, c, d, e] = *limbs;
    [a | b << 52, b >> 12 | c << 40, c >> 24 | d << 28, d >> 36 | e << 16]
}

/// An element of the field in each lane, not always the smallest number that stands for it.
#[derive(Clone, Copy)]
pub(super) struct Element<W>(pub(super) [W; 5]);

/// A sum of products of elements in each lane, not yet carried.
#[derive(Clone, Copy)]
pub(super) struct Sum<W>(pub(super) [W; 5]);

impl<W: Word> Element<W> {
    /// The same number in every lane.
    #[inline(always)]
    pub(super) fn splat(cpu: W::Cpu, number: &Words) -> Self {
        let [a, b, c, d, e] = limbs(number);
        Self([W::splat(cpu, a), W::splat(cpu, b), W::splat(cpu, c), W::splat(cpu, d), W::splat(cpu, e)])
    }

    /// A number of its own for each lane.
    #[inline(always)]
    pub(super) fn load(cpu: W::Cpu, numbers: &[Words; 8]) -> Self {
        let mut lanes = [[0; 8]; 5];
        for (lane, number) in numbers.iter().enumerate() {
            for (lanes, limb) in lanes.iter_mut().zip(limbs(number)) {
                lanes[lane] = limb;
            }
        }
        let [a, b, c, d, e] = &lanes;
        Self([W::load(cpu, a), W::load(cpu, b), W::load(cpu, c), W::load(cpu, d), W::load(cpu, e)])
    }

    /// From four words a lane, the lowest first.
    #[inline(always)]
    pub(super) fn pack([a, b, c, d]: [W; 4]) -> Self {
        let low = a.constant(LOW_52);
        Self([
            a.and(low),
            a.shr::<52>().or(b.shl::<12>()).and(low),
            b.shr::<40>().or(c.shl::<24>()).and(low),
            c.shr::<28>().or(d.shl::<36>()).and(low),
            d.shr::<16>(),
        ])
    }

    /// The number in each lane, the smallest that stands for the element.
    #[inline(always)]
    pub(super) fn store(self) -> [Words; 8] {
        let [a, b, c, d, e] = self.canonical().0;
        let [a, b, c, d, e] = [a.store(), b.store(), c.store(), d.store(), e.store()];
        let mut numbers = [[0; 4]; 8];
        for (lane, number) in numbers.iter_mut().enumerate() {
            *number = words(&[a[lane], b[lane], c[lane], d[lane], e[lane]]);
        }
        numbers
    }

    /// Whether limbs are as the table says.
    #[inline(always)]
    fn is_reduced(self) -> bool {
        const LOW: u64 = 1 << 52;
        all_below(self.0, [LOW, LOW, LOW, LOW, (1 << 48) + (1 << 12)])
    }

    /// self · other
    #[inline(always)]
    pub(super) fn times(self, other: Self) -> Sum<W> {
        debug_assert!(self.is_reduced() && other.is_reduced());
        let product = Sum(W::product(self.0, other.0));
        debug_assert!(product.is_below(12));
        product
    }

    /// self · self
    #[inline(always)]
    pub(super) fn squared(self) -> Sum<W> {
        debug_assert!(self.is_reduced());
        let square = Sum(W::square(self.0));
        debug_assert!(square.is_below(12));
        square
    }

    /// self · other + a · b, cheaper than two products.
    #[inline(always)]
    pub(super) fn times_plus(self, other: Self, a: Self, b: Self) -> Sum<W> {
        debug_assert!(self.is_reduced() && other.is_reduced() && a.is_reduced() && b.is_reduced());
        let sum = Sum(W::product_sum(self.0, other.0, a.0, b.0));
        debug_assert!(sum.is_below(30));
        sum
    }

    /// self · other + 2 · a · a, cheaper than a product and a square.
    #[inline(always)]
    pub(super) fn times_plus_twice_square(self, other: Self, a: Self) -> Sum<W> {
        debug_assert!(self.is_reduced() && other.is_reduced() && a.is_reduced());
        let sum = Sum(W::product_and_twice_square(self.0, other.0, a.0));
        debug_assert!(sum.is_below(30));
        sum
    }

    /// self · other, carried.
    #[inline(always)]
    pub(super) fn mul(self, other: Self) -> Self {
        self.times(other).reduce()
    }

    /// self · self, carried.
    #[inline(always)]
    pub(super) fn square(self) -> Self {
        self.squared().reduce()
    }

    /// The element as a sum.
    #[inline(always)]
    pub(super) fn sum(self) -> Sum<W> {
        Sum(self.0)
    }

    /// -self
    #[inline(always)]
    pub(super) fn negate(self) -> Self {
        let zero = self.0[0].constant(0);
        Sum([zero; 5]).minus(self.sum()).reduce()
    }

    /// `other` in the lanes that `mask` names, self in the rest.
    #[inline(always)]
    pub(super) fn or_where(self, mask: u8, other: Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = limb.or_where(mask, other);
        }
        Self(limbs)
    }

    /// The same elements, each by the smallest number that stands for it.
    #[inline(always)]
    pub(super) fn canonical(self) -> Self {
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

    /// The lanes in which the element is zero.
    #[inline(always)]
    pub(super) fn zero_lanes(self) -> u8 {
        let [a, b, c, d, e] = self.canonical().0;
        a.or(b).or(c.or(d)).or(e).zero_lanes()
    }

    /// The lanes in which the smallest number that stands for the element is odd.
    #[inline(always)]
    pub(super) fn odd_lanes(self) -> u8 {
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

impl<W: Word> Sum<W> {
    #[inline(always)]
    fn is_below(self, units: u64) -> bool {
        all_below(self.0, [units << 52; 5])
    }

    /// self + other
    #[inline(always)]
    pub(super) fn plus(self, other: Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = limb.add(other);
        }
        Self(limbs)
    }

    /// 2 · self
    #[inline(always)]
    pub(super) fn twice(self) -> Self {
        self.plus(self)
    }

    /// self - other, where `other` is a product or at most eight times an element.
    #[inline(always)]
    pub(super) fn minus(self, other: Self) -> Self {
        debug_assert!(other.is_subtractable());
        let mut limbs = self.0;
        for ((limb, other), p) in limbs.iter_mut().zip(other.0).zip(P) {
            *limb = limb.add(other.constant(p << 8)).sub(other);
        }
        Self(limbs)
    }

    /// -self in the lanes that `mask` names, self in the rest, where self is a product.
    #[inline(always)]
    pub(super) fn negate_where(self, mask: u8) -> Self {
        debug_assert!(self.is_subtractable());
        let mut limbs = self.0;
        for (limb, p) in limbs.iter_mut().zip(P) {
            *limb = limb.or_where(mask, limb.constant(p << 8).sub(*limb));
        }
        Self(limbs)
    }

    /// Whether no limb is above that of 2^8 · p.
    #[inline(always)]
    fn is_subtractable(self) -> bool {
        all_below(self.0, P.map(|limb| (limb << 8) + 1))
    }

    /// Carried: limbs 0 to 3 below 2^52, limb 4 below 2^48 + 2^12.
    #[inline(always)]
    pub(super) fn reduce(self) -> Element<W> {
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
        let element = Element([a.and(low), b.and(low), c.and(low), d.and(low), e]);
        debug_assert!(element.is_reduced());
        element
    }
}
