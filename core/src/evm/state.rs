//! The state of one row: what was asked for, what it held before, what it holds now.

use super::RowEffects;
use crate::{
    access::Access,
    key::Key,
    value::{Account, Value, Version},
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, map::AddressMap};
use revm::{
    Database,
    bytecode::Bytecode,
    context::DBErrorMarker,
    state::{Account as Change, AccountInfo},
};

/// Code as it is stored, with the analysis that execution needs.
pub type Code = Bytecode;

/// Why a row could not go on: its source does not give what a transaction asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// The source does not list this key.
    KeyNotListed(Key),
    /// The source does not list the code with this hash.
    CodeNotListed(B256),
}

impl core::fmt::Display for StateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::KeyNotListed(Key::Account(address)) => write!(f, "account {address} is not listed"),
            Self::KeyNotListed(Key::Slot(address, slot)) => write!(f, "slot {slot:#x} of {address} is not listed"),
            Self::CodeNotListed(hash) => write!(f, "code {hash} is not listed"),
        }
    }
}

impl core::error::Error for StateError {}
impl DBErrorMarker for StateError {}

/// Where a row's state comes from: the whole state, or what a body lists.
pub trait Source {
    /// The version and value of `key` before the row. A row asks once for each key, unless the transaction that asked first is
    /// refused.
    ///
    /// # Errors
    /// [`StateError::KeyNotListed`] if the source has no word on the key; a key that was never written is not an error but
    /// version 0 and the absent value.
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError>;

    /// The code with hash `hash`.
    ///
    /// # Errors
    /// [`StateError::CodeNotListed`].
    fn code(&self, hash: &B256) -> Result<Code, StateError>;
}

impl<S: Source + ?Sized> Source for &S {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        (**self).load(key)
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        (**self).code(hash)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    version: Version,
    before: Value,
    now: Value,
    /// The transaction that asked last, by its number in the row; so that `asked` holds each key once.
    asked_by: u32,
}

/// Code that the row has met: asked for from the source, or made by one of its transactions.
#[derive(Clone, Debug)]
struct MetCode {
    code: Code,
    made: bool,
}

/// What one transaction did, before it is committed to the row.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// The keys used, in the order asked for, and whether their value changed.
    pub(super) used: Vec<(Key, bool)>,
    writes: BTreeMap<Key, Value>,
    made: BTreeMap<B256, Code>,
}

/// The keys that a row has asked for so far, over a [`Source`].
#[derive(Debug)]
pub struct RowState<S> {
    source: S,
    entries: BTreeMap<Key, Entry>,
    codes: BTreeMap<B256, MetCode>,
    /// The number of the running transaction in the row.
    transaction: u32,
    /// Keys that the running transaction asked for, each once, in order.
    asked: Vec<Key>,
    /// The row's keys, each once, in the order in which they were first asked for.
    order: Vec<Key>,
    /// How many of `order` the transactions before the running one asked for.
    settled: usize,
    /// Code that the running transaction was the first to meet.
    new_codes: Vec<B256>,
}

impl<S: Source> RowState<S> {
    /// A row that has asked for nothing yet.
    pub fn new(source: S) -> Self {
        Self {
            source,
            entries: BTreeMap::new(),
            codes: BTreeMap::new(),
            transaction: 0,
            asked: Vec::new(),
            order: Vec::new(),
            settled: 0,
            new_codes: Vec::new(),
        }
    }

    /// What `key` holds now; asking makes it one of the row's keys.
    ///
    /// # Errors
    /// [`StateError::KeyNotListed`] from the source.
    pub fn load(&mut self, key: Key) -> Result<Value, StateError> {
        if let Some(entry) = self.entries.get_mut(&key) {
            if entry.asked_by != self.transaction {
                entry.asked_by = self.transaction;
                self.asked.push(key);
            }
            return Ok(entry.now);
        }
        let (version, before) = self.source.load(&key)?;
        self.entries.insert(key, Entry { version, before, now: before, asked_by: self.transaction });
        self.asked.push(key);
        self.order.push(key);
        Ok(before)
    }

