//! Project Wycheproof's ECDSA vectors for secp256k1: what they call valid recovers to the key, what they call invalid never
//! does.
//!
//! They are made for verification, over SHA-256 of a message. A valid signature has one parity under which it recovers to
//! the key, unless its r was reduced modulo n, which Ethereum's form of a signature cannot say.

use alloy_primitives::{B256, U256, hex};
use k256::sha2::{Digest, Sha256};
use ocelli_core::signature::{Backend, Signature, SignatureError, recover_public_key};
use ocelli_tests::vectors;
use serde_json::Value;

const ORDER: U256 = U256::from_limbs([0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, u64::MAX]);
/// p - n: an r below this may be that of a point with x = r + n.
const REDUCED_BELOW: U256 = U256::from_limbs([0x402d_a172_2fc9_baee, 0x4551_2319_50b7_5fc4, 1, 0]);

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string")).expect("hex")
}

/// Whether either parity recovers (r, s) over `hash` to `key`, by whatever backend.
fn recovers_to(key: &[u8], hash: &B256, r: &B256, s: &B256) -> bool {
    let signed: Vec<_> =
        [false, true].iter().filter_map(|y_odd| Some((*hash, Signature::new(r, s, *y_odd).ok()?))).collect();
    let alone: Vec<_> = signed.iter().map(|(hash, signature)| recover_public_key(hash, signature)).collect();
    for backend in Backend::available() {
        assert_eq!(backend.recover_public_keys(&signed), alone, "{}", backend.name());
    }
    alone.iter().flatten().any(|found| found.as_slice() == key)
}

/// Runs every case of `file`, whose signatures `parse` takes apart into r and s, and returns how many recovered.
///
/// With `malleable`, the file calls a high s valid: then it is refused here, and its twin, which must be valid too, is run.
fn run(file: &str, parse: fn(&[u8]) -> Option<(B256, B256)>, malleable: bool) -> Option<usize> {
    let text = std::fs::read_to_string(vectors::find(file)?).expect("vectors can be read");
    let vectors: Value = serde_json::from_str(&text).expect("vectors are JSON");
    let mut recovered = 0;
    for group in vectors["testGroups"].as_array().expect("groups") {
        let key = &bytes(&group["publicKey"]["uncompressed"])[1..];
        for case in group["tests"].as_array().expect("tests") {
            let hash = B256::new(Sha256::digest(bytes(&case["msg"])).into());
            let fields = parse(&bytes(&case["sig"])).map(|(r, s)| (r, if malleable { refuse_high(&r, s) } else { s }));
            let found = fields.is_some_and(|(r, s)| recovers_to(key, &hash, &r, &s));
            let reduced = fields.is_some_and(|(r, _)| U256::from_be_bytes(r.0) < REDUCED_BELOW);
            let valid = case["result"] == "valid";
            assert!(found == valid || (valid && reduced), "{file}: case {}", case["tcId"]);
            recovered += usize::from(found);
        }
    }
    Some(recovered)
}

/// `s`, or its twin if it is in the upper half, after seeing it refused.
fn refuse_high(r: &B256, s: B256) -> B256 {
    if Signature::new(r, &s, false) == Err(SignatureError::HighS) {
        (ORDER - U256::from_be_bytes(s.0)).into()
    } else {
        s
    }
}

fn split(fields: &[u8]) -> Option<(B256, B256)> {
    (fields.len() == 64).then(|| (B256::from_slice(&fields[..32]), B256::from_slice(&fields[32..])))
}

fn from_der(der: &[u8]) -> Option<(B256, B256)> {
    split(&k256::ecdsa::Signature::from_der(der).ok()?.to_bytes())
}

#[test]
fn raw_signatures_recover_to_the_key_if_and_only_if_they_are_valid() {
    let recovered = run("ecdsa_secp256k1_sha256_p1363_test.json", split, true);
    assert!(matches!(recovered, None | Some(165)), "{recovered:?}");
}

#[test]
fn der_signatures_recover_to_the_key_if_and_only_if_they_are_valid() {
    let recovered = run("ecdsa_secp256k1_sha256_test.json", from_der, true);
    assert!(matches!(recovered, None | Some(166)), "{recovered:?}");
}

#[test]
fn low_s_signatures_recover_to_the_key_if_and_only_if_they_are_valid() {
    let recovered = run("ecdsa_secp256k1_sha256_bitcoin_test.json", from_der, false);
    assert!(matches!(recovered, None | Some(161)), "{recovered:?}");
}
