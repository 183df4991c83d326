//! What the engine of WebAssembly makes of instructions that leave it a choice.

use super::multiply_add::is_fused;
use core::arch::wasm32::*;

/// Whether multiply-add of doubles rounds once, in both lanes.
pub(super) fn multiply_add_is_fused() -> bool {
    let both = |a, b, plus| f64x2_relaxed_madd(f64x2_splat(a), f64x2_splat(b), f64x2_splat(plus));
    is_fused(|a, b, plus| f64x2_extract_lane::<0>(both(a, b, plus)))
        && is_fused(|a, b, plus| f64x2_extract_lane::<1>(both(a, b, plus)))
}