    /// Sets what `key` holds. A key that the row had not asked for becomes one of its keys.
    ///
    /// # Errors
    /// [`StateError::KeyNotListed`] from the source.
    pub fn store(&mut self, key: Key, value: Value) -> Result<(), StateError> {
        self.load(key)?;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.now = value;
        }
        Ok(())
    }

    /// Bytes of code that the row has asked its source for.
    pub(super) fn code_bytes(&self) -> u64 {
        self.codes.values().filter(|met| !met.made).map(|met| met.code.original_byte_slice().len() as u64).sum()
    }

    pub(super) fn begin_transaction(&mut self) {
        self.transaction = self.transaction.wrapping_add(1);
        self.asked.clear();
        self.settled = self.order.len();
        self.new_codes.clear();
    }

    /// The keys that the running transaction has asked for, each once, in order.
    pub(super) fn asked(&self) -> &[Key] {
        &self.asked
    }

    /// Forgets what the running transaction asked for. Only for a transaction that has stored nothing.
    pub(super) fn discard_transaction(&mut self) {
        for key in self.order.drain(self.settled..) {
            self.entries.remove(&key);
        }
        for hash in self.new_codes.drain(..) {
            self.codes.remove(&hash);
        }
        self.asked.clear();
    }

    /// What the running transaction used and changed.
    ///
    /// Values are compared; revm's touch flags are not consulted, because a call of a precompile touches its account without
    /// changing it. revm's maps have no order: they are walked in that of the keys, so that everyone asks the source in the
    /// same order, which is the order of a row's body.
    pub(super) fn changes(&mut self, changes: AddressMap<Change>) -> Result<Changed, StateError> {
        let mut changed = Changed::default();
        for (address, change) in changes.into_iter().collect::<BTreeMap<_, _>>() {
            self.collect(address, change, &mut changed.writes, &mut changed.made)?;
        }
        changed.used = self.asked.iter().map(|key| (*key, changed.writes.contains_key(key))).collect();
        Ok(changed)
    }

    /// Takes over what the transaction changed, and says what it used.
    pub(super) fn commit_transaction(&mut self, changed: Changed) -> Vec<(Key, bool)> {
        for (key, value) in changed.writes {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.now = value;
            }
        }
        for (hash, code) in changed.made {
            self.codes.entry(hash).or_insert(MetCode { code, made: true });
        }
        changed.used
    }

    fn collect(
        &mut self,
        address: Address,
        change: Change,
        writes: &mut BTreeMap<Key, Value>,
        made: &mut BTreeMap<B256, Code>,
    ) -> Result<(), StateError> {
        let account = if change.is_selfdestructed() { Account::default() } else { account_of(&change.info) };
        self.write_if_changed(Key::Account(address), Value::Account(account), writes)?;
        if change.is_selfdestructed() {
            // Only an account made in this transaction is destroyed (EIP-6780), so none of its slots was ever written.
            return Ok(());
        }
        if let Some(code) = change.info.code.filter(|_| !account.code_hash.is_zero())
            && !self.codes.contains_key(&account.code_hash)
            && writes.contains_key(&Key::Account(address))
        {
            made.insert(account.code_hash, code);
        }
        let created = change.status.contains(revm::state::AccountStatus::Created);
        for (slot, value) in change.storage.into_iter().collect::<BTreeMap<_, _>>() {
            let key = Key::Slot(address, slot);
            // revm writes the slots of an account made in this transaction without reading them first.
            if created && value.present_value.is_zero() && !self.entries.contains_key(&key) {
                continue;
            }
            self.write_if_changed(key, Value::Slot(value.present_value), writes)?;
        }
        Ok(())
    }

    fn write_if_changed(
        &mut self,
        key: Key,
        value: Value,
        writes: &mut BTreeMap<Key, Value>,
    ) -> Result<(), StateError> {
        if self.load(key)? != value {
            writes.insert(key, value);
        }
        Ok(())
    }

    pub(super) fn into_effects(self) -> RowEffects {
        let access = |key: &Key| {
            let Entry { version, before, now, .. } = *self.entries.get(key)?;
            Some(Access { key: *key, version, before, after: (now != before).then_some(now) })
        };
        let mut effects =
            RowEffects { accesses: self.order.iter().filter_map(access).collect(), ..RowEffects::default() };
        for (hash, met) in self.codes {
            let bytes = met.code.original_bytes();
            if met.made {
                effects.codes_made.push((hash, bytes));
            } else {
                effects.codes_used.push((hash, u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
            }
        }
        effects
    }
}

fn account_of(info: &AccountInfo) -> Account {
    let code_hash = if info.code_hash == KECCAK256_EMPTY { B256::ZERO } else { info.code_hash };
    Account { nonce: info.nonce, balance: info.balance, code_hash }
}

impl<S: Source> Database for RowState<S> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let Value::Account(account) = self.load(Key::Account(address))? else {
            return Err(StateError::KeyNotListed(Key::Account(address)));
        };
        if account.is_absent() {
            return Ok(None);
        }
        let code_hash = if account.code_hash.is_zero() { KECCAK256_EMPTY } else { account.code_hash };
        Ok(Some(AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash,
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok(Bytecode::default());
        }
        if let Some(met) = self.codes.get(&hash) {
            return Ok(met.code.clone());
        }
        let code = self.source.code(&hash)?;
        self.codes.insert(hash, MetCode { code: code.clone(), made: false });
        self.new_codes.push(hash);
        Ok(code)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        let key = Key::Slot(address, slot);
        match self.load(key)? {
            Value::Slot(word) => Ok(word),
            Value::Account(_) => Err(StateError::KeyNotListed(key)),
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        let (address, slot) = super::rules::history_slot(number);
        Ok(B256::from(self.storage(address, slot)?))
    }
}
