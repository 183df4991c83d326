//! Two states in the vector registers of WebAssembly. A module either has the instructions throughout or does not load.

use super::{
    batch::{Blocks, Hashes, LANES},
    permutation::{Vector, absorb},
};
use core::arch::wasm32::*;

/// Two lanes, four times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Simd128;

impl Simd128 {
    /// Hashes the first `count` blocks, and leaves the others or not.
    pub(super) fn hash(self, count: usize, blocks: &Blocks, hashes: &mut Hashes) {
        pair::<0>(blocks, hashes);
        if count > 2 {
            pair::<2>(blocks, hashes);
        }
        if count > 4 {
            pair::<4>(blocks, hashes);
        }
        if count > 6 {
            pair::<6>(blocks, hashes);
        }
    }
}

fn pair<const FIRST: usize>(blocks: &Blocks, hashes: &mut Hashes) {
    absorb::<V2, FIRST>(blocks, hashes);
}

#[derive(Clone, Copy)]
struct V2(v128);

impl Vector for V2 {
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
