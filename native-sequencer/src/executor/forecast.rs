//! What is expected of transactions before anything has run: which will use keys that others of the block change.
//!
//! Speculation runs transactions side by side on the state that the block begins on, and what it finds counts only where a
//! transaction would find the same again. Those that fight over a key would nearly all run twice. Where it can be told
//! beforehand which they are, they are tried one after the other instead, and once is enough.
//!
//! Two things tell it. A transaction that carries ether changes two accounts, whatever else it does. And what a call does is
//! told by its callee, its selector and the addresses in its arguments: calls alike in these used alike keys in the blocks
//! before. A wrong forecast costs time and nothing else: the plan is made of what speculation finds, not of this.

use super::layout::{Layouts, address_in};
use alloy_primitives::{
    Address,
    map::{DefaultHashBuilder, HashMap},
};
use hashbrown::{HashTable, hash_table::Entry};
use ocelli_core::{
    access::Access,
    key::Key,
    lanes::{self, Lanes},
    transaction::Recovered,
};
use rayon::prelude::*;
use std::{
    hash::BuildHasher,
    time::{Duration, Instant},
};

/// Kinds of calls that are remembered; then those are forgotten of which none came while as many others did.
const CALLS: usize = 1 << 16;
/// Keys that are remembered of a kind of call.
const KEYS_OF_CALL: usize = 4;
/// Transactions of a lane that tell which of its keys are contended, evenly from all of it.
const SAMPLE: usize = 16;
/// Transactions that one core looks at in one go; few in tests, so that there are several parts.
const AT_ONCE: usize = if cfg!(test) { 4 } else { 512 };
/// The most parts that expected keys are divided into, in each of which one core looks for equal ones.
const PARTS: usize = 8;
/// Keys that are expected of a transaction, mostly.
const KEYS_ABOUT: usize = 3;
/// Words of calldata that are looked at for addresses.
const WORDS: usize = 16;

/// What a transaction did, and its index.
pub(super) type Did<'a> = (usize, &'a [Access]);

/// Contended keys by the kinds of calls that use them.
#[derive(Clone, Default)]
pub struct Forecast {
    hashing: DefaultHashBuilder,
    recent: HashMap<Call, Vec<Contended>>,
    /// Those that came before the recent ones.
    older: HashMap<Call, Vec<Contended>>,
    layouts: Layouts,
}

impl std::fmt::Debug for Forecast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (recent, older) = (self.recent.len(), self.older.len());
        f.debug_struct("Forecast").field("recent", &recent).field("older", &older).finish_non_exhaustive()
    }
}

/// A kind of call: the hash of what the calls have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Call(u64);

/// The hash of a key.
type Contended = u64;

/// What was seen of a kind of call in one block.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The lane that it was first met in.
    lane: usize,
    /// Who sent that one.
    sender: Address,
    keys: Keys,
}

/// What a block teaches about a kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// Nothing yet.
    Unknown,
    /// Contended keys, which are remembered.
    Known,
    /// Nothing, for its calls are in several lanes.
    Ambiguous,
}

/// Who uses a key.
#[derive(Clone, Copy, Debug, Default)]
struct Users {
    count: u32,
    last: Option<Address>,
    changed: bool,
}

/// The keys that some transactions are expected to fight over, each with the transaction's index.
#[derive(Debug, Default)]
struct Expected {
    /// In as many parts as the keys are divided into.
    parts: Vec<Vec<(Contended, u32)>>,
    /// What the gas limits of these transactions come to.
    limits: u64,
    took: Duration,
}

/// Transactions that are expected to use the same keys, in pairs.
#[derive(Debug, Default)]
struct Pairs {
    pairs: Vec<(u32, u32)>,
    took: Duration,
}

impl Pairs {
    /// Of those whose keys are in a part.
    fn of(expected: &[Expected], part: usize) -> Self {
        let started = Instant::now();
        let keys = || expected.iter().filter_map(|some| some.parts.get(part)).flatten();
        let mut last: HashTable<(Contended, u32)> = HashTable::with_capacity(keys().count());
        let mut pairs = Vec::new();
        for (key, index) in keys() {
            match last.entry(*key, |(other, _)| other == key, |(other, _)| *other) {
                Entry::Occupied(mut before) => pairs.push((std::mem::replace(&mut before.get_mut().1, *index), *index)),
                Entry::Vacant(entry) => {
                    entry.insert((*key, *index));
                }
            }
        }
        Self { pairs, took: started.elapsed() }
    }
}

/// Transactions by what is expected to be contended.
#[derive(Debug)]
pub(super) struct Grouped {
    pub(super) groups: Lanes,
    /// What the gas limits of all transactions come to.
    pub(super) limits: u64,
    /// How long each piece of work took that could run beside others: finding keys, and who shares them.
    pub(super) took: [Vec<Duration>; 2],
}

impl Forecast {
    /// `transactions` by what is expected to be contended: those that may use the same of it are together, and so are each
    /// sender's. Their indexes, in order.
    pub(super) fn group(&self, transactions: &[Recovered]) -> Grouped {
        let parts = transactions.len().div_ceil(AT_ONCE).min(PARTS);
        let expect = |(chunk, some)| self.expect_all(chunk * AT_ONCE, some, parts);
        let expected: Vec<Expected> = transactions.par_chunks(AT_ONCE).enumerate().map(expect).collect();
        let pairs: Vec<Pairs> = (0..parts).into_par_iter().map(|part| Pairs::of(&expected, part)).collect();
        let took = [expected.iter().map(|some| some.took).collect(), pairs.iter().map(|some| some.took).collect()];
        let limits = expected.iter().map(|some| some.limits).fold(0, u64::saturating_add);
        let pairs = pairs.iter().flat_map(|some| some.pairs.iter().copied());
        Grouped { groups: lanes::lanes_of_pairs(transactions.len() as u32, pairs), limits, took }
    }

