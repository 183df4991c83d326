//! Bodies of columns: whatever they hold has one encoding.

use alloy_primitives::{Address, B256, U256};
use ocelli_core::{
    column::{CellAccess, ColumnBody, ColumnKey, RowCell},
    key::Key,
    value::{Account, Value},
    wire::{self, WireError},
};
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;

/// Numbers of every length.
fn number() -> impl Strategy<Value = U256> {
    (any::<[u8; 32]>(), 0_usize..=256).prop_map(|(bytes, shift)| U256::from_be_bytes(bytes).wrapping_shr(shift))
}

/// Integers of every length.
fn integer() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(integer, shift)| integer >> shift)
}

fn value() -> impl Strategy<Value = Value> {
    let code_hash = prop_oneof![Just(B256::ZERO), any::<[u8; 32]>().prop_map(B256::new)];
    let account = (integer(), number(), code_hash)
        .prop_map(|(nonce, balance, code_hash)| Value::Account(Account { nonce, balance, code_hash }));
    prop_oneof![account, number().prop_map(Value::Slot)]
}

fn key() -> impl Strategy<Value = Key> {
    let address = || any::<[u8; 20]>().prop_map(Address::new);
    prop_oneof![address().prop_map(Key::Account), (address(), number()).prop_map(|(of, slot)| Key::Slot(of, slot))]
}

/// Any body, most of which no column has: values of the other kind, keys and rows in any order.
fn body() -> impl Strategy<Value = ColumnBody> {
    let keys = (key(), integer(), value()).prop_map(|(key, version, value)| ColumnKey { key, version, value });
    let accesses = (any::<u32>(), 0_u32..32, prop::option::of(value()))
        .prop_map(|(key, shift, after)| CellAccess { key: key >> shift, after: after.map(Box::new) });
    let cells =
        (any::<u32>(), prop::collection::vec(accesses, 0..6)).prop_map(|(row, accesses)| RowCell { row, accesses });
    (prop::collection::vec(keys, 0..6), prop::collection::vec(cells, 0..4)).prop_map(|(keys, cells)| ColumnBody {
        keys,
        cells,
        ..ColumnBody::default()
    })
}

proptest! {
    #[test]
    fn a_body_decodes_to_what_was_encoded(body in body()) {
        prop_assert_eq!(wire::decode::<ColumnBody>(&wire::encode(&body), LIMIT).unwrap(), body);
    }

    #[test]
    fn a_changed_byte_is_refused_or_is_another_body(body in body(), at in any::<prop::sample::Index>(), change in 1_u8..) {
        let mut encoded = wire::encode(&body);
        let at = at.index(encoded.len());
        encoded[at] ^= change;
        if let Ok(other) = wire::decode::<ColumnBody>(&encoded, LIMIT) {
            prop_assert_ne!(&other, &body);
            prop_assert_eq!(wire::encode(&other), encoded);
        }
    }
}

/// The encoding of a body without a proof, given its two packed lists.
fn packed(keys: &[u8], cells: &[u8]) -> Vec<u8> {
    wire::encode(&(keys, cells, (&[0_u8; 0][..], &[0_u8; 0][..], &[0_u8; 0][..])))
}

/// An account without code, with nonce 5 and balance 0x0102, written 300 times; a slot that holds 7, once.
fn listed() -> (Vec<u8>, Vec<u8>) {
    let account = [&[33 + 2][..], &[0xaa; 20], &[0xac, 2], &[5], &[1, 2]].concat();
    let slot = [&[99 + 1][..], &[0xbb; 20], &[1, 9], &[1], &[7]].concat();
    // Row 3: the first key is read, the second becomes 0x0100.
    (([account, slot]).concat(), vec![3, 2, 0, 255, 0, 2, 1, 0])
}

#[test]
fn the_encoding_is_as_documented() {
    let account = Value::Account(Account { nonce: 5, balance: U256::from(0x0102), code_hash: B256::ZERO });
    let body = ColumnBody {
        keys: vec![
            ColumnKey { key: Key::Account(Address::repeat_byte(0xaa)), version: 300, value: account },
            ColumnKey {
                key: Key::Slot(Address::repeat_byte(0xbb), U256::from(9)),
                version: 1,
                value: Value::Slot(U256::from(7)),
            },
        ],
        cells: vec![RowCell {
            row: 3,
            accesses: vec![
                CellAccess { key: 0, after: None },
                CellAccess { key: 1, after: Some(Box::new(Value::Slot(U256::from(0x0100)))) },
            ],
        }],
        ..ColumnBody::default()
    };
    let (keys, cells) = listed();
    assert_eq!(wire::encode(&body), packed(&keys, &cells));
}

#[test]
fn code_gaps_and_ways_back_are_encoded_as_documented() {
    let code_hash = B256::repeat_byte(0xcd);
    let with_code = Value::Account(Account { nonce: 300, balance: U256::from(9), code_hash });
    let without = Value::Account(Account { nonce: 1, ..Account::default() });
    let body = ColumnBody {
        keys: vec![ColumnKey { key: Key::Account(Address::repeat_byte(0xaa)), version: 2, value: with_code }],
        cells: vec![RowCell {
            row: 200,
            accesses: vec![CellAccess { key: 2, after: Some(Box::new(without)) }, CellAccess { key: 1, after: None }],
        }],
        ..ColumnBody::default()
    };
    let keys = [&[66 + 1][..], &[0xaa; 20], &[2], &[0xac, 2], &[9], &[0xcd; 32]].concat();
    // From key 2 on, key 1 is two back.
    let cells = [&[0xc8, 1, 2][..], &[2, 33, 1], &[0xfe, 0xff, 0xff, 0xff, 0x0f, 255]].concat();
    assert_eq!(wire::encode(&body), packed(&keys, &cells));
}

#[test]
fn second_spellings_are_refused() {
    let (keys, cells) = listed();
    let decode = |keys: &[u8], cells: &[u8]| wire::decode::<ColumnBody>(&packed(keys, cells), LIMIT);
    assert!(decode(&keys, &cells).is_ok());
    // A version, a row and a number that are longer than they need to be.
    let long_version = [&keys[..21], &[0xac, 0x82, 0], &keys[23..]].concat();
    let long_row = [&[0x83, 0], &cells[1..]].concat();
    let long_number = [&cells[..5], &[3, 0, 1, 0]].concat();
    // A code hash of zero; heads that there are not; an integer beyond 64 bits; a list that is cut short; a count without end.
    let no_code = [&[66][..], &[0xaa; 20], &[1, 5], &[0; 32]].concat();
    let no_head = [&[198][..], &keys[1..]].concat();
    let no_after = [&cells[..5], &[99, 1, 0]].concat();
    let beyond = [&keys[..21], &[0xff; 9], &[2, 5, 1, 2]].concat();
    let endless = [&[3][..], &[0xff; 9], &[1], &cells[2..]].concat();
    for (keys, cells) in [
        (&long_version, &cells),
        (&keys, &long_row),
        (&keys, &long_number),
        (&no_code, &cells),
        (&no_head, &cells),
        (&keys, &no_after),
        (&beyond, &cells),
        (&keys[..20].to_vec(), &cells),
        (&keys, &cells[..7].to_vec()),
        (&keys, &endless),
    ] {
        assert_eq!(decode(keys, cells).unwrap_err(), WireError::Malformed, "{keys:?} {cells:?}");
    }
}
