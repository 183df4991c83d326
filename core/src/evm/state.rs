//! The state of one row: what was asked for, what it held before, what it holds now.

#[cfg(test)]
mod tests;

use super::{Executed, RowEffects, code::unshared};
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

    /// [`Source::load`] of a key for which a number stands that the row's caller gave it ([`super::RowExecutor::repeat`]).
    ///
    /// # Errors
    /// As [`Source::load`].
    fn load_numbered(&self, key: &Key, number: u32) -> Result<(Version, Value), StateError> {
        let _ = number;
        self.load(key)
    }

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

    fn load_numbered(&self, key: &Key, number: u32) -> Result<(Version, Value), StateError> {
        (**self).load_numbered(key, number)
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        (**self).code(hash)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    version: Version,
    before: Value,
    now: Value,
    /// What the running transaction makes of it, once that is known.
    next: Option<Value>,
    /// The transaction that asked last, by its number in the row; so that `asked` holds each entry once.
    asked_by: u32,
}

/// Code that the row has met: asked for from the source, or made by one of its transactions.
#[derive(Clone, Debug)]
struct MetCode {
    code: Code,
    made: bool,
}

/// What one transaction did, before it is committed to the row.
#[derive(Debug)]
pub(super) struct Changed {
    /// The keys used, in the order asked for, as the transaction found and left them.
    pub(super) accesses: Vec<Access>,
    /// The code that it deployed, in order of hashes.
    pub(super) made: Vec<(B256, Code)>,
    /// Whether it does the same wherever it finds the same.
    pub(super) repeatable: bool,
}

/// Numbers by keys. Whoever runs the same module in every tab cannot choose hashes that an adversary does not know, so there the
/// keys are compared.
#[cfg(not(target_arch = "wasm32"))]
type Index = alloy_primitives::map::HashMap<Key, u32>;
#[cfg(target_arch = "wasm32")]
type Index = BTreeMap<Key, u32>;

/// So many keys are looked through one by one: faster than any index, and most transactions use no more.
const LOOKED_THROUGH: usize = 8;

/// The keys that a row has asked for so far, over a [`Source`].
#[derive(Debug)]
pub struct RowState<S> {
    source: S,
    /// The row's keys, each once, in the order in which they were first asked for.
    entries: Vec<Entry>,
    /// Which of `entries` a key has; the first ones, and all once a key is looked for that has no number, unless they are looked
    /// through. Nothing walks it, so how it is made decides nothing.
    index: Index,
    /// How many of `entries` are in `index`.
    indexed: usize,
    /// Which of `entries` was last that of the key for which a number stands. It may be gone.
    places: Vec<u32>,
    /// Whether the row may have entries that were added without a number.
    has_unnumbered: bool,
    codes: BTreeMap<B256, MetCode>,
    /// What an account without code has. Absent accounts have revm's, which all share: with this one they would not count as absent.
    no_code: Code,
    /// The number of the running transaction in the row.
    transaction: u32,
    /// Which of `entries` the running transaction asked for, each once, in order.
    asked: Vec<u32>,
    /// How many of `entries` the transactions before the running one asked for.
    settled: usize,
    /// Code that the running transaction asked for, each once.
    codes_asked: Vec<B256>,
    /// Code that the running transaction was the first to meet.
    new_codes: Vec<B256>,
    /// Bytes of code that the row has asked its source for.
    code_bytes: u64,
}

impl<S: Source> RowState<S> {
    /// A row that has asked for nothing yet.
    pub fn new(source: S) -> Self {
        Self {
            source,
            entries: Vec::new(),
            index: Index::default(),
            indexed: 0,
            places: Vec::new(),
            has_unnumbered: false,
            codes: BTreeMap::new(),
            no_code: unshared(&Code::default()),
            transaction: 0,
            asked: Vec::new(),
            settled: 0,
            codes_asked: Vec::new(),
            new_codes: Vec::new(),
            code_bytes: 0,
        }
    }

    /// Makes room for so many more keys.
    pub(super) fn reserve(&mut self, keys: usize) {
        self.entries.reserve(keys);
    }

    /// What `key` holds now; asking makes it one of the row's keys.
    ///
    /// # Errors
    /// [`StateError::KeyNotListed`] from the source.
    pub fn load(&mut self, key: Key) -> Result<Value, StateError> {
        Ok(self.entry(key)?.now)
    }

    /// The entry of `key`, which asking makes one of the row's keys.
    fn entry(&mut self, key: Key) -> Result<&mut Entry, StateError> {
        let at = match self.find(&key) {
            Some(at) => at,
            None => {
                let found = self.source.load(&key)?;
                self.has_unnumbered = true;
                self.add(key, found)
            }
        };
        self.ask(key, at)
    }

    /// [`Self::entry`] of a key for which `number` stands.
    fn entry_numbered(&mut self, key: Key, number: u32) -> Result<&mut Entry, StateError> {
        let at = match self.find_numbered(&key, number) {
            Some(at) => at,
            None => {
                let found = self.source.load_numbered(&key, number)?;
                let (at, place) = (self.add(key, found), number as usize);
                if self.places.len() <= place {
                    self.places.resize(place + 1, u32::MAX);
                }
                if let Some(place) = self.places.get_mut(place) {
                    *place = at as u32;
                }
                at
            }
        };
        self.ask(key, at)
    }