    /// What is expected of transactions from the one at `first` on, in so many parts.
    fn expect_all(&self, first: usize, transactions: &[Recovered], parts: usize) -> Expected {
        let started = Instant::now();
        let room = KEYS_ABOUT * transactions.len() / parts;
        let mut expected: Vec<Vec<_>> = (0..parts).map(|_| Vec::with_capacity(room)).collect();
        let mut limits = 0_u64;
        for (transaction, index) in transactions.iter().zip(first as u32..) {
            // Other bits than those that tables look at.
            self.expect(transaction, |key| expected[(key >> 32) as usize % parts].push((key, index)));
            limits = limits.saturating_add(transaction.gas_limit());
        }
        Expected { parts: expected, limits, took: started.elapsed() }
    }

    fn expect(&self, transaction: &Recovered, mut take: impl FnMut(Contended)) {
        take(self.hashing.hash_one(Key::Account(transaction.sender())));
        let Some(to) = transaction.to().to().copied() else { return };
        if !transaction.value().is_zero() {
            take(self.hashing.hash_one(Key::Account(to)));
        }
        if let Some(call) = self.call(transaction) {
            let known = self.recent.get(&call).or_else(|| self.older.get(&call));
            known.into_iter().flatten().for_each(|key| take(*key));
        }
    }

    /// The kind of a call: whom it calls, its selector, and the addresses among its arguments, in any order. Who sends it is
    /// left out, as everybody sends himself what he swaps.
    fn call(&self, transaction: &Recovered) -> Option<Call> {
        let to = transaction.to().to().copied()?;
        let (selector, arguments) = transaction.input().split_at_checked(4)?;
        let words = arguments.chunks_exact(32).take(WORDS).filter_map(address_in);
        let others = words.filter(|address| *address != transaction.sender());
        let others = others.map(|address| self.hashing.hash_one(address)).fold(0, u64::wrapping_add);
        Some(Call(self.hashing.hash_one((to, selector, others))))
    }

    /// Learns what was contended in a block, from the transactions of each of its lanes that succeeded.
    ///
    /// Calls of one kind in several lanes, and calls of several senders that fought over nothing, are no longer foreseen.
    pub(super) fn learn<'a, L>(&mut self, transactions: &[Recovered], lanes: impl Iterator<Item = L>)
    where
        L: Iterator<Item = Did<'a>>,
    {
        let mut seen: HashMap<Call, Seen> = HashMap::default();
        let mut members = Vec::new();
        for (lane, lane_members) in lanes.enumerate() {
            members.clear();
            members.extend(lane_members);
            let mut contended = None;
            for (at, accesses) in &members {
                let Some(transaction) = transactions.get(*at) else { continue };
                let Some(call) = self.call(transaction) else { continue };
                let (sender, is_taught) = (transaction.sender(), members.len() > 1);
                let seen = seen.entry(call).or_insert(Seen { lane, sender, keys: Keys::Unknown });
                if seen.lane != lane {
                    seen.keys = Keys::Ambiguous;
                }
                match seen.keys {
                    Keys::Unknown if is_taught => {
                        let contended = contended.get_or_insert_with(|| self.contended(transactions, &members));
                        let keys = hottest(accesses.iter().map(|access| self.hashing.hash_one(access.key)), contended);
                        if !keys.is_empty() {
                            seen.keys = Keys::Known;
                            self.remember(call, keys);
                        } else if seen.sender != sender {
                            self.forget(call);
                        }
                    }
                    Keys::Ambiguous => self.forget(call),
                    Keys::Unknown | Keys::Known => {}
                }
            }
        }
    }

    /// How many of some transactions use each key that one of them changes, if these are of several senders.
    fn contended(&self, transactions: &[Recovered], members: &[Did<'_>]) -> HashMap<Contended, u32> {
        let mut keys: HashMap<Contended, Users> = HashMap::default();
        for (at, accesses) in members.iter().step_by(members.len().div_ceil(SAMPLE).max(1)) {
            let Some(sender) = transactions.get(*at).map(Recovered::sender) else { continue };
            for access in *accesses {
                let users = keys.entry(self.hashing.hash_one(access.key)).or_default();
                users.changed |= access.after.is_some();
                if users.last != Some(sender) {
                    (users.count, users.last) = (users.count + 1, Some(sender));
                }
            }
        }
        let several = keys.into_iter().filter(|(_, users)| users.changed && users.count > 1);
        several.map(|(key, users)| (key, users.count)).collect()
    }

    /// Which slots calls use by themselves, contended or not.
    pub(super) const fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    /// Learns that from transactions that succeeded.
    pub(super) fn learn_layouts<'t>(&mut self, did: impl Iterator<Item = (&'t Recovered, &'t [Access])>) {
        self.layouts.learn(did);
    }

    fn remember(&mut self, call: Call, keys: Vec<Contended>) {
        if self.recent.len() >= CALLS {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(call, keys);
    }

    fn forget(&mut self, call: Call) {
        self.recent.remove(&call);
        self.older.remove(&call);
    }
}

/// Those of `keys` that most use, as many as are remembered.
fn hottest(keys: impl Iterator<Item = Contended>, users: &HashMap<Contended, u32>) -> Vec<Contended> {
    let mut found: Vec<(u32, Contended)> = keys.filter_map(|key| Some((*users.get(&key)?, key))).collect();
    found.sort_by_key(|(users, _)| std::cmp::Reverse(*users));
    found.into_iter().take(KEYS_OF_CALL).map(|(_, key)| key).collect()
}
