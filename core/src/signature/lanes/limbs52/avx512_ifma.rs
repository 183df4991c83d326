//! Eight lanes in the 512-bit registers of x86-64, with the 52-bit multiplications of AVX-512 IFMA.
//!
//! `vpmadd52luq` and `vpmadd52huq` take the low 52 bits of two words, and add the low or the high 52 bits of their product to
//! a third. They ignore what is above 52 bits, so nothing here hands them more, except where that is what is wanted.

#![allow(unsafe_code)]

use super::{
    super::{
        constants::{Entry, MULTIPLES},
        field::{FOLD_256, Kernel},
    },
    Element52, FOLD_260, Word,
};
use crate::cpu::{Avx512Ifma, avx512};
use core::arch::x86_64::*;

/// Eight words of 64 bits. One exists only where the processor has AVX-512 F, VL, BW, DQ and IFMA, because only a
/// [`Avx512Ifma`] makes the first.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(in super::super) struct Wide(__m512i);

/// An intrinsic over words that exist.
macro_rules! wide {
    ($call:expr) => {
        // SAFETY: the processor has the instructions, because a `Wide` or an `Avx512Ifma` is at hand. What is loaded or stored is a
        // whole array of eight words, or of eight halves of 16 bits where these are extended.
        unsafe { $call }
    };
}

impl Wide {
    /// self + the low half of a · b
    #[inline(always)]
    fn low(self, a: Self, b: Self) -> Self {
        Self(wide!(_mm512_madd52lo_epu64(self.0, a.0, b.0)))
    }

    /// self + the high half of a · b
    #[inline(always)]
    fn high(self, a: Self, b: Self) -> Self {
        Self(wide!(_mm512_madd52hi_epu64(self.0, a.0, b.0)))
    }
}

impl Word for Wide {
    type Cpu = Avx512Ifma;
    const LANES: usize = 8;

    #[inline(always)]
    fn run<K: Kernel<Element52<Self>>>(cpu: Avx512Ifma, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512ifma")]
        fn compiled_for_it<K: Kernel<Element52<Wide>>>(cpu: Avx512Ifma, kernel: K) -> K::Output {
            kernel.run(cpu)
        }
        wide!(compiled_for_it(cpu, kernel))
    }

    #[inline(always)]
    fn splat(_: Avx512Ifma, word: u64) -> Self {
        Self(wide!(_mm512_set1_epi64(word.cast_signed())))
    }

    #[inline(always)]
    fn load(_: Avx512Ifma, words: &[u64; 8]) -> Self {
        Self(wide!(_mm512_loadu_si512(words.as_ptr().cast())))
    }

    #[inline(always)]
    fn load_signed(_: Avx512Ifma, words: &[i16; 8]) -> Self {
        Self(wide!(_mm512_cvtepi16_epi64(_mm_loadu_si128(words.as_ptr().cast()))))
    }

    #[inline(always)]
    fn store(self) -> [u64; 8] {
        let mut words = [0; 8];
        wide!(_mm512_storeu_si512(words.as_mut_ptr().cast(), self.0));
        words
    }

