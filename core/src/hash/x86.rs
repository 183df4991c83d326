//! Eight states in AVX-512 registers, or four in AVX2's.
//!
//! A kernel is a value that is made only where the CPU has its instructions, so that to use one is safe. Below, the
//! functions of a [`Vector`] are inlined into the kernel's and reached from nowhere else.

use super::{
    batch::{Blocks, Hashes, LANES},
    permutation::{self, Vector},
    sponge::States,
};
use crate::cpu;
use core::arch::x86_64::*;

/// Eight lanes: a rotation, and any function of three words, is one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn new() -> Option<Self> {
        cpu::Avx512::detect().map(|_| Self(()))
    }

    pub(super) fn hash(self, blocks: &Blocks, hashes: &mut Hashes) {
        #[target_feature(enable = "avx512f")]
        fn run(blocks: &Blocks, hashes: &mut Hashes) {
            permutation::hash::<V8, 0>(blocks, hashes);
        }
        // SAFETY: the CPU has AVX-512F, or there would be no `self`.
        unsafe { run(blocks, hashes) }
    }

    pub(super) fn absorb(self, states: &mut States, blocks: &Blocks) {
        #[target_feature(enable = "avx512f")]
        fn run(states: &mut States, blocks: &Blocks) {
            permutation::absorb::<V8, 0>(states, blocks);
        }
        // SAFETY: as above.
        unsafe { run(states, blocks) }
    }
}

/// Four lanes, twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn new() -> Option<Self> {
        cpu::Avx2::detect().map(|_| Self(()))
    }

    /// Hashes the first `count` blocks, and leaves the others or not.
    pub(super) fn hash(self, count: usize, blocks: &Blocks, hashes: &mut Hashes) {
        #[target_feature(enable = "avx2")]
        fn low(blocks: &Blocks, hashes: &mut Hashes) {
            permutation::hash::<V4, 0>(blocks, hashes);
        }
        #[target_feature(enable = "avx2")]
        fn high(blocks: &Blocks, hashes: &mut Hashes) {
            permutation::hash::<V4, 4>(blocks, hashes);
        }
        // SAFETY: the CPU has AVX2, or there would be no `self`.
        unsafe { low(blocks, hashes) }
        if count > 4 {
            // SAFETY: as above.
            unsafe { high(blocks, hashes) }
        }
    }

    /// Takes the first `count` blocks in, and the others or not.
    pub(super) fn absorb(self, count: usize, states: &mut States, blocks: &Blocks) {
        #[target_feature(enable = "avx2")]
        fn low(states: &mut States, blocks: &Blocks) {
            permutation::absorb::<V4, 0>(states, blocks);
        }
        #[target_feature(enable = "avx2")]
        fn high(states: &mut States, blocks: &Blocks) {
            permutation::absorb::<V4, 4>(states, blocks);
        }
        // SAFETY: the CPU has AVX2, or there would be no `self`.
        unsafe { low(states, blocks) }
        if count > 4 {
            // SAFETY: as above.
            unsafe { high(states, blocks) }
        }
    }
}

#[derive(Clone, Copy)]
struct V8(__m512i);

impl Vector for V8 {
    #[inline(always)]
    fn load<const FIRST: usize>(lanes: &[u64; LANES]) -> Self {
        // SAFETY: the kernel has AVX-512F; 64 bytes are read, which `lanes` has.
        Self(unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store<const FIRST: usize>(self, lanes: &mut [u64; LANES]) {
        // SAFETY: the kernel has AVX-512F; 64 bytes are written, which `lanes` has.
        unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        // SAFETY: the kernel has AVX-512F.
        Self(unsafe { _mm512_set1_epi64(word as i64) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: the kernel has AVX-512F.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        // SAFETY: the kernel has AVX-512F.
        Self(unsafe { _mm512_ternarylogic_epi64::<0x96>(self.0, second.0, third.0) })
    }

    #[inline(always)]
    fn rotate(self, by: u32) -> Self {
        // SAFETY: the kernel has AVX-512F. `by` is a constant where this is inlined.
        Self(unsafe { _mm512_rolv_epi64(self.0, _mm512_set1_epi64(i64::from(by))) })
    }

    #[inline(always)]
    fn chi(self, next: Self, after: Self) -> Self {
        // SAFETY: the kernel has AVX-512F.
        Self(unsafe { _mm512_ternarylogic_epi64::<0xd2>(self.0, next.0, after.0) })
    }
}

#[derive(Clone, Copy)]
struct V4(__m256i);

impl Vector for V4 {
    #[inline(always)]
    fn load<const FIRST: usize>(lanes: &[u64; LANES]) -> Self {
        let four: [u64; 4] = [lanes[FIRST], lanes[FIRST + 1], lanes[FIRST + 2], lanes[FIRST + 3]];
        // SAFETY: the kernel has AVX2; 32 bytes are read, which `four` has.
        Self(unsafe { _mm256_loadu_si256(four.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store<const FIRST: usize>(self, lanes: &mut [u64; LANES]) {
        let mut four = [0_u64; 4];
        // SAFETY: the kernel has AVX2; 32 bytes are written, which `four` has.
        unsafe { _mm256_storeu_si256(four.as_mut_ptr().cast(), self.0) }
        lanes[FIRST..FIRST + 4].copy_from_slice(&four);
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        // SAFETY: the kernel has AVX2.
        Self(unsafe { _mm256_set1_epi64x(word as i64) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: the kernel has AVX2.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate(self, by: u32) -> Self {
        let (left, right) = (i64::from(by), i64::from(64 - by));
        // SAFETY: the kernel has AVX2. A shift by 64, when `by` is zero, gives zero.
        Self(unsafe {
            let left = _mm256_sllv_epi64(self.0, _mm256_set1_epi64x(left));
            let right = _mm256_srlv_epi64(self.0, _mm256_set1_epi64x(right));
            _mm256_or_si256(left, right)
        })
    }

    #[inline(always)]
    fn chi(self, next: Self, after: Self) -> Self {
        // SAFETY: the kernel has AVX2.
        Self(unsafe { _mm256_xor_si256(self.0, _mm256_andnot_si256(next.0, after.0)) })
    }
}
