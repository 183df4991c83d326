//! The field of secp256k1, p = 2^256 - 2^32 - 977: what the program asks of its elements.
//!
//! An [`Element`] is what can be multiplied, a [`Sum`] is what multiplication gives. Sums are added and subtracted limb by
//! limb, and carried once, when they become an element. How many limbs there are, and what keeps them in their words, is
//! said where the trait is implemented.
//!
//! A mask has a bit a lane, the lowest for the first; bits beyond the lanes mean nothing.

use super::constants::{Entry, MULTIPLES};

/// A number below 2^256 in four words, the lowest first.
pub(super) type Words = [u64; 4];

/// 2^256 mod p, 33 bits.
pub(super) const FOLD_256: u64 = 0x1_0000_03d1;

/// An element of the field in each of up to eight lanes, not always the smallest number that stands for it.
pub(super) trait Element: Copy {
    /// The proof that this processor has the instructions.
    type Cpu: Copy;

    /// A sum of products of elements in each lane, not yet carried.
    type Sum: Sum<Self>;

    /// The number of an entry of a table in each lane.
    type Index: Copy;

    /// How many lanes there are, at most eight.
    const LANES: usize;

    /// Whether it pays to work on two groups of lanes in turns: where much waits for a multiplication to end, and registers
    /// are many.
    const IN_TURNS: bool;

    /// Runs `kernel` compiled for the instructions of this backend.
    fn run<K: Kernel<Self>>(cpu: Self::Cpu, kernel: K) -> K::Output;

    /// The same number in every lane.
    fn splat(cpu: Self::Cpu, number: &Words) -> Self;

    /// A number of its own for each lane.
    fn load(cpu: Self::Cpu, numbers: &[Words; 8]) -> Self;

    /// The number in each lane, the smallest that stands for the element; zero for lanes that there are not.
    fn store(self) -> [Words; 8];

    /// The number of an entry for each lane, the first of `numbers`.
    fn index(cpu: Self::Cpu, numbers: &[i16; 8]) -> Self::Index;

    /// A digit for each lane, the first of `digits`.
    fn digits(cpu: Self::Cpu, digits: &[i16; 8]) -> Digits<Self::Index>;

    /// In each lane, that entry of `table` which the lane of `index` names, as far as the lane's own part of the table goes.
    /// Whatever is beyond the last is the last.
    fn pick<const ENTRIES: usize>(table: &[Self; ENTRIES], index: Self::Index) -> Self;

    /// In each lane, both coordinates of that entry of `table` which the lane of `index` names. An index of [`MULTIPLES`] or
    /// more is the last.
    fn look_up(table: &[Entry; MULTIPLES], index: Self::Index) -> [Self; 2];

    /// self · other
    fn times(self, other: Self) -> Self::Sum;

    /// self · self
    fn squared(self) -> Self::Sum;

    /// self · other + a · b, cheaper than two products.
    fn times_plus(self, other: Self, a: Self, b: Self) -> Self::Sum;

    /// self · other + 2 · a · a, cheaper than a product and a square.
    fn times_plus_twice_square(self, other: Self, a: Self) -> Self::Sum;

    /// The element as a sum.
    fn sum(self) -> Self::Sum;

    /// -self
    fn negate(self) -> Self;

    /// `other` in the lanes that `mask` names, self in the rest.
    fn or_where(self, mask: u8, other: Self) -> Self;

    /// The lanes in which the element is zero.
    fn zero_lanes(self) -> u8;

    /// The lanes in which the smallest number that stands for the element is odd.
    fn odd_lanes(self) -> u8;

    /// self · other, carried.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.times(other).reduce()
    }

    /// self · self, carried.
    #[inline(always)]
    fn square(self) -> Self {
        self.squared().reduce()
    }

    /// self - other
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.sum().minus(other.sum()).reduce()
    }
}

/// A sum of products of elements in each lane, not yet carried.
///
/// It has at most three products, sixteen elements and three subtractions when it is carried, and what is doubled counts twice.
pub(super) trait Sum<E>: Copy {
    /// self + other
    fn plus(self, other: Self) -> Self;

    /// 2 · self
    #[inline(always)]
    fn twice(self) -> Self {
        self.plus(self)
    }

    /// self - other, where `other` is a product or a sum of at most eight elements.
    fn minus(self, other: Self) -> Self;

    /// -self in the lanes that `mask` names, self in the rest, where self is a product.
    fn negate_where(self, mask: u8) -> Self;

    /// The element that the sum is.
    fn reduce(self) -> E;
}

/// A digit in each lane.
pub(super) struct Digits<I> {
    /// What multiple it asks for, less one; any if it asks for none.
    pub(super) index: I,
    pub(super) negative: u8,
    pub(super) zero: u8,
}

/// A stage of the program, compiled once for each backend.
///
/// What instructions are used in that have to be asked for must be inlined into the function that is compiled for them; so all
/// code below [`Self::run`] is `inline(always)` but for products of backends that ask for none, and a stage is as much of the
/// program as should be one function.
pub(super) trait Kernel<E: Element> {
    type Output;

    /// The stage itself; to be called by [`Element::run`] alone.
    fn run(self, cpu: E::Cpu) -> Self::Output;
}

/// What is worked on two in turns, so that one's multiplications fill the gaps in the other's; and the rest.
#[inline(always)]
pub(super) fn in_turns<E: Element, T>(all: &[T]) -> (&[[T; 2]], &[T]) {
    if E::IN_TURNS { all.as_chunks() } else { (&[], all) }
}