    #[inline(always)]
    fn constant(self, word: u64) -> Self {
        Self(wide!(_mm512_set1_epi64(word.cast_signed())))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(wide!(_mm512_add_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(wide!(_mm512_sub_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self(wide!(_mm512_and_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self(wide!(_mm512_or_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        Self(wide!(_mm512_slli_epi64::<BITS>(self.0)))
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        Self(wide!(_mm512_srli_epi64::<BITS>(self.0)))
    }

    #[inline(always)]
    fn or_where(self, mask: u8, other: Self) -> Self {
        Self(wide!(_mm512_mask_blend_epi64(mask, self.0, other.0)))
    }

    #[inline(always)]
    fn zero_lanes(self) -> u8 {
        wide!(_mm512_testn_epi64_mask(self.0, self.0))
    }

    #[inline(always)]
    fn negative_lanes(self) -> u8 {
        wide!(_mm512_movepi64_mask(self.0))
    }

    #[inline(always)]
    fn all_below(self, bound: u64) -> bool {
        wide!(_mm512_cmplt_epu64_mask(self.0, _mm512_set1_epi64(bound.cast_signed()))) == u8::MAX
    }

    #[inline(always)]
    fn pick<const ENTRIES: usize>(table: &[Element52<Self>; ENTRIES], index: Self, limb: usize) -> Self {
        assert!(limb < 5);
        // Words from one entry to the next: 5 limbs of 8 lanes.
        let last = const {
            assert!(ENTRIES > 0);
            ENTRIES as i64 - 1
        };
        let index = Self(wide!(_mm512_min_epu64(index.0, _mm512_set1_epi64(last))));
        let entry = index.shl::<5>().add(index.shl::<3>());
        let lane = wide!(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
        let base = table.as_ptr().cast::<i64>().wrapping_add(limb * 8);
        // SAFETY: entry ≤ (ENTRIES - 1) · 40, limb · 8 ≤ 32 and lane ≤ 7, so every word read is one of the table's ENTRIES · 40.
        Self(unsafe { _mm512_i64gather_epi64::<8>(_mm512_add_epi64(entry.0, lane), base) })
    }

    #[inline(always)]
    fn look_up(table: &[Entry; MULTIPLES], index: Self) -> [Self; 8] {
        // Whole entries, and then columns of these rows: gathering word by word takes a processor several times as long.
        let mut rows = [index.0; 8];
        for (row, index) in rows.iter_mut().zip(index.store()) {
            let entry = &table[(index as usize).min(MULTIPLES - 1)];
            *row = wide!(_mm512_loadu_si512(entry.as_ptr().cast()));
        }
        wide!(avx512::transpose(rows)).map(Self)
    }

    #[inline(always)]
    fn plus_folded_256(self, high: Self) -> Self {
        // The product is below 2^47, so its low half is all of it.
        self.low(high, high.constant(FOLD_256))
    }

    #[inline(always)]
    fn product(a: [Self; 5], b: [Self; 5]) -> [Self; 5] {
        fold(add_product([a[0].constant(0); 10], a, b))
    }

    #[inline(always)]
    fn square(a: [Self; 5]) -> [Self; 5] {
        fold(columns_of_square(a))
    }

    #[inline(always)]
    fn product_sum(a: [Self; 5], b: [Self; 5], c: [Self; 5], d: [Self; 5]) -> [Self; 5] {
        fold(add_product(add_product([a[0].constant(0); 10], a, b), c, d))
    }

    #[inline(always)]
    fn product_and_twice_square(a: [Self; 5], b: [Self; 5], c: [Self; 5]) -> [Self; 5] {
        let mut columns = columns_of_square(c);
        for column in &mut columns {
            *column = column.add(*column);
        }
        fold(add_product(columns, a, b))
    }
}

/// Adds a · b to ten columns, of which column k counts 2^(52 k).
///
/// Column k takes a low half for each i + j = k and a high half for each i + j = k - 1: 1, 3, 5, 7, 9, 9, 7, 5, 3 and 1 numbers
/// below 2^52. The one in column 9 is the high half of the product of both limbs 4, below 2^49 each: below 2^46.
#[inline(always)]
fn add_product(mut columns: [Wide; 10], a: [Wide; 5], b: [Wide; 5]) -> [Wide; 10] {
    for i in 0..5 {
        for j in 0..5 {
            columns[i + j] = columns[i + j].low(a[i], b[j]);
            columns[i + j + 1] = columns[i + j + 1].high(a[i], b[j]);
        }
    }
    columns
}

/// The columns of a · a, as [`add_product`] would make them, each mixed product counted twice.
#[inline(always)]
fn columns_of_square(a: [Wide; 5]) -> [Wide; 10] {
    let mut columns = [a[0].constant(0); 10];
    for i in 0..5 {
        for j in i + 1..5 {
            columns[i + j] = columns[i + j].low(a[i], a[j]);
            columns[i + j + 1] = columns[i + j + 1].high(a[i], a[j]);
        }
    }
    for i in 0..5 {
        // Columns 0 and 9 have no mixed products; doubling their zeros is left to the optimiser.
        for column in [2 * i, 2 * i + 1] {
            columns[column] = columns[column].add(columns[column]);
        }
        columns[2 * i] = columns[2 * i].low(a[i], a[i]);
        columns[2 * i + 1] = columns[2 * i + 1].high(a[i], a[i]);
    }
    columns
}

/// Folds columns 5 to 9 into the lower five: column k + 5 counts as 2^260 = [`FOLD_260`] in column k.
///
/// The columns hold up to three products, so column k + 5 is below 27 · 2^52, and column 9 below 3 · 2^46. What is above 52 bits is
/// carried on first, less than 2^5, which leaves column 9 below 2^48; the rest of 52 bits is what a multiplication looks at. Its
/// low half is below 2^52 and its high half below 2^37. So no column grows by more than 2^52 + 2^37, except those that take the
/// second fold too, which grow by as much again at most: below 12 · 2^52 for one product (9 before), 30 · 2^52 for three.
#[inline(always)]
fn fold(columns: [Wide; 10]) -> [Wide; 5] {
    let [a, b, c, d, e, f, g, h, i, j] = columns;
    let g = g.add(f.shr::<52>());
    let h = h.add(g.shr::<52>());
    let i = i.add(h.shr::<52>());
    let j = j.add(i.shr::<52>());
    debug_assert!(j.all_below(1 << 48));
    let by = f.constant(FOLD_260);
    let a = a.low(f, by);
    let b = b.high(f, by).low(g, by);
    let c = c.high(g, by).low(h, by);
    let d = d.high(h, by).low(i, by);
    let e = e.high(i, by).low(j, by);
    // What the high half of the last column carries out of column 4: below 2^33.
    let carried = j.constant(0).high(j, by);
    [a.low(carried, by), b.high(carried, by), c, d, e]
}
