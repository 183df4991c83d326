//! What the engine of WebAssembly makes of instructions that leave it a choice.

use core::{arch::wasm32::*, hint::black_box};

/// Two factors, what is added to their product, and all that is left of it if it is rounded once.
const KNOWN: [[f64; 4]; 4] = [
    // (1 + 2^-30)² = 1 + 2^-29 + 2^-60
    [1.0 + EPSILON, 1.0 + EPSILON, -1.0 - 2.0 * EPSILON, EPSILON * EPSILON],
    [1.0 + EPSILON, -1.0 - EPSILON, 1.0 + 2.0 * EPSILON, -EPSILON * EPSILON],
    // (2^52 - 1)² = 2^104 - 2^53 + 1
    [TWO_52 - 1.0, TWO_52 - 1.0, 2.0 * TWO_52 - TWO_52 * TWO_52, 1.0],
    // 2^104 + (2^52 - 1)² is 2^105 - 2^53 and a bit, which rounds away.
    [TWO_52 - 1.0, TWO_52 - 1.0, TWO_52 * TWO_52, 2.0 * (TWO_52 * TWO_52 - TWO_52)],
];
const EPSILON: f64 = 1.0 / (1 << 30) as f64;
const TWO_52: f64 = (1_u64 << 52) as f64;

/// Whether multiply-add of doubles rounds once.
pub(super) fn multiply_add_is_fused() -> bool {
    KNOWN.iter().all(|known| {
        // Hidden from the compiler, which might do it by its own multiply-add.
        let [a, b, plus, left] = black_box(*known);
        let found = f64x2_relaxed_madd(f64x2_splat(a), f64x2_splat(b), f64x2_splat(plus));
        f64x2_extract_lane::<0>(found) == left && f64x2_extract_lane::<1>(found) == left
    })
}
