//! Two states in the vector registers of WebAssembly. A module either has the instructions throughout or does not load.

use super::{
    batch::{Blocks, Hashes, LANES},
    permutation::{self, RATE_WORDS, Vector, last_words, word},
    sponge::States,
};
use core::arch::wasm32::*;

/// Two lanes, four times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Simd128;

impl Simd128 {
    /// Hashes the first `count` blocks, and leaves the others or not. `are_half` as in [`permutation::hash`].
    pub(super) fn hash(self, count: usize, blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
        hash::<0>(blocks, are_half, hashes);
        if count > 2 {
            hash::<2>(blocks, are_half, hashes);
        }
        if count > 4 {
            hash::<4>(blocks, are_half, hashes);
        }
        if count > 6 {
            hash::<6>(blocks, are_half, hashes);
        }
    }

    /// Takes the first `count` blocks in, and the others or not.
    pub(super) fn absorb(self, count: usize, states: &mut States, blocks: &Blocks) {
        absorb::<0>(states, blocks);
        if count > 2 {
            absorb::<2>(states, blocks);
        }
        if count > 4 {
            absorb::<4>(states, blocks);
        }
        if count > 6 {
            absorb::<6>(states, blocks);
        }
    }
}

fn hash<const FIRST: usize>(blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
    permutation::hash::<V2, FIRST>(blocks, are_half, hashes);
}

fn absorb<const FIRST: usize>(states: &mut States, blocks: &Blocks) {
    permutation::absorb::<V2, FIRST>(states, blocks);
}

#[derive(Clone, Copy)]
struct V2(v128);

impl Vector for V2 {
    const LANES: usize = 2;

    #[inline(always)]
    fn load_blocks<const FIRST: usize>(blocks: &Blocks) -> [Self; RATE_WORDS] {
        let (first, second) = (&blocks.0[FIRST], &blocks.0[FIRST + 1]);
        let mut words = [Self::load::<FIRST>(&last_words(blocks)); RATE_WORDS];
        for (at, pair) in words.as_chunks_mut().0.iter_mut().enumerate() {
            // Two words of each block, one after the other: one load.
            let of_first = u64x2(word(first, 2 * at), word(first, 2 * at + 1));
            let of_second = u64x2(word(second, 2 * at), word(second, 2 * at + 1));
            *pair =
                [Self(u64x2_shuffle::<0, 2>(of_first, of_second)), Self(u64x2_shuffle::<1, 3>(of_first, of_second))];
        }
        words
    }

    #[inline(always)]
    fn load<const FIRST: usize>(lanes: &[u64; LANES]) -> Self {
        Self(u64x2(lanes[FIRST], lanes[FIRST + 1]))
    }

    #[inline(always)]
    fn store<const FIRST: usize>(self, lanes: &mut [u64; LANES]) {
        lanes[FIRST] = u64x2_extract_lane::<0>(self.0);
        lanes[FIRST + 1] = u64x2_extract_lane::<1>(self.0);
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        Self(u64x2_splat(word))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Self(v128_xor(self.0, other.0))
    }

    #[inline(always)]
    fn rotate(self, by: u32) -> Self {
        if by == 0 {
            // A shift counts modulo 64.
            return self;
        }
        Self(v128_or(u64x2_shl(self.0, by), u64x2_shr(self.0, 64 - by)))
    }

    #[inline(always)]
    fn chi(self, next: Self, after: Self) -> Self {
        Self(v128_xor(self.0, v128_andnot(after.0, next.0)))
    }
}
