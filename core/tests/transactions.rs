//! A transaction that decodes is valid whatever the state is, and encodes to the bytes that it came from.

use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy, transaction::RlpEcdsaEncodableTx,
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, b256, hex};
use ocelli_core::{
    hash::keccak256,
    limits,
    params::Fork,
    signature::{SecretKey, Signature, SignatureError, recover},
    transaction::{Recovered, Transaction, TransactionError},
};
use proptest::prelude::*;
use revm::{
    context_interface::{either::Either, transaction::SignedAuthorization},
    primitives::{eip3860::MAX_INITCODE_SIZE, eip7825::TX_GAS_LIMIT_CAP},
};

const CHAIN: u64 = 7_117;
const TARGET: Address = address!("00000000000000000000000000000000000000aa");

fn key(seed: u64) -> SecretKey {
    SecretKey::from_bytes(&keccak256(seed.to_be_bytes()).0).unwrap()
}

/// The EIP-2718 bytes of `tx`, signed by key 1.
fn signed<T: SignableTransaction<alloy_primitives::Signature> + RlpEcdsaEncodableTx>(tx: T) -> Vec<u8> {
    let signature = key(1).sign(&keccak256(tx.encoded_for_signing()));
    encode(tx, &(&signature).into())
}

fn encode<T: SignableTransaction<alloy_primitives::Signature> + RlpEcdsaEncodableTx>(
    tx: T,
    signature: &alloy_primitives::Signature,
) -> Vec<u8> {
    let mut out = Vec::new();
    tx.into_signed(*signature).eip2718_encode(&mut out);
    out
}

fn decode(bytes: &[u8]) -> Result<Transaction, TransactionError> {
    Transaction::decode(bytes, CHAIN, Fork::Osaka)
}

fn access_list() -> AccessList {
    vec![AccessListItem { address: TARGET, storage_keys: vec![B256::ZERO, B256::repeat_byte(1)] }].into()
}

fn legacy() -> TxLegacy {
    TxLegacy {
        chain_id: Some(CHAIN),
        nonce: 3,
        gas_price: 50,
        gas_limit: 100_000,
        to: TARGET.into(),
        value: U256::from(9),
        input: Bytes::from_static(&[1, 0, 2]),
    }
}

fn eip2930() -> TxEip2930 {
    TxEip2930 {
        chain_id: CHAIN,
        nonce: 3,
        gas_price: 50,
        gas_limit: 100_000,
        to: TxKind::Create,
        value: U256::from(9),
        access_list: access_list(),
        input: Bytes::from_static(&[1, 0, 2]),
    }
}

fn eip1559() -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN,
        nonce: 3,
        gas_limit: 100_000,
        max_fee_per_gas: 50,
        max_priority_fee_per_gas: 7,
        to: TARGET.into(),
        value: U256::from(9),
        access_list: access_list(),
        input: Bytes::from_static(&[1, 0, 2]),
    }
}

fn authorization(seed: u64) -> SignedAuthorization {
    let inner = Authorization { chain_id: U256::from(CHAIN), address: TARGET, nonce: 5 };
    let signature = key(seed).sign(&inner.signature_hash());
    inner.into_signed((&signature).into())
}

fn eip7702(authorization_list: Vec<SignedAuthorization>) -> TxEip7702 {
    TxEip7702 {
        chain_id: CHAIN,
        nonce: 3,
        gas_limit: 1_000_000,
        max_fee_per_gas: 50,
        max_priority_fee_per_gas: 7,
        to: TARGET,
        value: U256::from(9),
        access_list: access_list(),
        authorization_list,
        input: Bytes::from_static(&[1, 0, 2]),
    }
}

