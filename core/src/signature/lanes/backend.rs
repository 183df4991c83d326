//! What the lane program runs on.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512_ifma;
#[cfg(all(test, target_arch = "x86_64"))]
pub(super) mod doubles;
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
pub(super) mod fused;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(super) mod relaxed_simd;
