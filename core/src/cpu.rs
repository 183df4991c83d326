//! What the processor underneath can do, found out at run time.
//!
//! A value of one of these types exists only where the processor has the instructions and the operating system keeps their
//! registers. So whoever holds one may call functions that are compiled for them. They decide how fast an answer comes,
//! never which: each has a portable counterpart that gives the same.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
mod multiply_add;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod wasm32;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// Sets of instructions, as bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Features(u32);

impl Features {
    const AVX2: Self = Self(1);
    const AVX512: Self = Self(2);
    const AVX512_IFMA: Self = Self(4);

    fn of_this_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        return x86_64::features();
        #[cfg(not(target_arch = "x86_64"))]
        return Self(0);
    }

    fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

/// Asks the processor to have `place` at hand soon, without waiting for it. Only a matter of speed.
#[inline(always)]
pub(crate) fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    x86_64::prefetch(place);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// AVX2: 256-bit vectors of integers.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// AVX-512 F, VL, BW and DQ: 512-bit vectors with masks, rotations and gathers, and the same for shorter ones.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

/// AVX-512 IFMA besides [`Avx512`]: products of 52-bit integers, added up in 64-bit lanes.
#[derive(Clone, Copy, Debug)]
pub struct Avx512Ifma(());

/// Relaxed SIMD of WebAssembly whose multiply-add of doubles rounds once.
#[derive(Clone, Copy, Debug)]
pub struct FusedMultiplyAdd(());

impl FusedMultiplyAdd {
    /// The proof that this module may use relaxed SIMD and that the engine fuses its multiply-add, if so.
    ///
    /// The standard leaves fusing to the engine, which has to be of one mind for as long as it runs. So it is asked for products
    /// whose halves only a fused one tells.
    pub fn detect() -> Option<Self> {
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        return wasm32::multiply_add_is_fused().then_some(Self(()));
        #[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
        return None;
    }
}

impl Avx2 {
    /// The proof that this processor has AVX2, if it has.
    pub fn detect() -> Option<Self> {
        Features::of_this_processor().has(Features::AVX2).then_some(Self(()))
    }
}

impl Avx512 {
    /// The proof that this processor has AVX-512 F, VL, BW and DQ, if it has.
    pub fn detect() -> Option<Self> {
        Features::of_this_processor().has(Features::AVX512).then_some(Self(()))
    }
}

impl Avx512Ifma {
    /// The proof that this processor has AVX-512 F, VL, BW, DQ and IFMA, if it has.
    pub fn detect() -> Option<Self> {
        Features::of_this_processor().has(Features::AVX512_IFMA).then_some(Self(()))
    }
}
