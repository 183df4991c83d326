//! A promise is the sequencer's word and nobody else's, and is kept, void or broken by what the chain shows.

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Address, B256, b256};
use ocelli_core::{
    hash::keccak256,
    params::Fork,
    promise::{Breach, Facts, NonceUse, Outcome, Promise, PromiseError, SignedPromise, VoidReason, Window},
    signature::SecretKey,
    transaction::{Recovered, Transaction},
    typed_data::SigningDomain,
};
use proptest::prelude::*;

const CHAIN: u64 = 7_117;

fn domain() -> SigningDomain {
    SigningDomain::new(CHAIN, &B256::repeat_byte(0x11))
}

fn key(seed: u64) -> SecretKey {
    SecretKey::from_bytes(&keccak256(seed.to_be_bytes()).0).unwrap()
}

fn promise() -> Promise {
    let (transaction, sender) = (B256::repeat_byte(4), Address::repeat_byte(5));
    Promise { transaction, sender, nonce: 7, after: 290, height: 300, term: 3 }
}

fn transaction(nonce: u64) -> Recovered {
    let tx = TxEip1559 {
        chain_id: CHAIN,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 50,
        to: Address::ZERO.into(),
        ..Default::default()
    };
    let signature = key(1).sign(&keccak256(tx.encoded_for_signing()));
    let mut bytes = Vec::new();
    tx.into_signed((&signature).into()).eip2718_encode(&mut bytes);
    Recovered::new(Transaction::decode(&bytes, CHAIN, Fork::Osaka).unwrap()).unwrap()
}

const WINDOW: Window = Window { after: 290, height: 300 };
const FACTS: Facts = Facts { nonce: NonceUse::Unused, term: 3, lowest_base_fee: 10, max_fee_per_gas: 10 };

#[test]
fn a_promise_names_the_transaction_that_it_is_about() {
    let transaction = transaction(7);
    let promise = Promise::new(&transaction, WINDOW, 3);
    assert_eq!((promise.transaction, promise.sender, promise.nonce), (transaction.hash(), key(1).address(), 7));
    assert!(promise.is_about(&transaction));
    assert!(!Promise { nonce: 8, ..promise }.is_about(&transaction));
    assert!(!Promise { sender: Address::ZERO, ..promise }.is_about(&transaction));
    assert!(!promise.is_about(&self::transaction(8)));
    assert!(!Promise { after: 300, ..promise }.is_about(&transaction), "no block counts");
    assert_eq!(promise.blocks(), 291..=300);
}

#[test]
fn a_promise_is_the_word_of_its_signer() {
    let signed = SignedPromise::new(promise(), &key(1), &domain());
    assert_eq!(signed.verify(&domain(), &key(1).address()), Ok(&promise()));
    let found = key(1).address();
    assert_eq!(signed.verify(&domain(), &key(2).address()), Err(PromiseError::NotSequencer { found }));
    assert_eq!(SignedPromise::decode(&signed.encode()), Ok(signed));
    assert_eq!(keccak256(signed.encode()), b256!("d37123ef251ccd2ffbea9efc3d35aeb23e9023ea58db02c280801ad8e84640c8"));
}

#[test]
fn every_flipped_bit_is_nobody_s_word() {
    let signed = SignedPromise::new(promise(), &key(1), &domain());
    let encoded = signed.encode();
    for bit in 0..encoded.len() * 8 {
        let mut flipped = encoded.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let accepted =
            SignedPromise::decode(&flipped).is_ok_and(|one| one.verify(&domain(), &key(1).address()).is_ok());
        assert!(!accepted, "bit {bit}");
    }
}

#[test]
fn a_promise_is_broken_if_the_nonce_has_not_passed_or_something_else_used_it() {
    assert_eq!(promise().outcome(&FACTS), Outcome::Broken(Breach::NotIncluded));
    assert_eq!(promise().outcome(&Facts { nonce: NonceUse::Other, ..FACTS }), Outcome::Broken(Breach::Displaced));
}

#[test]
fn a_promise_is_void_if_the_base_fee_always_stood_above_the_fee() {
    assert_eq!(promise().outcome(&Facts { lowest_base_fee: 11, ..FACTS }), Outcome::Void(VoidReason::BaseFee));
    let displaced = Facts { lowest_base_fee: 11, nonce: NonceUse::Other, ..FACTS };
    assert_eq!(promise().outcome(&displaced), Outcome::Void(VoidReason::BaseFee));
    assert_eq!(promise().outcome(&Facts { max_fee_per_gas: 9, ..FACTS }), Outcome::Void(VoidReason::BaseFee));
}

#[test]
fn a_promise_does_not_bind_a_successor() {
    assert_eq!(promise().outcome(&Facts { term: 4, ..FACTS }), Outcome::Void(VoidReason::HandOver));
}

/// The rules once more, one by one, in the words of the design.
fn judged(promise: &Promise, facts: &Facts) -> Outcome {
    let is_void = u128::from(facts.lowest_base_fee) > facts.max_fee_per_gas;
    match (facts.nonce, is_void, facts.term == promise.term) {
        (NonceUse::Promised, ..) => Outcome::Kept,
        (_, true, _) => Outcome::Void(VoidReason::BaseFee),
        (_, _, false) => Outcome::Void(VoidReason::HandOver),
        (NonceUse::Unused, ..) => Outcome::Broken(Breach::NotIncluded),
        (NonceUse::Other, ..) => Outcome::Broken(Breach::Displaced),
    }
}

proptest! {
    #[test]
    fn every_promise_is_kept_void_or_broken_by_the_rules(
        nonce in prop::sample::select(vec![NonceUse::Unused, NonceUse::Promised, NonceUse::Other]),
        (term, lowest_base_fee, max_fee_per_gas) in (2..5_u64, 9..12_u64, 9..12_u128),
    ) {
        let facts = Facts { nonce, term, lowest_base_fee, max_fee_per_gas };
        prop_assert_eq!(promise().outcome(&facts), judged(&promise(), &facts));
    }

    #[test]
    fn a_promise_is_about_its_transaction_whatever_its_window(after: u64, height: u64, term: u64) {
        let promise = Promise::new(&transaction(7), Window { after, height }, term);
        prop_assert_eq!(promise.is_about(&transaction(7)), after < height);
        prop_assert_eq!(promise.blocks().is_empty(), after >= height);
    }

    #[test]
    fn a_transaction_that_is_in_is_a_promise_kept(term: u64, lowest_base_fee: u64, max_fee_per_gas: u128) {
        let facts = Facts { nonce: NonceUse::Promised, term, lowest_base_fee, max_fee_per_gas };
        prop_assert_eq!(promise().outcome(&facts), Outcome::Kept);
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        bytes[0] = 1;
        if let Ok(signed) = SignedPromise::decode(&bytes) {
            prop_assert_eq!(signed.encode(), bytes);
        }
    }
}
