//! A leaf in as few bytes as it needs: most balances, words, versions and nonces are short, and most accounts have no code.
//!
//! ```text
//! path 32 | born 4 | kind 1 | lengths 2 | address 20 | slot 32 if it is one | code hash 32 if there is one
//!         | version | nonce | balance or word, each in as many bytes as it has
//! ```
//!
//! `born` is the version of the tree that the leaf was written by.

use super::Leaf;
use crate::{
    key::Key,
    value::{Account, Value},
};
use alloy_primitives::{Address, B256, U256};

/// The lengths in bytes that leaves are kept in: that of an account without code, that of a small word in a mapping, and
/// what lies between and above. Multiples of a word, at most eight.
pub(super) const CLASSES: [usize; 8] = [64, 72, 80, 96, 104, 112, 128, 144];
pub(super) const MOST_BYTES: usize = 144;
pub(super) const BORN_AT: usize = 32;

const SLOT: u8 = 1;
const CODE: u8 = 2;

/// Packs `leaf`; returns the class of its length.
pub(super) fn write(leaf: &Leaf, born: u32) -> (usize, [u8; MOST_BYTES]) {
    let mut writer = Writer { bytes: [0; MOST_BYTES], at: 0 };
    writer.put(leaf.path.as_slice());
    writer.put(&born.to_le_bytes());
    let (nonce, number, code_hash) = match &leaf.value {
        Value::Account(account) => (account.nonce, account.balance, account.code_hash),
        Value::Slot(word) => (0, *word, B256::ZERO),
    };
    // The value may be of another kind than the key, if nobody has checked that it fits.
    let value_kind = if matches!(leaf.value, Value::Slot(_)) { 4 } else { 0 };
    let (slot, key_kind) = match leaf.key {
        Key::Account(_) => (None, 0),
        Key::Slot(_, slot) => (Some(slot), SLOT),
    };
    let code = if code_hash.is_zero() { 0 } else { CODE };
    let [version_bytes, nonce_bytes] = [leaf.version, nonce].map(|word| 8 - word.leading_zeros() as usize / 8);
    let number_bytes = number.byte_len();
    writer.put(&[key_kind | value_kind | code, (version_bytes << 4 | nonce_bytes) as u8, number_bytes as u8]);
    writer.put(leaf.key.address().as_slice());
    if let Some(slot) = slot {
        writer.put(&slot.to_le_bytes::<32>());
    }
    if code != 0 {
        writer.put(code_hash.as_slice());
    }
    writer.put(&leaf.version.to_le_bytes()[..version_bytes]);
    writer.put(&nonce.to_le_bytes()[..nonce_bytes]);
    writer.put(&number.to_le_bytes::<32>()[..number_bytes]);
    let class = CLASSES.iter().position(|length| writer.at <= *length).unwrap_or(CLASSES.len() - 1);
    (class, writer.bytes)
}

/// Unpacks a leaf, and the version that it was written by.
pub(super) fn read(bytes: &[u8; MOST_BYTES]) -> Option<(Leaf, u32)> {
    let mut reader = Reader(bytes);
    let path = B256::new(*reader.take_array()?);
    let born = u32::from_le_bytes(*reader.take_array()?);
    let [kind, lengths, number_bytes] = *reader.take_array()?;
    let address = Address::new(*reader.take_array()?);
    let key = match kind & SLOT {
        0 => Key::Account(address),
        _ => Key::Slot(address, U256::from_le_bytes(*reader.take_array::<32>()?)),
    };
    let code_hash = if kind & CODE == 0 { B256::ZERO } else { B256::new(*reader.take_array()?) };
    let version = reader.take_u64(lengths >> 4)?;
    let nonce = reader.take_u64(lengths & 15)?;
    let number = U256::from_le_slice(reader.take(usize::from(number_bytes))?);
    let value =
        if kind & 4 == 0 { Value::Account(Account { nonce, balance: number, code_hash }) } else { Value::Slot(number) };
    Some((Leaf { path, key, version, value }, born))
}

struct Writer {
    bytes: [u8; MOST_BYTES],
    at: usize,
}

impl Writer {
    /// The longest leaf fits.
    fn put(&mut self, bytes: &[u8]) {
        let to = self.at + bytes.len();
        if let Some(here) = self.bytes.get_mut(self.at..to) {
            here.copy_from_slice(bytes);
        }
        self.at = to;
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (here, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(here)
    }

    fn take_array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (here, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(here)
    }

    fn take_u64(&mut self, count: u8) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes.get_mut(..usize::from(count))?.copy_from_slice(self.take(usize::from(count))?);
        Some(u64::from_le_bytes(bytes))
    }
}
