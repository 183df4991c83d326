//! Two lanes in the vector registers of WebAssembly, with the multiply-add of relaxed SIMD, where the engine fuses it.

use super::{
    super::{
        constants::{Entry, MULTIPLES},
        field::Kernel,
    },
    Element52, Word,
    fused::{self, Fused},
};
use crate::cpu::FusedMultiplyAdd;
use core::arch::wasm32::*;

/// Two words of 64 bits. One exists only where multiply-add rounds once, because only a [`FusedMultiplyAdd`] makes the first.
#[derive(Clone, Copy)]
pub(in super::super) struct Pair(v128);

/// A vector whose lanes are all ones where `mask` has a bit.
#[inline(always)]
fn lanes_of(mask: u8) -> v128 {
    let bits = u64x2(1, 2);
    i64x2_eq(v128_and(u64x2_splat(u64::from(mask)), bits), bits)
}

impl Fused for Pair {
    #[inline(always)]
    fn multiply_add(self, by: Self, plus: Self) -> Self {
        Self(f64x2_relaxed_madd(self.0, by.0, plus.0))
    }

    #[inline(always)]
    fn plus_double(self, other: Self) -> Self {
        Self(f64x2_add(self.0, other.0))
    }

    #[inline(always)]
    fn minus_double(self, other: Self) -> Self {
        Self(f64x2_sub(self.0, other.0))
    }
}

impl Word for Pair {
    type Cpu = FusedMultiplyAdd;
    const LANES: usize = 2;

    #[inline(always)]
    fn run<K: Kernel<Element52<Self>>>(cpu: FusedMultiplyAdd, kernel: K) -> K::Output {
        kernel.run(cpu)
    }

    #[inline(always)]
    fn splat(_: FusedMultiplyAdd, word: u64) -> Self {
        Self(u64x2_splat(word))
    }

    #[inline(always)]
    fn load(_: FusedMultiplyAdd, words: &[u64; 8]) -> Self {
        Self(u64x2(words[0], words[1]))
    }

    #[inline(always)]
    fn load_signed(_: FusedMultiplyAdd, words: &[i16; 8]) -> Self {
        Self(i64x2(i64::from(words[0]), i64::from(words[1])))
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        [u64x2_extract_lane::<0>(self.0), u64x2_extract_lane::<1>(self.0), 0, 0, 0, 0, 0, 0]
    }

    #[inline(always)]
    fn constant(self, word: u64) -> Self {
        Self(u64x2_splat(word))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(i64x2_add(self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(i64x2_sub(self.0, other.0))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self(v128_and(self.0, other.0))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self(v128_or(self.0, other.0))
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        Self(u64x2_shl(self.0, BITS))
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        Self(u64x2_shr(self.0, BITS))
    }

    #[inline(always)]
    fn or_where(self, mask: u8, other: Self) -> Self {
        Self(v128_bitselect(other.0, self.0, lanes_of(mask)))
    }

    #[inline(always)]
    fn zero_lanes(self) -> u8 {
        i64x2_bitmask(i64x2_eq(self.0, u64x2_splat(0)))
    }

    #[inline(always)]
    fn negative_lanes(self) -> u8 {
        i64x2_bitmask(self.0)
    }

    #[inline(always)]
    fn all_below(self, bound: u64) -> bool {
        u64x2_extract_lane::<0>(self.0) < bound && u64x2_extract_lane::<1>(self.0) < bound
    }

    #[inline(always)]
    fn pick<const ENTRIES: usize>(table: &[Element52<Self>; ENTRIES], index: Self, limb: usize) -> Self {
        let first = u64x2_extract_lane::<0>(index.0).min(ENTRIES as u64 - 1) as usize;
        let second = u64x2_extract_lane::<1>(index.0).min(ENTRIES as u64 - 1) as usize;
        Self(i64x2_shuffle::<0, 3>(table[first].0[limb].0, table[second].0[limb].0))
    }

    #[inline(always)]
    fn look_up(table: &[Entry; MULTIPLES], index: Self) -> [Self; 8] {
        let first = &table[u64x2_extract_lane::<0>(index.0).min(MULTIPLES as u64 - 1) as usize];
        let second = &table[u64x2_extract_lane::<1>(index.0).min(MULTIPLES as u64 - 1) as usize];
        let mut words = [index; 8];
        for (word, (first, second)) in words.iter_mut().zip(first.iter().zip(second)) {
            *word = Self(u64x2(*first, *second));
        }
        words
    }

    /// [`FOLD_256`](super::super::field::FOLD_256) is 2^32 + 977, and 977 = 2^10 - 2^6 + 2^4 + 1.
    #[inline(always)]
    fn plus_folded_256(self, high: Self) -> Self {
        let by_977 = high.shl::<10>().sub(high.shl::<6>()).add(high.shl::<4>()).add(high);
        self.add(high.shl::<32>()).add(by_977)
    }

    #[inline(never)]
    fn product(a: [Self; 5], b: [Self; 5]) -> [Self; 5] {
        fused::product(a, b)
    }

    #[inline(never)]
    fn square(a: [Self; 5]) -> [Self; 5] {
        fused::square(a)
    }

    #[inline(never)]
    fn product_sum(a: [Self; 5], b: [Self; 5], c: [Self; 5], d: [Self; 5]) -> [Self; 5] {
        fused::product_sum(a, b, c, d)
    }

    #[inline(never)]
    fn product_and_twice_square(a: [Self; 5], b: [Self; 5], c: [Self; 5]) -> [Self; 5] {
        fused::product_and_twice_square(a, b, c)
    }
}
