//! The body of a row: its transactions, the keys they use with what these held before, and the code they ask for.

use crate::{
    evm::RowEffects,
    key::Key,
    limits,
    value::{Account, Value, Version},
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

/// No less than the encoding of a body adds to its lists: the version byte and three lengths.
pub(super) const BYTES_WITHOUT_CONTENT: usize = 16;
/// No less than the encoding adds to the bytes of a transaction: its length.
pub(super) const BYTES_A_TRANSACTION: usize = 5;
/// No less than the encoding of one key: an address of its own (20 bytes, two lengths), version (10), nonce (10), balance (33),
/// code hash (32), and the code that the key may lead to (32 + 5).
pub(super) const BYTES_A_KEY: usize = 20 + 1 + 3 + 10 + 10 + 33 + 32 + 37;

/// The keys of one address that a row uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressKeys {
    /// The address.
    #[serde(with = "crate::wire::raw")]
    pub address: Address,
    /// Version and value of the account before the row, if the row uses it.
    pub account: Option<(Version, Account)>,
    /// The slots used, strictly ascending.
    pub slots: Vec<SlotBefore>,
}

/// One slot that a row uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotBefore {
    /// The slot.
    #[serde(with = "crate::wire::compact")]
    pub slot: U256,
    /// Its version before the row.
    pub version: Version,
    /// What it held before the row.
    #[serde(with = "crate::wire::compact")]
    pub word: U256,
}

/// Code that a row asks for. Code is content-addressed, so the body names it and whoever checks fetches it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CodeRef {
    /// Keccak-256 of the code.
    #[serde(with = "crate::wire::raw")]
    pub hash: B256,
    /// Its length in bytes.
    pub length: u32,
}

/// The body of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowBody {
    /// The EIP-2718 bytes of each transaction, in order of execution.
    #[serde(deserialize_with = "crate::wire::at_most::<{ limits::ROW_TRANSACTIONS_ANY }, _, _>")]
    pub transactions: Vec<Bytes>,
    /// The keys used, strictly ascending by address.
    pub keys: Vec<AddressKeys>,
    /// The code asked for, strictly ascending by hash.
    pub codes: Vec<CodeRef>,
}

/// Why a body's lists are not as lists have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListError {
    /// Addresses, slots or code hashes are not strictly ascending.
    NotAscending,
    /// An address is listed without a key.
    Empty,
    /// "No code" is spelled as the hash of empty code, or an absent key has a version of zero and a value.
    NotAValue,
    /// More keys or codes than a row may have.
    TooMany,
}

impl core::fmt::Display for ListError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAscending => "a list is not strictly ascending",
            Self::Empty => "an address is listed without a key",
            Self::NotAValue => "a key is listed with a value that it cannot have",
            Self::TooMany => "more keys or codes than a row may have",
        })
    }
}

impl RowBody {
    /// The body of a row with these transactions and effects.
    pub fn new(transactions: Vec<Bytes>, effects: &RowEffects) -> Self {
        let mut keys: BTreeMap<Address, AddressKeys> = BTreeMap::new();
        for access in &effects.accesses {
            let address = access.key.address();
            let entry =
                keys.entry(address).or_insert_with(|| AddressKeys { address, account: None, slots: Vec::new() });
            match (access.key, access.before) {
                (Key::Slot(_, slot), Value::Slot(word)) => {
                    entry.slots.push(SlotBefore { slot, version: access.version, word });
                }
                (_, Value::Account(account)) => entry.account = Some((access.version, account)),
                (Key::Account(_), Value::Slot(_)) => {}
            }
        }
        for entry in keys.values_mut() {
            entry.slots.sort_unstable_by_key(|slot| slot.slot);
        }
        let codes = effects.codes_used.iter().map(|&(hash, length)| CodeRef { hash, length }).collect();
        Self { transactions, keys: keys.into_values().collect(), codes }
    }

    /// The listed keys, each with its version and value before the row.
    ///
    /// # Errors
    /// [`ListError`], by the first rule that the lists break.
    pub fn listed(&self) -> Result<BTreeMap<Key, (Version, Value)>, ListError> {
        if !ascending(self.keys.iter().map(|entry| entry.address))
            || !ascending(self.codes.iter().map(|code| code.hash))
        {
            return Err(ListError::NotAscending);
        }
        let count: usize = self.keys.iter().map(|entry| entry.slots.len() + usize::from(entry.account.is_some())).sum();
        if count > limits::ROW_ACCESSES || self.codes.len() > limits::ROW_CODES {
            return Err(ListError::TooMany);
        }
        let mut listed = BTreeMap::new();
        for entry in &self.keys {
            if entry.account.is_none() && entry.slots.is_empty() {
                return Err(ListError::Empty);
            }
            if !ascending(entry.slots.iter().map(|slot| slot.slot)) {
                return Err(ListError::NotAscending);
            }
            let account =
                entry.account.map(|(version, account)| (Key::Account(entry.address), version, Value::Account(account)));
            let slots = entry
                .slots
                .iter()
                .map(|slot| (Key::Slot(entry.address, slot.slot), slot.version, Value::Slot(slot.word)));
            for (key, version, value) in account.into_iter().chain(slots) {
                if !value.fits(&key) || (version == 0 && !value.is_absent()) {
                    return Err(ListError::NotAValue);
                }
                listed.insert(key, (version, value));
            }
        }
        Ok(listed)
    }
}

pub(crate) fn ascending<T: Ord>(items: impl IntoIterator<Item = T>) -> bool {
    let mut items = items.into_iter();
    let Some(mut last) = items.next() else { return true };
    items.all(|item| {
        let up = last < item;
        last = item;
        up
    })
}
