//! A signature that exists is well formed, recovers to the key that made it, and to the same one in a batch.

use alloy_primitives::{B256, U256, address, b256};
use ocelli_core::{
    hash::keccak256,
    signature::{SecretKey, Signature, SignatureError, recover, recover_many},
    wire,
};
use proptest::prelude::*;

const ORDER: U256 = U256::from_limbs([0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, u64::MAX]);

fn key(seed: u64) -> SecretKey {
    SecretKey::from_bytes(&keccak256(seed.to_be_bytes()).0).unwrap()
}

fn word(value: U256) -> B256 {
    value.into()
}

#[test]
fn signing_is_deterministic_and_as_in_the_example_of_eip_155() {
    let key = SecretKey::from_bytes(&[0x46; 32]).unwrap();
    assert_eq!(key.address(), address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"));
    let hash = b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    let signature = key.sign(&hash);
    assert_eq!(signature.r(), b256!("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"));
    assert_eq!(signature.s(), b256!("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"));
    assert!(!signature.y_odd());
    assert_eq!(recover(&hash, &signature), Ok(key.address()));
}

#[test]
fn r_and_s_at_the_edges_of_their_ranges() {
    let one = word(U256::from(1));
    let half = (ORDER - U256::from(1)) / U256::from(2);
    let new = |r: U256, s: U256| Signature::new(&word(r), &word(s), false).map(|_| ());
    let [zero, unit] = [U256::ZERO, U256::from(1)];
    assert_eq!(new(zero, unit), Err(SignatureError::ROutOfRange));
    assert_eq!(new(ORDER, unit), Err(SignatureError::ROutOfRange));
    assert_eq!(new(U256::MAX, unit), Err(SignatureError::ROutOfRange));
    assert_eq!(new(ORDER - unit, unit), Ok(()));
    assert_eq!(new(unit, zero), Err(SignatureError::SOutOfRange));
    assert_eq!(new(unit, ORDER), Err(SignatureError::SOutOfRange));
    assert_eq!(new(unit, half), Ok(()));
    assert_eq!(new(unit, half + unit), Err(SignatureError::HighS));
    let mut bytes = *Signature::new(&one, &one, true).unwrap().as_bytes();
    bytes[64] = 2;
    assert_eq!(Signature::from_bytes(&bytes), Err(SignatureError::Parity));
    bytes[64] = 27;
    assert_eq!(Signature::from_bytes(&bytes), Err(SignatureError::Parity));
}

#[test]
fn a_wallet_may_say_27_or_28_for_the_parity() {
    let signature = key(1).sign(&B256::ZERO);
    for (parity, said) in [(0, 0), (1, 1), (0, 27), (1, 28)] {
        let mut bytes = *signature.as_bytes();
        bytes[64] = said;
        assert_eq!(Signature::from_wallet(&bytes).unwrap().as_bytes()[64], parity);
    }
    for said in [2, 26, 29, 255] {
        let mut bytes = *signature.as_bytes();
        bytes[64] = said;
        assert_eq!(Signature::from_wallet(&bytes), Err(SignatureError::Parity));
    }
}

#[test]
fn a_secret_key_is_in_range() {
    for bytes in [[0; 32], ORDER.to_be_bytes(), [0xff; 32]] {
        assert_eq!(SecretKey::from_bytes(&bytes).err(), Some(SignatureError::SecretKey));
    }
    assert!(SecretKey::from_bytes(&(ORDER - U256::from(1)).to_be_bytes()).is_ok());
}

#[test]
fn an_r_on_no_point_and_a_key_at_infinity_are_no_key_alone_and_in_a_batch() {
    let generator_x = b256!("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    let s = word(U256::from(5));
    // With R = G, z = s makes sR - zG the point at infinity. No point has x = 5.
    let infinite = (s, Signature::new(&generator_x, &s, false).unwrap());
    let off_curve = (s, Signature::new(&word(U256::from(5)), &s, false).unwrap());
    let [first, last] = [key(1), key(2)];
    let hash = B256::repeat_byte(7);
    let batch = [(hash, first.sign(&hash)), infinite, off_curve, (hash, last.sign(&hash))];
    let no_key = Err(SignatureError::NoKey);
    assert_eq!(recover(&infinite.0, &infinite.1), no_key);
    assert_eq!(recover(&off_curve.0, &off_curve.1), no_key);
    assert_eq!(recover_many(&batch), [Ok(first.address()), no_key, no_key, Ok(last.address())]);
    assert_eq!(recover_many(&[]), []);
    assert_eq!(recover_many(&[infinite]), [no_key]);
}

proptest! {
    #[test]
    fn what_a_key_signs_recovers_to_its_address(seed: u64, hash: [u8; 32]) {
        let (key, hash) = (key(seed), B256::new(hash));
        let signature = key.sign(&hash);
        prop_assert_eq!(Signature::from_bytes(signature.as_bytes()), Ok(signature));
        prop_assert_eq!(recover(&hash, &signature), Ok(key.address()));
    }

    #[test]
    fn the_twin_of_a_signature_does_not_exist(seed: u64, hash: [u8; 32]) {
        let signature = key(seed).sign(&B256::new(hash));
        let twin = ORDER - U256::from_be_bytes(signature.s().0);
        prop_assert_eq!(Signature::new(&signature.r(), &word(twin), !signature.y_odd()), Err(SignatureError::HighS));
    }

    #[test]
    fn a_batch_answers_as_each_alone(
        signed in prop::collection::vec((any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 31]>(), any::<bool>()), 0..20)
    ) {
        let signed: Vec<(B256, Signature)> = signed
            .into_iter()
            .filter_map(|(hash, r, s, y_odd)| {
                Some((B256::new(hash), Signature::new(&r.into(), &B256::left_padding_from(&s), y_odd).ok()?))
            })
            .collect();
        let alone: Vec<_> = signed.iter().map(|(hash, signature)| recover(hash, signature)).collect();
        prop_assert_eq!(recover_many(&signed), alone);
    }

    #[test]
    fn another_library_recovers_the_same(hash: [u8; 32], r: [u8; 32], s: [u8; 31], y_odd: bool) {
        let hash = B256::new(hash);
        if let Ok(signature) = Signature::new(&r.into(), &B256::left_padding_from(&s), y_odd) {
            let other = alloy_primitives::Signature::from(&signature).recover_address_from_prehash(&hash);
            prop_assert_eq!(recover(&hash, &signature).ok(), other.ok());
        }
    }

    #[test]
    fn only_well_formed_bytes_decode(bytes: [u8; 65], small in 0_u8..4) {
        let mut encoded = vec![wire::VERSION];
        encoded.extend_from_slice(&bytes[..64]);
        encoded.push(small);
        let mut expected = bytes;
        expected[64] = small;
        match Signature::from_bytes(&expected) {
            Ok(signature) => {
                prop_assert_eq!(wire::encode(&signature), encoded.clone());
                prop_assert_eq!(wire::decode::<Signature>(&encoded, 66), Ok(signature));
            }
            Err(_) => prop_assert_eq!(wire::decode::<Signature>(&encoded, 66), Err(wire::WireError::Malformed)),
        }
    }
}