    /// Notes that the running transaction asked for `key`, and gives its entry, which is at `at`.
    fn ask(&mut self, key: Key, at: usize) -> Result<&mut Entry, StateError> {
        let entry = self.entries.get_mut(at).ok_or(StateError::KeyNotListed(key))?;
        if entry.asked_by != self.transaction {
            entry.asked_by = self.transaction;
            self.asked.push(at as u32);
        }
        Ok(entry)
    }

    /// Which of `entries` is that of `key`.
    fn find(&mut self, key: &Key) -> Option<usize> {
        if self.entries.len() <= LOOKED_THROUGH {
            return self.entries.iter().position(|entry| entry.key == *key);
        }
        let missing = self.entries.iter().enumerate().skip(self.indexed);
        self.index.extend(missing.map(|(at, entry)| (entry.key, at as u32)));
        self.indexed = self.entries.len();
        self.index.get(key).map(|at| *at as usize)
    }

    /// Which of `entries` is that of `key`, for which `number` stands.
    fn find_numbered(&mut self, key: &Key, number: u32) -> Option<usize> {
        let at = self.places.get(number as usize).map(|at| *at as usize);
        match at.filter(|at| self.entries.get(*at).is_some_and(|entry| entry.key == *key)) {
            None if self.has_unnumbered => self.find(key),
            at => at,
        }
    }

    /// Adds the entry of a key that has none; which of `entries` it is.
    fn add(&mut self, key: Key, (version, before): (Version, Value)) -> usize {
        let asked_by = self.transaction.wrapping_sub(1);
        self.entries.push(Entry { key, version, before, now: before, next: None, asked_by });
        self.entries.len() - 1
    }

    /// Takes out the entries from `at` on.
    fn truncate(&mut self, at: usize) {
        for entry in self.entries.get(at..self.indexed).unwrap_or_default() {
            self.index.remove(&entry.key);
        }
        self.indexed = self.indexed.min(at);
        self.entries.truncate(at);
    }

    /// Sets what `key` holds. A key that the row had not asked for becomes one of its keys.
    ///
    /// # Errors
    /// [`StateError::KeyNotListed`] from the source.
    pub fn store(&mut self, key: Key, value: Value) -> Result<(), StateError> {
        self.entry(key)?.now = value;
        Ok(())
    }

    /// Bytes of code that the row has asked its source for.
    pub(super) const fn code_bytes(&self) -> u64 {
        self.code_bytes
    }

    /// Code that the running transaction has asked for, each once.
    pub(super) fn codes_asked(&self) -> &[B256] {
        &self.codes_asked
    }

    pub(super) fn begin_transaction(&mut self) {
        self.transaction = self.transaction.wrapping_add(1);
        self.asked.clear();
        self.settled = self.entries.len();
        self.codes_asked.clear();
        self.new_codes.clear();
    }

    /// The keys that the running transaction has asked for, each once, in order.
    pub(super) fn asked(&self) -> impl Iterator<Item = Key> {
        self.asked.iter().filter_map(|at| Some(self.entries.get(*at as usize)?.key))
    }

    /// Forgets what the running transaction asked for. Only for a transaction that has stored nothing.
    pub(super) fn discard_transaction(&mut self) {
        self.truncate(self.settled);
        for hash in self.new_codes.drain(..) {
            if let Some(met) = self.codes.remove(&hash) {
                self.code_bytes -= code_length(&met.code);
            }
        }
        for at in self.asked.drain(..) {
            if let Some(entry) = self.entries.get_mut(at as usize) {
                entry.next = None;
            }
        }
    }

    /// What the running transaction used and changed.
    ///
    /// Values are compared; revm's touch flags are not consulted, because a call of a precompile touches its account without
    /// changing it. revm's maps have no order: they are walked in that of the keys, so that everyone asks the source in the
    /// same order, which is the order of a row's body.
    pub(super) fn changes(&mut self, changes: &AddressMap<Change>) -> Result<Changed, StateError> {
        let mut made = BTreeMap::new();
        let mut ordered: Vec<(&Address, &Change)> = changes.iter().collect();
        ordered.sort_unstable_by_key(|(address, _)| *address);
        for (address, change) in ordered {
            self.collect(*address, change, &mut made)?;
        }
        let mut accesses = Vec::with_capacity(self.asked.len());
        for at in &self.asked {
            let Some(entry) = self.entries.get_mut(*at as usize) else { continue };
            let (key, version, before, after) = (entry.key, entry.version, entry.now, entry.next.take());
            accesses.push(Access { key, version, before, after });
        }
        let makes_account = changes.values().any(Change::is_created);
        let repeatable = !makes_account && !accesses.iter().any(changes_code);
        Ok(Changed { accesses, made: made.into_iter().collect(), repeatable })
    }

