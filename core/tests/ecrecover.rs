//! The precompile ecrecover answers every input as revm's own does, for the same gas.

use alloy_primitives::{B256, U256, uint};
use ocelli_core::{evm::ecrecover, signature::SecretKey};
use proptest::prelude::*;
use revm::precompile::{PrecompileHalt, secp256k1::ec_recover_run};

const N: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
const P: U256 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);

fn encoded(hash: B256, v: U256, r: U256, s: U256) -> Vec<u8> {
    [hash, B256::from(v), B256::from(r), B256::from(s)].concat()
}

/// Sees `input` answered as revm answers it, and returns whether somebody signed.
fn check(input: &[u8]) -> bool {
    let found = ecrecover::run(input, ecrecover::GAS);
    assert_eq!(found, ec_recover_run(input, ecrecover::GAS), "{}", alloy_primitives::hex::encode(input));
    let output = found.expect("enough gas");
    assert_eq!(output.gas_used, ecrecover::GAS);
    assert!([0, 32].contains(&output.bytes.len()));
    !output.bytes.is_empty()
}

/// Signatures of a few keys and hashes, as (hash, v, r, s).
fn signed() -> impl Iterator<Item = (B256, U256, U256, U256)> {
    (1..=20_u8).map(|seed| {
        let hash = B256::repeat_byte(seed.wrapping_mul(37));
        let signature = SecretKey::from_bytes(&[seed; 32]).expect("a key").sign(&hash);
        let v = U256::from(27 + u8::from(signature.y_odd()));
        (hash, v, signature.r().into(), signature.s().into())
    })
}

#[test]
fn a_signature_and_its_twin_have_the_same_signer() {
    for (seed, (hash, v, r, s)) in (1..).zip(signed()) {
        let signer = SecretKey::from_bytes(&[seed; 32]).expect("a key").address();
        for input in [encoded(hash, v, r, s), encoded(hash, U256::from(55) - v, r, N - s)] {
            assert!(check(&input));
            assert_eq!(ecrecover::run(&input, 3_000).expect("gas").bytes[..], signer.into_word()[..]);
        }
    }
}

#[test]
fn too_little_gas_is_out_of_gas() {
    let (hash, v, r, s) = signed().next().expect("a signature");
    for (gas, enough) in [(0, false), (ecrecover::GAS - 1, false), (ecrecover::GAS, true), (u64::MAX, true)] {
        let found = ecrecover::run(&encoded(hash, v, r, s), gas);
        assert_eq!(found, ec_recover_run(&encoded(hash, v, r, s), gas));
        assert_eq!(found.err(), (!enough).then_some(PrecompileHalt::OutOfGas));
    }
}

#[test]
fn r_and_s_at_every_edge_are_answered_as_elsewhere() {
    let one = U256::from(1);
    let half = N >> 1;
    let around = |edge: U256| (0..5).map(move |away| edge.wrapping_add(U256::from(away)).wrapping_sub(U256::from(2)));
    let edges: Vec<U256> = [U256::ZERO, N, P, half, P - N, one << 255].into_iter().flat_map(around).collect();
    let hashes = [U256::ZERO, one, N - one, N, N + one, P, U256::MAX].map(B256::from);
    let mut signers = 0;
    for (at, r) in edges.iter().chain(&(3..20).map(U256::from).collect::<Vec<_>>()).enumerate() {
        for (and, s) in edges.iter().enumerate() {
            for v in [27, 28] {
                signers += usize::from(check(&encoded(hashes[(at + and) % hashes.len()], U256::from(v), *r, *s)));
            }
        }
    }
    assert!(signers > 300, "too few of the edges are signatures: {signers}");
}

#[test]
fn a_v_other_than_27_and_28_has_no_signer() {
    let (hash, v, r, s) = signed().next().expect("a signature");
    for other in (0..=300).map(U256::from).chain((3..256).map(|bit| v | U256::from(1) << bit)).chain([U256::MAX]) {
        let answered = check(&encoded(hash, other, r, s));
        assert!(!answered || other == U256::from(27) || other == U256::from(28), "{other}");
    }
    assert!(check(&encoded(hash, v, r, s)));
}

#[test]
fn keys_at_infinity_and_r_on_no_point_have_no_signer() {
    // r = x of G, s and the hash alike: sR - zG is at infinity for one of the parities.
    let generator = uint!(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798_U256);
    for s in (1..100).map(U256::from).chain((1..100).map(|away| N - U256::from(away))) {
        let answers = [27, 28].map(|v| check(&encoded(B256::from(s), U256::from(v), generator, s)));
        assert_eq!(answers.iter().filter(|signed| **signed).count(), 1, "{s}");
    }
    // 5 is the x coordinate of no point.
    assert!(!check(&encoded(B256::repeat_byte(1), U256::from(27), U256::from(5), U256::from(1))));
}

#[test]
fn short_and_long_inputs_are_filled_up_and_cut_off() {
    for (hash, v, r, s) in signed() {
        let input = encoded(hash, v, r, s);
        for length in 0..=input.len() {
            check(&input[..length]);
        }
        for more in [1, 31, 32, 1_000] {
            assert!(check(&[&input[..], &vec![0xa5; more]].concat()));
        }
        // An s that ends in zeros may be left out as far as it does.
        let short = encoded(hash, v, r, s >> 200 << 200);
        assert_eq!(check(&short), check(&short[..103]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_words_are_answered_as_elsewhere(hash: [u8; 32], v in 26_u64..30, r: [u8; 32], s: [u8; 32]) {
        check(&encoded(hash.into(), U256::from(v), U256::from_be_bytes(r), U256::from_be_bytes(s)));
    }

    #[test]
    fn random_bytes_are_answered_as_elsewhere(mut input in prop::collection::vec(any::<u8>(), 0..200), v in 27_u8..29) {
        if let Some(word) = input.get_mut(32..64) {
            word.fill(0);
            word[31] = v;
        }
        check(&input);
    }
}
