//! Every backend recovers what libsecp256k1 recovers, from every input.
//!
//! Inputs need no signing: any x coordinate of a point, s and hash are a signature of somebody.

#[path = "recovery/adversarial.rs"]
mod adversarial;
#[path = "recovery/inputs.rs"]
mod inputs;

use inputs::{Inputs, Signed};
use ocelli_core::signature::{Backend, SignatureError, recover, recover_many, recover_public_key};
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use std::io::Write;

/// One of so many signatures is recovered alone in lanes, too.
const LANES_ALONE: usize = 64;

/// What libsecp256k1 says.
fn expected((hash, signature): &Signed) -> Result<[u8; 64], SignatureError> {
    let id = if signature.y_odd() { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(&signature.as_bytes()[..64], id).expect("r and s are in range");
    let key = signature.recover(Message::from_digest(hash.0)).map_err(|_| SignatureError::NoKey)?;
    Ok(key.serialize_uncompressed()[1..].try_into().expect("two coordinates"))
}

/// Sees every backend answer as libsecp256k1 does, in batches of `size`.
fn check(signed: &[Signed], size: usize) {
    let expected: Vec<_> = signed.iter().map(expected).collect();
    for backend in Backend::available() {
        for (signed, expected) in signed.chunks(size).zip(expected.chunks(size)) {
            let found = backend.recover_public_keys(signed);
            assert_eq!(found.len(), expected.len());
            for ((found, expected), signed) in found.iter().zip(expected).zip(signed) {
                assert_eq!(found.map(|key| key.0), *expected, "{}: {signed:?}", backend.name());
            }
            // Without lanes, what recovers one alone is another formula; with them it is the same, and takes as long as eight.
            let step = if backend.name() == "avx512-ifma" { LANES_ALONE } else { 1 };
            for (expected, (hash, signature)) in expected.iter().zip(signed).step_by(step) {
                let found = backend.recover_public_key(hash, signature);
                assert_eq!(found.map(|key| key.0), *expected, "{}: {hash} {signature:?}", backend.name());
            }
        }
    }
}

#[test]
fn backends_that_cannot_run_here_are_named() {
    let here: Vec<_> = Backend::available().iter().map(Backend::name).collect();
    assert_eq!(here[0], "portable");
    // Those for WebAssembly are tested in a browser, by `wasm/tests`.
    let missing = |name: &&str| !here.contains(name) && !["one-lane", "relaxed-simd"].contains(name);
    let missing: Vec<_> = Backend::NAMES.iter().copied().filter(missing).collect();
    if !missing.is_empty() {
        // Past libtest, which keeps to itself what a test prints that passes; a closed stderr is no reason to fail.
        let missing = missing.join(", ");
        let line = format!("SKIPPED: recovery with {missing}: not in this build, or not in this processor\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    assert!(here.iter().all(|name| Backend::NAMES.contains(name)));
}

#[test]
fn random_inputs_recover_as_elsewhere() {
    check(&Inputs::new(1).take(4_000).collect::<Vec<_>>(), 256);
}

/// `cargo run --release --package ocelli-core --example recover_differential -- 1000000000` tries as many as one likes.
#[test]
fn lanes_recover_many_random_inputs_as_elsewhere() {
    std::thread::scope(|scope| {
        for seed in [2, 3] {
            scope.spawn(move || {
                let signed: Vec<Signed> = Inputs::new(seed).take(100_000).collect();
                // Where there are no lanes, it is not the library that is compared with itself.
                let backend = Backend::available().into_iter().rfind(|backend| backend.name() != "libsecp256k1");
                let found = backend.expect("the portable one").recover_public_keys(&signed);
                for (found, signed) in found.iter().zip(&signed) {
                    assert_eq!(found.map(|key| key.0), expected(signed), "{signed:?}");
                }
            });
        }
    });
}

#[test]
fn batches_of_every_size_around_the_number_of_lanes_recover_each_by_itself() {
    for size in [1, 2, 7, 8, 9, 15, 16, 17, 255, 256, 257, 511, 512, 513] {
        check(&Inputs::new(size as u64).take(size).collect::<Vec<_>>(), size);
    }
    for backend in Backend::available() {
        assert_eq!(backend.recover_many(&[]), []);
    }
}

#[test]
fn inputs_made_to_hit_exceptions_recover_as_elsewhere() {
    let signed = adversarial::inputs();
    let without_key = signed.iter().filter(|signed| expected(signed).is_err()).count();
    assert!(without_key > 100, "too few keys at infinity: {without_key}");
    check(&signed, 256);
}

#[test]
fn inputs_without_a_key_do_not_disturb_their_neighbours() {
    let hostile = adversarial::without_key();
    for at in 0..16 {
        let mut signed: Vec<Signed> = Inputs::new(at).take(16).collect();
        for (place, hostile) in hostile.iter().enumerate() {
            signed[at as usize] = *hostile;
            signed[(at as usize + place) % 16] = *hostile;
            check(&signed, 16);
        }
    }
}

#[test]
fn one_signature_and_many_recover_to_the_same_addresses() {
    let signed: Vec<Signed> = Inputs::new(9).take(300).chain(adversarial::without_key()).collect();
    let alone: Vec<_> = signed.iter().map(|(hash, signature)| recover(hash, signature)).collect();
    assert_eq!(recover_many(&signed), alone);
    for backend in Backend::available() {
        assert_eq!(backend.recover_many(&signed), alone);
    }
    for (hash, signature) in &signed {
        assert_eq!(recover_public_key(hash, signature).map(|key| key.0), expected(&(*hash, *signature)));
    }
}
