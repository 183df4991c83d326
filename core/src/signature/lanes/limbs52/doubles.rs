//! Two lanes by the doubles of any processor: slow, and what lets tests run [`super::fused`] where there is no WebAssembly.

use super::{
    super::{
        constants::{Entry, MULTIPLES},
        field::{FOLD_256, Kernel},
    },
    Element52, Word,
    fused::{self, Fused},
};

/// Two words of 64 bits.
#[derive(Clone, Copy)]
pub(in super::super) struct Doubles([u64; 2]);

impl Doubles {
    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self([of(self.0[0], other.0[0]), of(self.0[1], other.0[1])])
    }

    fn mask(self, is: impl Fn(u64) -> bool) -> u8 {
        u8::from(is(self.0[0])) | u8::from(is(self.0[1])) << 1
    }
}

impl Fused for Doubles {
    fn multiply_add(self, by: Self, plus: Self) -> Self {
        let lane = |at: usize| {
            let [a, b, c] = [self, by, plus].map(|word| f64::from_bits(word.0[at]));
            a.mul_add(b, c).to_bits()
        };
        Self([lane(0), lane(1)])
    }

    fn plus_double(self, other: Self) -> Self {
        self.each(other, |a, b| (f64::from_bits(a) + f64::from_bits(b)).to_bits())
    }

    fn minus_double(self, other: Self) -> Self {
        self.each(other, |a, b| (f64::from_bits(a) - f64::from_bits(b)).to_bits())
    }
}

impl Word for Doubles {
    type Cpu = ();
    const LANES: usize = 2;

    fn run<K: Kernel<Element52<Self>>>(cpu: (), kernel: K) -> K::Output {
        kernel.run(cpu)
    }

    fn splat((): (), word: u64) -> Self {
        Self([word; 2])
    }

    fn load((): (), words: &[u64; 8]) -> Self {
        Self([words[0], words[1]])
    }

    fn load_signed((): (), words: &[i16; 8]) -> Self {
        Self([words[0], words[1]].map(|word| i64::from(word).cast_unsigned()))
    }

    fn store(self) -> [u64; 8] {
        [self.0[0], self.0[1], 0, 0, 0, 0, 0, 0]
    }

    fn constant(self, word: u64) -> Self {
        Self([word; 2])
    }

    fn add(self, other: Self) -> Self {
        self.each(other, u64::wrapping_add)
    }

    fn sub(self, other: Self) -> Self {
        self.each(other, u64::wrapping_sub)
    }

    fn and(self, other: Self) -> Self {
        self.each(other, |a, b| a & b)
    }

    fn or(self, other: Self) -> Self {
        self.each(other, |a, b| a | b)
    }

    fn shl<const BITS: u32>(self) -> Self {
        Self(self.0.map(|word| word << BITS))
    }

    fn shr<const BITS: u32>(self) -> Self {
        Self(self.0.map(|word| word >> BITS))
    }

    fn or_where(self, mask: u8, other: Self) -> Self {
        Self([0, 1].map(|lane| if mask >> lane & 1 == 1 { other.0[lane] } else { self.0[lane] }))
    }

    fn zero_lanes(self) -> u8 {
        self.mask(|word| word == 0)
    }

    fn negative_lanes(self) -> u8 {
        self.mask(|word| word >> 63 == 1)
    }

    fn all_below(self, bound: u64) -> bool {
        self.0.iter().all(|word| *word < bound)
    }

    fn pick<const ENTRIES: usize>(table: &[Element52<Self>; ENTRIES], index: Self, limb: usize) -> Self {
        Self([0, 1].map(|lane| table[index.0[lane].min(ENTRIES as u64 - 1) as usize].0[limb].0[lane]))
    }

    fn look_up(table: &[Entry; MULTIPLES], index: Self) -> [Self; 8] {
        let [first, second] = index.0.map(|index| table[index.min(MULTIPLES as u64 - 1) as usize]);
        core::array::from_fn(|word| Self([first[word], second[word]]))
    }

    fn plus_folded_256(self, high: Self) -> Self {
        self.each(high, |word, high| word + high * FOLD_256)
    }

    fn product(a: [Self; 5], b: [Self; 5]) -> [Self; 5] {
        fused::product(a, b)
    }

    fn square(a: [Self; 5]) -> [Self; 5] {
        fused::square(a)
    }

    fn product_sum(a: [Self; 5], b: [Self; 5], c: [Self; 5], d: [Self; 5]) -> [Self; 5] {
        fused::product_sum(a, b, c, d)
    }

    fn product_and_twice_square(a: [Self; 5], b: [Self; 5], c: [Self; 5]) -> [Self; 5] {
        fused::product_and_twice_square(a, b, c)
    }
}
