//! Eight states in AVX-512 registers, or four in AVX2's.
//!
//! A kernel is a value that is made only where the CPU has its instructions, so that to use one is safe. Below, the
//! functions of a [`Vector`] are inlined into the kernel's and reached from nowhere else.

use super::{
    batch::{Blocks, Hashes, LANES, RATE, WORD},
    permutation::{self, HASH_WORDS, RATE_WORDS, Vector, last_words},
    sponge::States,
};
use crate::cpu::{self, avx512};
use core::arch::x86_64::*;

/// Eight lanes: a rotation, and any function of three words, is one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn new() -> Option<Self> {
        cpu::Avx512::detect().map(|_| Self(()))
    }

    /// `are_half` as in [`permutation::hash`].
    pub(super) fn hash(self, blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
        #[target_feature(enable = "avx512f")]
        fn run(blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
            permutation::hash::<V8, 0>(blocks, are_half, hashes);
        }
        // SAFETY: the CPU has AVX-512F, or there would be no `self`.
        unsafe { run(blocks, are_half, hashes) }
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

    /// Hashes the first `count` blocks, and leaves the others or not. `are_half` as in [`permutation::hash`].
    pub(super) fn hash(self, count: usize, blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
        #[target_feature(enable = "avx2")]
        fn low(blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
            permutation::hash::<V4, 0>(blocks, are_half, hashes);
        }
        #[target_feature(enable = "avx2")]
        fn high(blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
            permutation::hash::<V4, 4>(blocks, are_half, hashes);
        }
        // SAFETY: the CPU has AVX2, or there would be no `self`.
        unsafe { low(blocks, are_half, hashes) }
        if count > 4 {
            // SAFETY: as above.
            unsafe { high(blocks, are_half, hashes) }
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
    const LANES: usize = 8;

    #[inline(always)]
    fn load_blocks<const FIRST: usize>(blocks: &Blocks) -> [Self; RATE_WORDS] {
        let [w0, w1, w2, w3, w4, w5, w6, w7] = Self::eight_words::<0>(blocks);
        let [w8, w9, w10, w11, w12, w13, w14, w15] = Self::eight_words::<8>(blocks);
        let w16 = Self::load::<FIRST>(&last_words(blocks));
        [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, w16]
    }

    #[inline(always)]
    fn store_hashes<const FIRST: usize>([w0, w1, w2, w3]: [Self; HASH_WORDS], hashes: &mut Hashes) {
        // SAFETY: the kernel has AVX-512F; of each vector four times 16 bytes are written, 64 bytes apart, which is in `hashes`:
        // it has eight times 32 bytes.
        unsafe {
            let (even01, odd01) = (_mm512_unpacklo_epi64(w0.0, w1.0), _mm512_unpackhi_epi64(w0.0, w1.0));
            let (even23, odd23) = (_mm512_unpacklo_epi64(w2.0, w3.0), _mm512_unpackhi_epi64(w2.0, w3.0));
            let halves: *mut __m128i = hashes.as_mut_ptr().cast();
            for (at, vector) in [even01, even23, odd01, odd23].into_iter().enumerate() {
                _mm_storeu_si128(halves.add(at), _mm512_extracti32x4_epi32::<0>(vector));
                _mm_storeu_si128(halves.add(at + 4), _mm512_extracti32x4_epi32::<1>(vector));
                _mm_storeu_si128(halves.add(at + 8), _mm512_extracti32x4_epi32::<2>(vector));
                _mm_storeu_si128(halves.add(at + 12), _mm512_extracti32x4_epi32::<3>(vector));
            }
        }
    }

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

impl V8 {
    /// Eight words of each block, the one at `AT` first.
    #[inline(always)]
    fn eight_words<const AT: usize>(blocks: &Blocks) -> [Self; 8] {
        const { assert!(AT + 8 <= RATE_WORDS) }
        let [b0, b1, b2, b3, b4, b5, b6, b7] = &blocks.0;
        // SAFETY: the kernel has AVX-512F; of each block 64 bytes are read from word `AT` on, and it has these.
        unsafe {
            let words = |block: &[u8; RATE]| _mm512_loadu_si512(block.as_ptr().add(AT * WORD).cast());
            let rows = [words(b0), words(b1), words(b2), words(b3), words(b4), words(b5), words(b6), words(b7)];
            let [w0, w1, w2, w3, w4, w5, w6, w7] = avx512::transpose(rows);
            [Self(w0), Self(w1), Self(w2), Self(w3), Self(w4), Self(w5), Self(w6), Self(w7)]
        }
    }
}

#[derive(Clone, Copy)]
struct V4(__m256i);

impl V4 {
    /// Four words of the blocks in the lanes from `FIRST` on, the one at `AT` first.
    #[inline(always)]
    fn four_words<const FIRST: usize, const AT: usize>(blocks: &Blocks) -> [Self; 4] {
        const { assert!(FIRST + 4 <= LANES && AT + 4 <= RATE_WORDS) }
        let [b0, b1, b2, b3] = [&blocks.0[FIRST], &blocks.0[FIRST + 1], &blocks.0[FIRST + 2], &blocks.0[FIRST + 3]];
        // SAFETY: the kernel has AVX2; of each block 32 bytes are read from word `AT` on, and it has these.
        unsafe {
            let words = |block: &[u8; RATE]| _mm256_loadu_si256(block.as_ptr().add(AT * WORD).cast());
            let pairs = |a, b| (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
            let (even01, odd01) = pairs(words(b0), words(b1));
            let (even23, odd23) = pairs(words(b2), words(b3));
            let fours = |a, b| (_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b));
            let (w0, w2) = fours(even01, even23);
            let (w1, w3) = fours(odd01, odd23);
            [Self(w0), Self(w1), Self(w2), Self(w3)]
        }
    }
}

impl Vector for V4 {
    const LANES: usize = 4;

    #[inline(always)]
    fn load_blocks<const FIRST: usize>(blocks: &Blocks) -> [Self; RATE_WORDS] {
        let [w0, w1, w2, w3] = Self::four_words::<FIRST, 0>(blocks);
        let [w4, w5, w6, w7] = Self::four_words::<FIRST, 4>(blocks);
        let [w8, w9, w10, w11] = Self::four_words::<FIRST, 8>(blocks);
        let [w12, w13, w14, w15] = Self::four_words::<FIRST, 12>(blocks);
        let w16 = Self::load::<FIRST>(&last_words(blocks));
        [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, w16]
    }

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
