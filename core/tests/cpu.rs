//! What the processor is found to have.

use ocelli_core::cpu::{Avx2, Avx512, Avx512Ifma};

#[test]
#[cfg(target_arch = "x86_64")]
fn the_standard_library_finds_the_same() {
    let wide = std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512vl")
        && std::is_x86_feature_detected!("avx512bw")
        && std::is_x86_feature_detected!("avx512dq");
    // The first of these asks the processor, the others are told what it answered.
    for _ in 0..2 {
        assert_eq!(Avx2::detect().is_some(), std::is_x86_feature_detected!("avx2"));
        assert_eq!(Avx512::detect().is_some(), wide);
        assert_eq!(Avx512Ifma::detect().is_some(), wide && std::is_x86_feature_detected!("avx512ifma"));
    }
}

#[test]
#[cfg(not(target_arch = "x86_64"))]
fn another_processor_has_none_of_it() {
    assert!(Avx2::detect().is_none() && Avx512::detect().is_none() && Avx512Ifma::detect().is_none());
}
