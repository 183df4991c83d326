//! Recovery of many keys at once: one program, run for as many signatures as a vector register has lanes.
//!
//! The program is written once, over [`field::Element`], which `limbs52` implements for registers of many lanes and `limbs29` for
//! machines that have none. What it computes is what [`super::portable`] says, for every input: where the lanes cannot tell,
//! `portable` answers.
//!
//! Everything here is public data and takes variable time. Nothing here signs.

use super::Signature;
#[cfg(target_arch = "x86_64")]
use crate::cpu::Avx512Ifma;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use crate::cpu::FusedMultiplyAdd;
use alloc::vec::Vec;
use alloy_primitives::{B256, B512};

mod constants;
mod eisenstein;
mod field;
#[cfg(any(all(test, target_arch = "x86_64"), all(target_arch = "wasm32", not(target_feature = "relaxed-simd"))))]
mod limbs29;
#[cfg(any(target_arch = "x86_64", target_feature = "relaxed-simd"))]
mod limbs52;
mod multiples;
mod point;
mod power;
mod program;
mod scalar;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;

/// The key of each of `signed`, one after the other by products of 64 bits.
#[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
pub(super) fn recover_many_one_lane(signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    program::recover_many::<limbs29::Element29>((), signed)
}

/// The key of each of `signed`, eight at once in AVX-512 registers.
#[cfg(target_arch = "x86_64")]
pub(super) fn recover_many_avx512_ifma(cpu: Avx512Ifma, signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    program::recover_many::<limbs52::Element52<limbs52::avx512_ifma::Wide>>(cpu, signed)
}

/// The key of each of `signed`, two at once in registers of WebAssembly.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(super) fn recover_many_relaxed_simd(cpu: FusedMultiplyAdd, signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    program::recover_many::<limbs52::Element52<limbs52::relaxed_simd::Pair>>(cpu, signed)
}