    /// Asks for all that a transaction asked for when it was executed elsewhere. Whether every key holds what it held there.
    ///
    /// `numbers` are what stands for the keys of its accesses, in their order: small ones, in the whole row the same for the same
    /// key and others for others. By these keys are found without hashing them.
    pub(super) fn find_again(
        &mut self,
        executed: &Executed,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<bool, StateError> {
        let mut numbers = numbers.into_iter();
        for access in &executed.accesses {
            let entry = match numbers.next() {
                Some(number) => self.entry_numbered(access.key, number)?,
                None => self.entry(access.key)?,
            };
            if entry.now != access.before {
                return Ok(false);
            }
        }
        for hash in &executed.codes {
            self.code_by_hash(*hash)?;
        }
        Ok(true)
    }

    /// Takes over what the transaction changed, which has asked for nothing else than its accesses, in their order.
    pub(super) fn commit_transaction(&mut self, executed: &Executed) {
        for (at, access) in self.asked.iter().zip(&executed.accesses) {
            if let (Some(after), Some(entry)) = (access.after, self.entries.get_mut(*at as usize)) {
                entry.now = after;
            }
        }
        for (hash, code) in &executed.made {
            self.codes.entry(*hash).or_insert_with(|| MetCode { code: code.clone(), made: true });
        }
    }

    fn collect(
        &mut self,
        address: Address,
        change: &Change,
        made: &mut BTreeMap<B256, Code>,
    ) -> Result<(), StateError> {
        let account = if change.is_selfdestructed() { Account::default() } else { account_of(&change.info) };
        let changed = self.change_to(Key::Account(address), Value::Account(account))?;
        if change.is_selfdestructed() {
            // Only an account made in this transaction is destroyed (EIP-6780), so none of its slots was ever written.
            return Ok(());
        }
        if let Some(code) = change.info.code.as_ref().filter(|_| !account.code_hash.is_zero())
            && !self.codes.contains_key(&account.code_hash)
            && changed
        {
            made.insert(account.code_hash, code.clone());
        }
        let created = change.status.contains(revm::state::AccountStatus::Created);
        let mut slots: Vec<_> = change.storage.iter().collect();
        slots.sort_unstable_by_key(|(slot, _)| *slot);
        for (slot, value) in slots {
            let key = Key::Slot(address, *slot);
            // revm writes the slots of an account made in this transaction without reading them first.
            if created && value.present_value.is_zero() && self.find(&key).is_none() {
                continue;
            }
            self.change_to(key, Value::Slot(value.present_value))?;
        }
        Ok(())
    }

    /// Notes what the running transaction makes of a key, if that is another value; whether it is.
    fn change_to(&mut self, key: Key, value: Value) -> Result<bool, StateError> {
        let entry = self.entry(key)?;
        let changed = entry.now != value;
        entry.next = changed.then_some(value);
        Ok(changed)
    }

    /// Ends the row and begins the next one, over what `pass` makes of the source.
    pub(super) fn next_row(&mut self, pass: impl FnOnce(&mut S, &RowEffects)) -> RowEffects {
        let effects = self.take_effects();
        (self.transaction, self.settled, self.code_bytes) = (0, 0, 0);
        pass(&mut self.source, &effects);
        effects
    }

    pub(super) fn into_parts(mut self) -> (RowEffects, S) {
        (self.take_effects(), self.source)
    }

    fn take_effects(&mut self) -> RowEffects {
        self.index.clear();
        (self.indexed, self.has_unnumbered) = (0, false);
        let access = |Entry { key, version, before, now, .. }| Access {
            key,
            version,
            before,
            after: (now != before).then_some(now),
        };
        let mut effects =
            RowEffects { accesses: self.entries.drain(..).map(access).collect(), ..RowEffects::default() };
        for (hash, met) in core::mem::take(&mut self.codes) {
            if met.made {
                effects.codes_made.push((hash, met.code.original_bytes()));
            } else {
                effects.codes_used.push((hash, u32::try_from(code_length(&met.code)).unwrap_or(u32::MAX)));
            }
        }
        effects
    }
}

fn changes_code(access: &Access) -> bool {
    let code = |value| match value {
        Value::Account(account) => account.code_hash,
        Value::Slot(_) => B256::ZERO,
    };
    access.after.is_some_and(|after| code(after) != code(access.before))
}

fn code_length(code: &Code) -> u64 {
    code.original_byte_slice().len() as u64
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
        let (code_hash, code) = if account.code_hash.is_zero() {
            (KECCAK256_EMPTY, Some(self.no_code.clone()))
        } else {
            (account.code_hash, None)
        };
        // Without the default, which has code that all share.
        Ok(Some(AccountInfo { balance: account.balance, nonce: account.nonce, code_hash, account_id: None, code }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok(self.no_code.clone());
        }
        if !self.codes_asked.contains(&hash) {
            self.codes_asked.push(hash);
        }
        if let Some(met) = self.codes.get(&hash) {
            return Ok(met.code.clone());
        }
        let code = self.source.code(&hash)?;
        self.code_bytes += code_length(&code);
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