/// Decodes `bytes` and compares every field with `tx`'s.
fn assert_round_trip(bytes: &[u8], kind: u8, tx: &dyn alloy_consensus::Transaction, signing_hash: B256) {
    let decoded = decode(bytes).unwrap();
    assert_eq!(decoded.encoded(), bytes);
    assert_eq!(decoded.hash(), keccak256(bytes));
    assert_eq!(decoded.kind(), kind);
    assert_eq!(decoded.chain_id(), CHAIN);
    assert_eq!(decoded.nonce(), tx.nonce());
    assert_eq!(decoded.gas_limit(), tx.gas_limit());
    assert_eq!(decoded.max_fee_per_gas(), tx.max_fee_per_gas());
    assert_eq!(decoded.max_priority_fee_per_gas(), tx.max_priority_fee_per_gas());
    assert_eq!(decoded.to(), tx.kind());
    assert_eq!(decoded.value(), tx.value());
    assert_eq!(decoded.input(), tx.input());
    assert_eq!(decoded.access_list(), tx.access_list());
    assert_eq!(decoded.authorizations(), tx.authorization_list().unwrap_or_default());
    assert_eq!(decoded.signing_hash(), signing_hash);
    assert_eq!(recover(&signing_hash, decoded.signature()), Ok(key(1).address()));
    assert_eq!(decoded.recover_sender(), Ok(key(1).address()));

    let recovered = Recovered::new(decoded).unwrap();
    let env = recovered.to_tx_env();
    assert_eq!(env.caller, key(1).address());
    assert_eq!(env.tx_type, kind);
    assert_eq!(env.chain_id, Some(CHAIN));
    assert_eq!(env.gas_price, tx.max_fee_per_gas());
    assert_eq!(env.gas_priority_fee, tx.max_priority_fee_per_gas());
    assert_eq!((env.kind, env.value, &env.data), (tx.kind(), tx.value(), tx.input()));
    assert_eq!((env.nonce, env.gas_limit), (tx.nonce(), tx.gas_limit()));
    assert_eq!(env.access_list, tx.access_list().cloned().unwrap_or_default());
}

#[test]
fn each_type_decodes_to_what_was_signed() {
    assert_round_trip(&signed(legacy()), 0, &legacy(), legacy().signature_hash());
    assert_round_trip(&signed(eip2930()), 1, &eip2930(), eip2930().signature_hash());
    assert_round_trip(&signed(eip1559()), 2, &eip1559(), eip1559().signature_hash());
    let tx = eip7702(vec![authorization(2), authorization(3)]);
    assert_round_trip(&signed(tx.clone()), 4, &tx, tx.signature_hash());
}

