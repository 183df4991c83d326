//! Every kernel that this module has and the browser runs answers as the portable one does.

#![cfg(target_arch = "wasm32")]

use ocelli_core::{
    hash::{self, Batch},
    signature,
};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

#[path = "../../core/tests/recovery/adversarial.rs"]
mod adversarial;
#[path = "../../core/tests/recovery/inputs.rs"]
mod inputs;

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn signatures_recover_alike() {
    let random = inputs::Inputs::new(31).take(200);
    let signed: Vec<_> = random.chain(adversarial::inputs().into_iter().step_by(31)).collect();
    let backends = signature::Backend::available();
    let names: Vec<_> = backends.iter().map(signature::Backend::name).collect();
    for name in signature::Backend::NAMES.iter().filter(|name| !names.contains(name)) {
        console_log!("not run: recovery with {name}");
    }
    for signed in signed.chunks(101).chain([&signed[..1], &signed[..2], &signed[..3]]) {
        let expected = signature::Backend::PORTABLE.recover_public_keys(signed);
        for backend in &backends {
            assert_eq!(backend.recover_public_keys(signed), expected, "{}", backend.name());
        }
    }
    // With wide arithmetic the portable one has other limbs; what it answers stands in transcripts, which the three modules replay.
    // Chromium fuses wherever the processor does, and every machine of the last ten years does.
    let lanes = if cfg!(target_feature = "relaxed-simd") { "relaxed-simd" } else { "one-lane" };
    assert_eq!(names, ["portable", lanes]);
}

/// What LLVM 22 made of wide arithmetic gave other sums here.
#[wasm_bindgen_test]
fn words_of_128_bits_add_up() {
    let halves = [0, 1, 2, 1 << 63, (1 << 63) - 1, u64::MAX - 1, u64::MAX];
    let words = || halves.iter().flat_map(|high| halves.map(|low| u128::from(*high) << 64 | u128::from(low)));
    for (a, b) in words().flat_map(|a| words().map(move |b| (a, b))) {
        let (sum, carry) = by_bytes(a, b);
        assert_eq!(saturating_sum(a, b), if carry { u128::MAX } else { sum }, "{a:#x} + {b:#x}");
        assert_eq!(saturating_difference(sum, b), if carry { 0 } else { a }, "{sum:#x} - {b:#x}");
    }
}

#[inline(never)]
fn saturating_sum(a: u128, b: u128) -> u128 {
    a.saturating_add(b)
}

#[inline(never)]
fn saturating_difference(a: u128, b: u128) -> u128 {
    a.saturating_sub(b)
}

/// Sum and carry, by nothing wide.
fn by_bytes(a: u128, b: u128) -> (u128, bool) {
    let mut carry = 0_u16;
    let sum: [u8; 16] = core::array::from_fn(|at| {
        carry = (carry >> 8) + u16::from(a.to_le_bytes()[at]) + u16::from(b.to_le_bytes()[at]);
        carry as u8
    });
    (u128::from_le_bytes(sum), carry >> 8 != 0)
}

#[wasm_bindgen_test]
fn preimages_hash_alike() {
    let preimages: Vec<Vec<u8>> =
        (0..600_usize).map(|seed| (0..seed).map(|at| (at * 131 + seed * 29) as u8).collect()).collect();
    let expected: Vec<_> = preimages.iter().map(hash::keccak256).collect();
    let names: Vec<_> = hash::Backend::available().map(hash::Backend::name).collect();
    assert_eq!(cfg!(target_feature = "simd128"), names.contains(&"simd128"));
    for backend in hash::Backend::available() {
        // In batches of every size around the number of lanes, short ones among long ones.
        for size in [1, 2, 3, 4, 5, 6, 7, 8, 9, 300] {
            let mut batch = Batch::with(backend);
            for (preimages, expected) in preimages.chunks(size).zip(expected.chunks(size)) {
                preimages.iter().for_each(|preimage| batch.push(&[preimage.as_slice()]));
                assert!(batch.drain().eq(expected.iter().copied()), "{} by {size}", backend.name());
            }
            let word = |at: usize| u64::from_le_bytes([at as u8; 8]);
            (0..size).for_each(|at| batch.push_words([word(at); 8]));
            let words: Vec<_> = (0..size).map(|at| hash::keccak256([at as u8; 64])).collect();
            assert!(batch.drain().eq(words), "{} by {size}", backend.name());
        }
    }
}
