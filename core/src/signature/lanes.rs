//! Recovery of many keys at once: one program, run for as many signatures as a vector register has lanes.
//!
//! The program is written once, over [`Word`]; `backend/` holds what implements it, each for the processor that its file is
//! named after. What it computes is what [`super::portable`] says, for every input: where the lanes cannot tell, `portable`
//! answers.
//!
//! Everything here is public data and takes variable time. Nothing here signs.

use super::Signature;
#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx512Ifma;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use crate::cpu::FusedMultiplyAdd;
use alloc::vec::Vec;
use alloy_primitives::{B256, B512};

mod backend;
mod constants;
mod field;
mod multiples;
mod point;
mod power;
mod program;
mod scalar;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;

/// The key of each of `signed`, eight at once in AVX-512 registers.
#[cfg(target_arch = "x86_64")]
pub(super) fn recover_many_avx512_ifma(cpu: Avx512Ifma, signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    program::recover_many::<backend::avx512_ifma::Wide>(cpu, signed)
}

/// The key of each of `signed`, two at once in registers of WebAssembly.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(super) fn recover_many_relaxed_simd(cpu: FusedMultiplyAdd, signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    program::recover_many::<backend::relaxed_simd::Pair>(cpu, signed)
}

/// 64 bits in each of up to eight lanes, and multiplication of five limbs of 52 bits.
///
/// A mask has a bit a lane, the lowest for the first; bits beyond the lanes mean nothing.
trait Word: Copy {
    /// The proof that this processor has the instructions.
    type Cpu: Copy;

    /// How many lanes there are, at most eight.
    const LANES: usize;

    /// Runs `kernel` compiled for the instructions of this backend.
    fn run<K: Kernel<Self>>(cpu: Self::Cpu, kernel: K) -> K::Output;

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
    /// own part of the table goes. An index of 16 or more is 15.
    fn pick(table: &[[Self; 5]; 16], index: Self, limb: usize) -> Self;

    /// In each lane, the word numbered `word` of that entry of `table` which the lane of `index` names. An index of 512 or more
    /// is 511.
    fn look_up(table: &[[u64; 8]; 512], index: Self, word: usize) -> Self;

    /// self + high · [`field::FOLD_256`], where `high` is below 2^14.
    fn plus_folded_256(self, high: Self) -> Self;

    /// a · b. Of this and the products below, `field` says how large limbs may be and become.
    fn product(a: [Self; 5], b: [Self; 5]) -> [Self; 5];

    /// a · a
    fn square(a: [Self; 5]) -> [Self; 5];

    /// a · b + c · d
    fn product_sum(a: [Self; 5], b: [Self; 5], c: [Self; 5], d: [Self; 5]) -> [Self; 5];

    /// a · b + 2 · c · c
    fn product_and_twice_square(a: [Self; 5], b: [Self; 5], c: [Self; 5]) -> [Self; 5];
}

/// A stage of the program, compiled once for each backend.
///
/// What a backend's instructions are used in must be inlined into the function that is compiled for them; so all code below
/// [`Self::run`] is `inline(always)`, and a stage is as much of the program as should be one function.
trait Kernel<W: Word> {
    type Output;

    /// The stage itself; to be called by [`Word::run`] alone.
    fn run(self, cpu: W::Cpu) -> Self::Output;
}