#[test]
fn the_example_of_eip_155_is_a_transaction_of_chain_1() {
    let bytes = hex!(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe5375
         67866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    );
    let transaction = Transaction::decode(&bytes, 1, Fork::Osaka).unwrap();
    assert_eq!(transaction.recover_sender(), Ok(address!("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f")));
    assert_eq!(transaction.signing_hash(), b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"));
    assert_eq!(decode(&bytes).unwrap_err(), TransactionError::OtherChain { found: 1 });
}

#[test]
fn each_broken_rule_has_its_error() {
    let refused = |bytes: Vec<u8>| decode(&bytes).unwrap_err();
    assert_eq!(refused(signed(TxLegacy { chain_id: None, ..legacy() })), TransactionError::NotReplayProtected);
    let other = CHAIN + 1;
    assert_eq!(
        refused(signed(TxLegacy { chain_id: Some(other), ..legacy() })),
        TransactionError::OtherChain { found: other }
    );
    assert_eq!(
        refused(signed(TxEip1559 { chain_id: other, ..eip1559() })),
        TransactionError::OtherChain { found: other }
    );
    assert_eq!(refused(signed(TxEip1559 { nonce: u64::MAX, ..eip1559() })), TransactionError::NonceExhausted);
    let too_high = TX_GAS_LIMIT_CAP + 1;
    assert_eq!(
        refused(signed(TxEip2930 { gas_limit: too_high, ..eip2930() })),
        TransactionError::GasLimitTooHigh { found: too_high }
    );
    assert_eq!(refused(signed(TxEip1559 { max_priority_fee_per_gas: 51, ..eip1559() })), TransactionError::TipAboveFee);
    assert_eq!(refused(signed(TxEip1559 { value: U256::MAX, ..eip1559() })), TransactionError::CostOverflow);
    assert_eq!(refused(signed(eip7702(vec![]))), TransactionError::NoAuthorizations);
    assert_eq!(refused(signed(TxEip4844 { chain_id: CHAIN, ..TxEip4844::default() })), TransactionError::Blob);
    assert_eq!(refused(vec![0x7f, 0xc0]), TransactionError::UnknownType(0x7f));
    assert_eq!(refused(vec![0, 0xc0]), TransactionError::UnknownType(0));
    assert_eq!(refused(vec![]), TransactionError::Malformed);
    assert_eq!(refused(vec![0x80]), TransactionError::Malformed);
    assert_eq!(refused(vec![2]), TransactionError::Malformed);
}

#[test]
fn edges_of_limits_are_within_them() {
    assert!(decode(&signed(TxEip1559 { nonce: u64::MAX - 1, ..eip1559() })).is_ok());
    assert!(decode(&signed(TxEip1559 { gas_limit: TX_GAS_LIMIT_CAP, ..eip1559() })).is_ok());
    assert!(decode(&signed(TxEip1559 { max_priority_fee_per_gas: 50, ..eip1559() })).is_ok());
    let most = U256::MAX - U256::from(100_000 * 50);
    assert_eq!(decode(&signed(TxEip1559 { value: most, ..eip1559() })).unwrap().max_cost(), U256::MAX);
    assert!(decode(&signed(TxEip1559 { value: most + U256::from(1), ..eip1559() })).is_err());
}

#[test]
fn initcode_is_bounded_and_calldata_is_not() {
    let sized = |to, length| {
        let input = vec![0; length].into();
        decode(&signed(TxEip1559 { to, input, gas_limit: 10_000_000, ..eip1559() }))
    };
    assert!(sized(TxKind::Create, MAX_INITCODE_SIZE).is_ok());
    assert_eq!(sized(TxKind::Create, MAX_INITCODE_SIZE + 1), Err(TransactionError::InitcodeTooLong));
    assert!(sized(TARGET.into(), MAX_INITCODE_SIZE + 1).is_ok());
}

#[test]
fn no_transaction_is_longer_than_the_limit() {
    let sized = |length| {
        let input = vec![0; length].into();
        signed(TxEip1559 { input, gas_limit: 10_000_000, ..eip1559() })
    };
    let overhead = sized(100_000).len() - 100_000;
    let longest = sized(limits::TRANSACTION_BYTES - overhead);
    assert_eq!(longest.len(), limits::TRANSACTION_BYTES);
    assert!(decode(&longest).is_ok());
    let length = limits::TRANSACTION_BYTES + 1;
    assert_eq!(decode(&sized(length - overhead)), Err(TransactionError::TooLong { length }));
}

#[test]
fn the_gas_limit_covers_intrinsic_gas_and_the_calldata_floor() {
    // 21,000; 16 for each of two bytes and 4 for a zero byte (EIP-2028), or 40 and 10 as the floor (EIP-7623); 2,400 for an
    // address and 1,900 for each of two slots of an access list (EIP-2930); 32,000 for a creation and 2 for its one word of
    // initcode (EIP-3860); 25,000 for an authorization (EIP-7702).
    let floor = 21_000 + 2 * 40 + 10;
    let listed = 21_000 + 2 * 16 + 4 + 2_400 + 2 * 1_900;
    let check = |needed: u64, tx: &dyn Fn(u64) -> Vec<u8>| {
        assert!(decode(&tx(needed)).is_ok());
        assert_eq!(decode(&tx(needed - 1)), Err(TransactionError::GasLimitTooLow { needed }));
    };
    check(floor, &|gas_limit| signed(TxLegacy { gas_limit, ..legacy() }));
    check(listed, &|gas_limit| signed(TxEip1559 { gas_limit, ..eip1559() }));
    check(listed + 32_000 + 2, &|gas_limit| signed(TxEip2930 { gas_limit, ..eip2930() }));
    check(listed + 25_000, &|gas_limit| signed(TxEip7702 { gas_limit, ..eip7702(vec![authorization(2)]) }));
}

#[test]
fn what_a_fork_brought_is_refused_or_free_before_it() {
    let decode = |bytes: &[u8], fork| Transaction::decode(bytes, CHAIN, fork).map(|transaction| transaction.kind());
    // Prague: set code transactions, and the floor under what calldata costs.
    let set_code = signed(eip7702(vec![authorization(2)]));
    assert_eq!(decode(&set_code, Fork::Cancun), Err(TransactionError::UnknownType(4)));
    assert_eq!(decode(&set_code, Fork::Prague), Ok(4));
    let input = Bytes::from(vec![1; 1_000]);
    let gas_limit = 21_000 + 16 * 1_000;
    let much_calldata = signed(TxLegacy { gas_limit, input, to: TxKind::Call(TARGET), ..legacy() });
    assert_eq!(decode(&much_calldata, Fork::Cancun), Ok(0));
    let needed = 21_000 + 40 * 1_000;
    assert_eq!(decode(&much_calldata, Fork::Prague), Err(TransactionError::GasLimitTooLow { needed }));
    // Osaka: a cap on the gas limit.
    let much_gas = signed(TxEip1559 { gas_limit: u64::MAX, ..eip1559() });
    assert_eq!(decode(&much_gas, Fork::Prague), Ok(2));
    assert_eq!(decode(&much_gas, Fork::Osaka), Err(TransactionError::GasLimitTooHigh { found: u64::MAX }));
}

#[test]
fn a_signature_has_one_form() {
    let order = U256::from_be_slice(&hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let good: alloy_primitives::Signature = (&key(1).sign(&eip1559().signature_hash())).into();
    let with = |r, s, odd| decode(&encode(eip1559(), &alloy_primitives::Signature::new(r, s, odd)));
    assert!(with(good.r(), good.s(), good.v()).is_ok());
    assert_eq!(with(good.r(), order - good.s(), !good.v()), Err(TransactionError::Signature(SignatureError::HighS)));
    assert_eq!(with(U256::ZERO, good.s(), true), Err(TransactionError::Signature(SignatureError::ROutOfRange)));
    assert_eq!(with(good.r(), U256::ZERO, true), Err(TransactionError::Signature(SignatureError::SOutOfRange)));
    let unknown = with(U256::from(5), good.s(), true).unwrap();
    assert_eq!(unknown.recover_sender(), Err(TransactionError::Signature(SignatureError::NoKey)));
    assert_eq!(Recovered::new(unknown.clone()), Err(TransactionError::Signature(SignatureError::NoKey)));
    assert_eq!(Recovered::recover_many(vec![unknown]), [Err(TransactionError::Signature(SignatureError::NoKey))]);
}

#[test]
fn a_second_spelling_of_a_transaction_is_malformed() {
    let bytes = signed(eip1559());
    let mut trailing = bytes.clone();
    trailing.push(0);
    assert_eq!(decode(&trailing), Err(TransactionError::Malformed));
    assert_eq!(decode(&bytes[..bytes.len() - 1]), Err(TransactionError::Malformed));
    // The list's length in one byte more than it needs.
    assert_eq!(bytes[1], 0xf8);
    let mut long_length = bytes.clone();
    long_length.splice(1..2, [0xf9, 0]);
    assert_eq!(decode(&long_length), Err(TransactionError::Malformed));
    // The nonce 3 as a string of one byte, and as one with a leading zero.
    let at = bytes.windows(4).position(|window| window == [0x82, 0x1b, 0xcd, 3]).unwrap() + 3;
    for nonce in [&[0x81, 3][..], &[0x82, 0, 3]] {
        let mut spelled = bytes.clone();
        spelled.splice(at..=at, nonce.iter().copied());
        spelled[2] += nonce.len() as u8 - 1;
        assert_eq!(decode(&spelled), Err(TransactionError::Malformed));
    }
    // A string around the transaction, as in a network message.
    let mut wrapped = vec![0xb8, bytes.len() as u8];
    wrapped.extend_from_slice(&bytes);
    assert_eq!(decode(&wrapped), Err(TransactionError::Malformed));
}

#[test]
fn a_set_code_transaction_without_a_recipient_is_malformed() {
    let bytes = signed(eip7702(vec![authorization(2)]));
    let at = bytes.windows(21).position(|window| window[0] == 0x94 && window[1..] == TARGET[..]).unwrap();
    let mut creating = bytes.clone();
    creating.splice(at..at + 21, [0x80]);
    let length = u16::from_be_bytes([bytes[2], bytes[3]]) - 20;
    creating[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(decode(&creating), Err(TransactionError::Malformed));
}

#[test]
fn an_authority_signed_its_authorization_or_is_none() {
    let good = authorization(2);
    let order = U256::from_be_slice(&hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let with = |parity, r, s| SignedAuthorization::new_unchecked(good.inner().clone(), parity, r, s);
    let high = with(1 - good.y_parity(), good.r(), order - good.s());
    let list = vec![
        high,
        good.clone(),
        with(2, good.r(), good.s()),
        with(good.y_parity(), U256::ZERO, good.s()),
        with(good.y_parity(), U256::from(5), good.s()),
        authorization(3),
    ];
    let expected = [None, Some(key(2).address()), None, None, None, Some(key(3).address())];
    // revm recovers by other code, and must find the same.
    let revm: Vec<_> = list.iter().map(|authorization| authorization.recover_authority().ok()).collect();
    assert_eq!(revm, expected);
    let transaction = decode(&signed(eip7702(list.clone()))).unwrap();
    assert_eq!(transaction.authorities(), expected);
    let recovered = Recovered::new(transaction).unwrap();
    assert_eq!(recovered.authorities(), expected);
    let env = recovered.to_tx_env();
    let found: Vec<_> = env.authorization_list.iter().map(|one| one.as_ref().right().unwrap()).collect();
    for ((signed, recovered), authority) in list.iter().zip(found).zip(expected) {
        assert_eq!(**recovered, *signed.inner());
        assert_eq!(recovered.authority(), authority);
    }
    assert!(env.authorization_list.iter().all(Either::is_right));
}

#[test]
fn a_batch_recovers_as_each_alone_and_in_order() {
    let high = SignedAuthorization::new_unchecked(authorization(2).inner().clone(), 0, U256::from(1), U256::MAX);
    let unknown = Signature::new(&B256::with_last_byte(5), &B256::with_last_byte(1), false).unwrap();
    let transactions: Vec<Transaction> = [
        signed(legacy()),
        signed(eip7702(vec![authorization(2), high, authorization(3)])),
        encode(eip1559(), &(&unknown).into()),
        signed(eip7702(vec![authorization(4)])),
        signed(eip2930()),
    ]
    .iter()
    .map(|bytes| decode(bytes).unwrap())
    .collect();
    let alone: Vec<_> = transactions.iter().cloned().map(Recovered::new).collect();
    assert!(alone[2].is_err() && alone.iter().flatten().count() == 4);
    assert_eq!(alone[3].as_ref().unwrap().authorities(), [Some(key(4).address())]);
    assert_eq!(Recovered::recover_many(transactions), alone);
    assert_eq!(Recovered::recover_many(vec![]), []);
}

#[test]
fn a_batch_decodes_as_each_alone_and_in_order() {
    let (one, two, three) = (signed(legacy()), signed(eip1559()), signed(eip7702(vec![authorization(4)])));
    // Longer than what is hashed in one go.
    let long = signed(TxEip1559 { input: vec![7; 5_000].into(), gas_limit: 1_000_000, ..eip1559() });
    let cut = &one[..one.len() - 1];
    let all: [&[u8]; 8] = [&one, cut, &two, &[], &long, &three, &[0x03], &one];
    let decoded = Transaction::decode_many(all, CHAIN, Fork::Osaka);
    assert_eq!(decoded.len(), all.len());
    for (decoded, bytes) in decoded.into_iter().zip(all) {
        let (found, alone) = (decoded.as_ref().map(Transaction::hash), decode(bytes));
        assert_eq!(found, alone.as_ref().map(Transaction::hash));
        assert!(found.is_err() || found == Ok(keccak256(bytes)));
        assert_eq!(decoded.map(|one| one.encoded().clone()), alone.map(|one| one.encoded().clone()));
    }
    assert!(Transaction::decode_many([], CHAIN, Fork::Osaka).is_empty());
}

#[test]
fn a_price_is_the_base_fee_and_what_room_is_left_for_the_tip() {
    let dynamic = decode(&signed(eip1559())).unwrap();
    let prices = [(0, 7, Some(7)), (43, 50, Some(7)), (45, 50, Some(5)), (50, 50, Some(0)), (51, 50, None)];
    for (base_fee, price, tip) in prices {
        assert_eq!(dynamic.effective_gas_price(base_fee), price);
        assert_eq!(dynamic.effective_tip(base_fee), tip);
    }
    let fixed = decode(&signed(legacy())).unwrap();
    for (base_fee, tip) in [(0, Some(50)), (45, Some(5)), (50, Some(0)), (51, None)] {
        assert_eq!(fixed.effective_gas_price(base_fee), 50);
        assert_eq!(fixed.effective_tip(base_fee), tip);
    }
    let boundless = u128::MAX;
    let tx = TxEip1559 { max_fee_per_gas: boundless, max_priority_fee_per_gas: boundless, ..eip1559() };
    assert_eq!(decode(&signed(tx)).unwrap().effective_gas_price(u64::MAX), boundless);
}

fn any_signed() -> impl Strategy<Value = Vec<u8>> {
    let inputs = prop::collection::vec(any::<u8>(), 0..200);
    (0_u8..4, any::<u64>(), any::<u128>(), any::<[u8; 32]>(), any::<Option<[u8; 20]>>(), inputs).prop_map(
        |(kind, nonce, fee, value, to, input)| {
            let (value, input) = (U256::from_be_bytes(value), Bytes::from(input));
            let to = to.map_or(TxKind::Create, |to| TxKind::Call(to.into()));
            match kind {
                0 => signed(TxLegacy { nonce, gas_price: fee, value, to, input, ..legacy() }),
                1 => signed(TxEip2930 { nonce, gas_price: fee, value, to, input, ..eip2930() }),
                2 => signed(TxEip1559 { nonce, max_fee_per_gas: fee, value, to, input, ..eip1559() }),
                _ => signed(TxEip7702 {
                    nonce,
                    max_fee_per_gas: fee,
                    value,
                    input,
                    ..eip7702(vec![authorization(nonce)])
                }),
            }
        },
    )
}

/// What every accepted transaction fulfils.
fn assert_sound(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(transaction) = decode(bytes) {
        prop_assert_eq!(transaction.encoded(), bytes);
        prop_assert!(transaction.max_priority_fee_per_gas().unwrap_or_default() <= transaction.max_fee_per_gas());
        prop_assert!(transaction.gas_limit() <= TX_GAS_LIMIT_CAP && transaction.chain_id() == CHAIN);
        let recovered = Recovered::new(transaction.clone());
        prop_assert_eq!(&Recovered::recover_many(vec![transaction])[0], &recovered);
        if let Ok(recovered) = recovered {
            prop_assert_eq!(recovered.to_tx_env().authorization_list.len(), recovered.authorities().len());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_signed_is_taken_or_breaks_a_rule_of_amounts(bytes in any_signed()) {
        use TransactionError::{CostOverflow, GasLimitTooLow, NonceExhausted, TipAboveFee};
        match decode(&bytes) {
            Ok(transaction) => prop_assert_eq!(transaction.recover_sender(), Ok(key(1).address())),
            Err(CostOverflow | GasLimitTooLow { .. } | NonceExhausted | TipAboveFee) => {}
            Err(error) => prop_assert!(false, "{error}"),
        }
        assert_sound(&bytes)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0_usize..6) {
        let prefix: [&[u8]; 6] = [&[], &[0xf8], &[1, 0xf8], &[2, 0xf8], &[4, 0xf9], &[0xf9]];
        assert_sound(&[prefix[kind], &bytes].concat())?;
    }

    #[test]
    fn an_altered_transaction_is_refused_or_another_one(bytes in any_signed(), at: prop::sample::Index, bit in 0_u8..8) {
        let mut altered = bytes.clone();
        altered[at.index(bytes.len())] ^= 1 << bit;
        assert_sound(&altered)?;
        if let (Ok(one), Ok(two)) = (decode(&bytes), decode(&altered)) {
            prop_assert_ne!(one.hash(), two.hash());
        }
    }
}
