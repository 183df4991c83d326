//! A set of verifiers is in order, and a quorum is more than two thirds of it.

use alloy_primitives::{Address, b256};
use ocelli_core::{
    limits,
    verifiers::{Registered, VerifierSet, VerifierSetError},
    wire,
};
use proptest::prelude::*;

fn verifier(owner: u8, weight: u64) -> Registered {
    Registered { owner: Address::with_last_byte(owner), weight }
}

#[test]
fn a_list_out_of_order_or_without_weight_is_no_set() {
    let new = |verifiers: &[Registered]| VerifierSet::try_from(verifiers.to_vec()).map(|_| ());
    assert_eq!(new(&[verifier(1, 1), verifier(2, 1)]), Ok(()));
    assert_eq!(new(&[verifier(2, 1), verifier(1, 1)]), Err(VerifierSetError::NotAscending));
    assert_eq!(new(&[verifier(1, 1), verifier(1, 1)]), Err(VerifierSetError::NotAscending));
    assert_eq!(new(&[verifier(1, 1), verifier(2, 0)]), Err(VerifierSetError::NoWeight));
    let many = (0..=limits::VERIFIERS as u64)
        .map(|at| Registered { owner: Address::left_padding_from(&at.to_be_bytes()), weight: 1 });
    assert_eq!(new(&many.collect::<Vec<_>>()), Err(VerifierSetError::TooMany));
}

#[test]
fn a_list_that_is_no_set_does_not_decode() {
    let encode = |verifiers: &[Registered]| wire::encode(&verifiers.to_vec());
    let good = [verifier(1, 1), verifier(2, 1)];
    assert_eq!(wire::decode::<VerifierSet>(&encode(&good), 100), Ok(VerifierSet::try_from(good.to_vec()).unwrap()));
    for bad in [[verifier(2, 1), verifier(1, 1)], [verifier(1, 1), verifier(2, 0)]] {
        assert_eq!(wire::decode::<VerifierSet>(&encode(&bad), 100), Err(wire::WireError::Malformed));
    }
}

#[test]
fn exactly_two_thirds_are_no_quorum() {
    let set = VerifierSet::try_from(vec![verifier(1, 1), verifier(2, 1), verifier(3, 1)]).unwrap();
    assert!(!set.is_quorum(2));
    assert!(set.is_quorum(3));
    let uneven = VerifierSet::try_from(vec![verifier(1, 60), verifier(2, 40)]).unwrap();
    assert!(!uneven.is_quorum(66));
    assert!(uneven.is_quorum(67));
}

#[test]
fn nothing_is_a_quorum_of_nobody() {
    let nobody = VerifierSet::default();
    assert_eq!(VerifierSet::try_from(vec![]), Ok(nobody.clone()));
    assert!(!nobody.is_quorum(0));
}

#[test]
fn the_greatest_weights_do_not_overflow() {
    let owner = |at: u64| Address::left_padding_from(&at.to_be_bytes());
    let all = (0..limits::VERIFIERS as u64).map(|at| Registered { owner: owner(at), weight: u64::MAX });
    let set = VerifierSet::try_from(all.collect::<Vec<_>>()).unwrap();
    assert_eq!(set.total_weight(), u128::from(u64::MAX) * limits::VERIFIERS as u128);
    assert!(set.is_quorum(set.total_weight()) && set.is_quorum(u128::MAX));
    assert!(!set.is_quorum(set.total_weight() / 3 * 2));
}

#[test]
fn the_hash_of_a_set_is_fixed() {
    let set = VerifierSet::try_from(vec![verifier(1, 5), verifier(2, 6)]).unwrap();
    assert_eq!(set.hash(), b256!("92ec2be16bc0afcf3f7dd06893a4735b3057304cdf932b6c2b8ba69cebf5db19"));
}

proptest! {
    #[test]
    fn a_set_knows_the_weights_of_its_owners_and_of_nobody_else(
        weights in prop::collection::btree_map(any::<u8>(), 1_u64.., 0..20),
        asked: u8,
    ) {
        let verifiers: Vec<Registered> = weights.iter().map(|(owner, weight)| verifier(*owner, *weight)).collect();
        let set = VerifierSet::try_from(verifiers.clone()).unwrap();
        prop_assert_eq!(set.weight(&Address::with_last_byte(asked)), weights.get(&asked).copied().unwrap_or_default());
        prop_assert_eq!(set.total_weight(), weights.values().map(|weight| u128::from(*weight)).sum::<u128>());
        prop_assert_eq!(set.iter().copied().collect::<Vec<_>>(), verifiers.clone());
        let mut other = verifiers;
        if let Some(last) = other.last_mut() {
            last.weight = last.weight % 7 + 1 + u64::from(last.weight % 7 + 1 == last.weight);
            prop_assert_ne!(VerifierSet::try_from(other).unwrap().hash(), set.hash());
        }
    }
}
