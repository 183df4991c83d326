//! How the lists of a column's body are packed: its keys into one string of bytes, its cells into another.
//!
//! A *head*, one byte, says what kind of value follows and how long its number is, so that neither takes a byte of its own.
//! Integers are LEB128, numbers of 256 bits big-endian without leading zeros. Whatever a [`ColumnBody`] can hold can be packed,
//! in one way; that no other bytes unpack to it is seen to by [`wire::decode`](crate::wire::decode), which packs it again.

use super::{CellAccess, ColumnBody, ColumnKey, RowCell};
use crate::{
    key::Key,
    limits,
    tree::Proof,
    value::{Account, Value},
};
use alloc::{boxed::Box, vec::Vec};
use alloy_primitives::{Address, B256, U256};
use core::{fmt, marker::PhantomData};
use serde::{
    Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

/// Lengths that a number can have.
const LENGTHS: u8 = 33;
/// Kinds of values, as heads tell them: a slot's; an account's without code; one with code.
const SLOT: u8 = 0;
const ACCOUNT: u8 = 1;
const ACCOUNT_WITH_CODE: u8 = 2;
/// Heads of values. The head of a key's value is higher by so many where the key is a slot.
const HEADS: u8 = 3 * LENGTHS;
/// Stands for the head of the value after, where a row left the key as it was.
const UNCHANGED: u8 = u8::MAX;

/// About what a key, and an access, take when they are packed, in bytes: more than less where there is no code.
const KEY_BYTES_ABOUT: usize = 88;
const ACCESS_BYTES_ABOUT: usize = 24;
/// What an access takes at least.
const ACCESS_BYTES_LEAST: usize = 2;

/// A body, packed.
#[derive(Serialize)]
pub(super) struct Packed<'a> {
    #[serde(serialize_with = "bytes")]
    keys: Vec<u8>,
    #[serde(serialize_with = "bytes")]
    cells: Vec<u8>,
    proof: &'a Proof,
}

impl<'a> Packed<'a> {
    /// The body with these keys, and cells: rows, and the accesses of each. There is room beforehand for so many keys and accesses.
    pub(super) fn new<'c, A>(
        [key_count, access_count]: [usize; 2],
        keys: impl IntoIterator<Item = &'c ColumnKey>,
        cells: impl IntoIterator<Item = (u32, A)>,
        proof: &'a Proof,
    ) -> Self
    where
        A: ExactSizeIterator<Item = (u32, Option<&'c Value>)>,
    {
        let room = [KEY_BYTES_ABOUT * key_count, ACCESS_BYTES_ABOUT * access_count];
        let [mut of_keys, mut of_cells] = room.map(Vec::with_capacity);
        keys.into_iter().for_each(|key| put_key(&mut of_keys, key));
        cells.into_iter().for_each(|(row, accesses)| put_cell(&mut of_cells, row, accesses));
        Self { keys: of_keys, cells: of_cells, proof }
    }

    /// About how long the encoding is, rather more than less.
    pub(super) fn bytes_about(&self) -> usize {
        20 + self.keys.len() + self.cells.len() + self.proof.bytes_about()
    }
}

impl<'a> From<&'a ColumnBody> for Packed<'a> {
    fn from(body: &'a ColumnBody) -> Self {
        let of_row =
            |cell: &'a RowCell| (cell.row, cell.accesses.iter().map(|access| (access.key, access.after.as_deref())));
        // A body that came from outside may have many accesses that take next to nothing: no room for more than they take.
        Self::new([0; 2], &body.keys, body.cells.iter().map(of_row), &body.proof)
    }
}

impl Serialize for ColumnBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Packed::from(self).serialize(serializer)
    }
}

fn bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Head and, behind the address, a slot; version; what is left of the value.
fn put_key(out: &mut Vec<u8>, ColumnKey { key, version, value }: &ColumnKey) {
    let head = head(value);
    match key {
        Key::Account(address) => {
            out.push(head);
            out.extend_from_slice(address.as_slice());
        }
        Key::Slot(address, slot) => {
            out.push(HEADS + head);
            out.extend_from_slice(address.as_slice());
            out.push(slot.byte_len() as u8);
            put_number(out, slot);
        }
    }
    put_integer(out, *version);
    put_rest(out, value);
}

/// Row, number of accesses, and for each how many keys are left out before its key, and the value after.
fn put_cell<'a>(out: &mut Vec<u8>, row: u32, accesses: impl ExactSizeIterator<Item = (u32, Option<&'a Value>)>) {
    put_integer(out, u64::from(row));
    put_integer(out, accesses.len() as u64);
    let mut next = 0_u32;
    for (key, after) in accesses {
        // Those that do not ascend are packed as well, at length.
        put_integer(out, u64::from(key.wrapping_sub(next)));
        next = key.wrapping_add(1);
        let Some(after) = after else {
            out.push(UNCHANGED);
            continue;
        };
        out.push(head(after));
        put_rest(out, after);
    }
}

