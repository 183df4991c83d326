//! PREFETCH; and CPUID and XGETBV, as Intel's Software Developer's Manual, volume 1, sections 14.3 and 15.2, has them asked.
//!
//! The standard library's `is_x86_feature_detected!` does the same and is not in `core`.

#![allow(unsafe_code)]

use super::Features;
use core::{
    arch::x86_64::{__cpuid, __cpuid_count, _MM_HINT_T0, _mm_prefetch, _xgetbv},
    sync::atomic::{AtomicU32, Ordering},
};

/// Leaf 1, ECX: the operating system uses XSAVE, so XGETBV may be asked.
const OSXSAVE: u32 = 1 << 27;
/// XCR0: the operating system keeps XMM and YMM registers.
const YMM_STATE: u64 = 0b110;
/// XCR0: and the mask registers, the upper halves of ZMM0 to 15, and ZMM16 to 31.
const ZMM_STATE: u64 = YMM_STATE | 0b1110_0000;
/// Leaf 7, EBX.
const AVX2: u32 = 1 << 5;
/// Leaf 7, EBX: AVX-512 F, DQ, BW and VL.
const AVX512: u32 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
/// Leaf 7, EBX.
const AVX512_IFMA: u32 = 1 << 21;

/// Set when the processor has been asked, beside the bits of [`Features`].
const ASKED: u32 = 1 << 31;

#[inline(always)]
pub(super) fn prefetch<T>(place: &T) {
    // SAFETY: every x86-64 processor has SSE, and the instruction neither faults nor changes anything a program can see.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).cast()) }
}

/// What this processor has.
///
/// Under a hypervisor each CPUID leaves the guest, which takes longer than a short batch of hashes, so the answer is kept. It
/// is a constant of the machine: every thread that asks writes the same value, and no order among them matters.
pub(super) fn features() -> Features {
    static KEPT: AtomicU32 = AtomicU32::new(0);
    let kept = KEPT.load(Ordering::Relaxed);
    if kept & ASKED != 0 {
        return Features(kept & !ASKED);
    }
    let features = ask();
    KEPT.store(features.0 | ASKED, Ordering::Relaxed);
    features
}

fn ask() -> Features {
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
        return Features(0);
    }
    // SAFETY: OSXSAVE says that the processor has XSAVE and that the operating system has enabled it.
    let kept_by_system = unsafe { _xgetbv(0) };
    let leaf = __cpuid_count(7, 0).ebx;
    let usable = |state: u64, bits: u32| kept_by_system & state == state && leaf & bits == bits;
    let answers = [
        (Features::AVX2, usable(YMM_STATE, AVX2)),
        (Features::AVX512, usable(ZMM_STATE, AVX512)),
        (Features::AVX512_IFMA, usable(ZMM_STATE, AVX512 | AVX512_IFMA)),
    ];
    answers.iter().filter(|(_, has)| *has).fold(Features(0), |all, (feature, _)| Features(all.0 | feature.0))
}
