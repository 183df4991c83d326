//! The body of a row: its transactions, what the keys that they use held before, and the code they ask for.
//!
//! The keys themselves are not in it. Which ones execution asks for, and in which order, is what the check finds out; so the
//! body lists no more than version and value of each, in the order in which they are first asked for.

use crate::{
    evm::{Code, RowEffects, Source, StateError},
    key::Key,
    limits,
    value::{Account, Value, Version},
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{B256, Bytes, U256};
use core::cell::Cell;
use serde::{Deserialize, Serialize};

/// No less than the encoding of a body adds to its lists: the version byte and four lengths.
pub(super) const BYTES_WITHOUT_CONTENT: usize = 24;
/// No less than the encoding adds to the bytes of a transaction: its length.
pub(super) const BYTES_A_TRANSACTION: usize = 5;
/// No less than the encoding of what one key held: version (10), nonce (10), balance (33), code hash (33), and the code that
/// the key may lead to (32 + 5).
pub const BYTES_A_KEY: usize = 10 + 10 + 33 + 33 + 37;

/// An account before a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountBefore {
    /// Its version.
    pub version: Version,
    /// What it held.
    pub account: Account,
}

/// A slot before a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotBefore {
    /// Its version.
    pub version: Version,
    /// What it held.
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
    /// The accounts used, in the order in which execution first asks for them.
    #[serde(deserialize_with = "crate::wire::at_most::<{ limits::ROW_ACCESSES }, _, _>")]
    pub accounts: Vec<AccountBefore>,
    /// The slots used, in the order in which execution first asks for them.
    #[serde(deserialize_with = "crate::wire::at_most::<{ limits::ROW_ACCESSES }, _, _>")]
    pub slots: Vec<SlotBefore>,
    /// The code asked for, strictly ascending by hash.
    #[serde(deserialize_with = "crate::wire::at_most::<{ limits::ROW_CODES }, _, _>")]
    pub codes: Vec<CodeRef>,
}

/// Why a body's lists are not as lists have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListError {
    /// Code hashes are not strictly ascending.
    NotAscending,
    /// "No code" is spelled as the hash of empty code, or something has a version of zero and a value.
    NotAValue,
}

impl core::fmt::Display for ListError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAscending => "a list is not strictly ascending",
            Self::NotAValue => "a value is listed that no key can have",
        })
    }
}

impl RowBody {
    /// The body of a row with these transactions and effects.
    pub fn new(transactions: Vec<Bytes>, effects: &RowEffects) -> Self {
        let (mut accounts, mut slots) = (Vec::new(), Vec::new());
        for access in &effects.accesses {
            match access.before {
                Value::Account(account) => accounts.push(AccountBefore { version: access.version, account }),
                Value::Slot(word) => slots.push(SlotBefore { version: access.version, word }),
            }
        }
        let codes = effects.codes_used.iter().map(|&(hash, length)| CodeRef { hash, length }).collect();
        Self { transactions, accounts, slots, codes }
    }

    /// About how long the encoding is, rather more than less.
    pub(super) fn bytes_about(&self) -> usize {
        let transactions = self.transactions.iter().map(|bytes| bytes.len() + BYTES_A_TRANSACTION).sum::<usize>();
        // Version, nonce, balance, code hash; version and word.
        let keys = self.accounts.len() * (10 + 10 + 33 + 33) + self.slots.len() * (10 + 33);
        BYTES_WITHOUT_CONTENT + transactions + keys + self.codes.len() * (32 + 5)
    }

    /// Checks what can be said of the lists before anything is executed.
    ///
    /// # Errors
    /// [`ListError`], by the first rule that the lists break.
    pub fn check_lists(&self) -> Result<(), ListError> {
        if !ascending(self.codes.iter().map(|code| code.hash)) {
            return Err(ListError::NotAscending);
        }
        let possible = |version: Version, value: Value| !value.is_empty_code() && (version > 0 || value.is_absent());
        let accounts = self.accounts.iter().map(|before| (before.version, Value::Account(before.account)));
        let slots = self.slots.iter().map(|before| (before.version, Value::Slot(before.word)));
        let all = accounts.chain(slots).all(|(version, value)| possible(version, value));
        if all { Ok(()) } else { Err(ListError::NotAValue) }
    }
}

/// Nothing but what a body lists, given out in its order: to the first account asked for the first account listed, and so on.
#[derive(Debug)]
pub struct Listed<'a> {
    body: &'a RowBody,
    codes: &'a BTreeMap<B256, Code>,
    accounts_given: Cell<usize>,
    slots_given: Cell<usize>,
}

impl<'a> Listed<'a> {
    /// What `body` lists, with the code that it names.
    pub const fn new(body: &'a RowBody, codes: &'a BTreeMap<B256, Code>) -> Self {
        Self { body, codes, accounts_given: Cell::new(0), slots_given: Cell::new(0) }
    }

    /// Whether everything listed has been asked for.
    pub fn is_used_up(&self) -> bool {
        self.accounts_given.get() == self.body.accounts.len() && self.slots_given.get() == self.body.slots.len()
    }
}

impl Source for Listed<'_> {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        let given = match key {
            Key::Account(_) => next(&self.body.accounts, &self.accounts_given)
                .map(|before| (before.version, Value::Account(before.account))),
            Key::Slot(..) => {
                next(&self.body.slots, &self.slots_given).map(|before| (before.version, Value::Slot(before.word)))
            }
        };
        given.ok_or(StateError::KeyNotListed(*key))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.codes.get(hash).cloned().ok_or(StateError::CodeNotListed(*hash))
    }
}

fn next<'a, T>(list: &'a [T], given: &Cell<usize>) -> Option<&'a T> {
    let at = given.get();
    let found = list.get(at)?;
    given.set(at + 1);
    Some(found)
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