/// What kind of value it is, and how many bytes its word or balance takes.
fn head(value: &Value) -> u8 {
    let (kind, number) = match value {
        Value::Slot(word) => (SLOT, word),
        Value::Account(account) if account.code_hash.is_zero() => (ACCOUNT, &account.balance),
        Value::Account(account) => (ACCOUNT_WITH_CODE, &account.balance),
    };
    kind * LENGTHS + number.byte_len() as u8
}

/// What the head of a value leaves out.
fn put_rest(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Slot(word) => put_number(out, word),
        Value::Account(account) => {
            put_integer(out, account.nonce);
            put_number(out, &account.balance);
            if !account.code_hash.is_zero() {
                out.extend_from_slice(account.code_hash.as_slice());
            }
        }
    }
}

fn put_number(out: &mut Vec<u8>, number: &U256) {
    let bytes = number.to_be_bytes::<32>();
    out.extend_from_slice(bytes.get(32 - number.byte_len()..).unwrap_or_default());
}

fn put_integer(out: &mut Vec<u8>, mut integer: u64) {
    while integer >= 0x80 {
        out.push(integer as u8 | 0x80);
        integer >>= 7;
    }
    out.push(integer as u8);
}

/// Deserialises the keys of a body.
pub(super) fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ColumnKey>, D::Error> {
    unpack(deserializer, |rest| {
        let head = take_byte(rest)?;
        let address = Address::new(take(rest)?);
        let (key, head) = match head.checked_sub(HEADS) {
            None => (Key::Account(address), head),
            Some(head) => {
                let length = take_byte(rest)?;
                (Key::Slot(address, take_number(rest, length)?), head)
            }
        };
        Some(ColumnKey { key, version: take_integer(rest)?, value: take_value(rest, head)? })
    })
}

/// Deserialises the cells of a body, which have no more than [`limits::COLUMN_ACCESSES_ANY`] accesses.
pub(super) fn cells<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RowCell>, D::Error> {
    let mut left = limits::COLUMN_ACCESSES_ANY;
    unpack(deserializer, |rest| {
        let row = take_integer(rest)?.try_into().ok()?;
        let count = usize::try_from(take_integer(rest)?).ok()?;
        left = left.checked_sub(count)?;
        let mut accesses = Vec::with_capacity(count.min(rest.len() / ACCESS_BYTES_LEAST));
        let mut next = 0_u32;
        for _ in 0..count {
            let key = next.wrapping_add(take_integer(rest)?.try_into().ok()?);
            next = key.wrapping_add(1);
            let after = match take_byte(rest)? {
                UNCHANGED => None,
                head => Some(Box::new(take_value(rest, head)?)),
            };
            accesses.push(CellAccess { key, after });
        }
        Some(RowCell { row, accesses })
    })
}

/// Deserialises elements, taken one by one off what is left.
fn unpack<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    element: impl FnMut(&mut &[u8]) -> Option<T>,
) -> Result<Vec<T>, D::Error> {
    struct Elements<T, F>(F, PhantomData<T>);
    impl<T, F: FnMut(&mut &[u8]) -> Option<T>> Visitor<'_> for Elements<T, F> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("packed elements")
        }

        fn visit_bytes<E: Error>(mut self, packed: &[u8]) -> Result<Vec<T>, E> {
            let (mut elements, mut rest) = (Vec::new(), packed);
            while !rest.is_empty() {
                let element = (self.0)(&mut rest);
                elements.push(element.ok_or_else(|| E::invalid_value(Unexpected::Bytes(packed), &self))?);
            }
            Ok(elements)
        }
    }
    deserializer.deserialize_bytes(Elements(element, PhantomData))
}

fn take_value(rest: &mut &[u8], head: u8) -> Option<Value> {
    let length = head % LENGTHS;
    let kind = head / LENGTHS;
    if kind == SLOT {
        return Some(Value::Slot(take_number(rest, length)?));
    }
    let (nonce, balance) = (take_integer(rest)?, take_number(rest, length)?);
    let code_hash = match kind {
        ACCOUNT => B256::ZERO,
        ACCOUNT_WITH_CODE => B256::new(take(rest)?),
        _ => return None,
    };
    Some(Value::Account(Account { nonce, balance, code_hash }))
}

fn take_number(rest: &mut &[u8], length: u8) -> Option<U256> {
    U256::try_from_be_slice(rest.split_off(..usize::from(length))?)
}

fn take_integer(rest: &mut &[u8]) -> Option<u64> {
    let mut integer = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take_byte(rest)?;
        integer |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(integer);
        }
    }
    None
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    rest.split_off(..N)?.try_into().ok()
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    rest.split_off_first().copied()
}
