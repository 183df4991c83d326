//! Deciding the order: which transactions share a lane, and which lanes share a row.
//!
//! The sequencer chooses the order, so it need not reproduce one. It runs each sender's transactions on a snapshot to learn
//! which keys they use, joins those that conflict into lanes, and packs lanes into chains of rows. What is learned here is a
//! guess; execution holds each transaction to it and puts those that surprise behind everything else.

use crate::state::{Overlay, Snapshot, Writes};
use alloy_primitives::{
    Address, B256,
    map::{AddressMap, HashMap, hash_map::Entry},
};
use ocelli_core::{
    access::Access,
    evm::{Code, Env, Executed, Refused, RowExecutor, Source, StateError},
    key::Key,
    lanes::{self, Footprint},
    params::Params,
    transaction::Recovered,
    value::{Value, Version},
};
use rayon::prelude::*;
use std::ops::Range;

/// Senders whose transactions one core tries at a time.
const SENDERS_AT_ONCE: usize = 64;

/// The state that a block begins on.
pub(super) type Base<'a> = Overlay<&'a Snapshot>;

/// Who may use a key while rows run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Everyone may read it; nobody is expected to write it.
    Readers,
    /// Only this lane may use it.
    Lane(u32),
}

/// A key that planned transactions use.
#[derive(Clone, Copy, Debug)]
struct Planned {
    /// Which key it is, counted from zero.
    index: u32,
    /// Version and value before the block's transactions.
    before: (Version, Value),
}

/// A transaction in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its index in the list that was planned.
    pub at: usize,
    /// Its lane.
    pub lane: u32,
}

/// An order for a list of transactions.
#[derive(Debug, Default)]
pub struct Plan {
    /// Chains of transactions; each chain becomes rows that run one after the other, and chains run in parallel.
    pub chains: Vec<Vec<Member>>,
    /// What each transaction did when its sender's ran alone; none for those that are not planned.
    pub guesses: Vec<Option<Executed>>,
    /// Transactions that were invalid already on the snapshot, with why.
    pub refused: Vec<(usize, Refused)>,
    /// Lanes.
    pub lanes: usize,
    keys: HashMap<Key, Planned>,
    /// Of each key, by its index.
    owners: Vec<Owner>,
}

/// What planned transactions use: for each its index in the list, and which of `uses` are its.
#[derive(Debug, Default)]
struct Uses {
    transactions: Vec<(usize, Range<usize>)>,
    /// The index of a key, and whether the key is changed.
    uses: Vec<(u32, bool)>,
}

impl Uses {
    fn of(&self, place: usize) -> &[(u32, bool)] {
        self.transactions.get(place).map_or(&[], |(_, range)| &self.uses[range.clone()])
    }
}

impl Plan {
    /// Whether a transaction of `lane` may do this while other lanes run.
    pub fn allows(&self, lane: u32, accesses: &[Access]) -> bool {
        accesses.iter().all(|access| match self.owner(&access.key) {
            Some(Owner::Lane(owner)) => owner == lane,
            Some(Owner::Readers) => access.after.is_none(),
            None => false,
        })
    }

    fn owner(&self, key: &Key) -> Option<Owner> {
        self.owners.get(self.keys.get(key)?.index as usize).copied()
    }

    /// Plans `transactions`, given in an order in which each sender's nonces ascend. Those that would take the block above
    /// its gas limit are left out.
    pub fn new(env: &Env<'_>, base: &Base<'_>, transactions: &[Recovered]) -> Self {
        let mut plan = Self::default();
        let uses = plan.keep(env.params.gas_limit, guess(env, base, transactions));
        let places = 0..uses.transactions.len();
        let footprints: Vec<_> = places.map(|index| Footprint { index, keys: uses.of(index) }).collect();
        let lanes = lanes::lanes(&footprints);
        plan.lanes = lanes.len();
        plan.own(&lanes, &uses);
        plan.pack(env.params, &lanes, &uses);
        plan
    }

    /// Keeps what the block has gas for, and numbers the keys.
    fn keep(&mut self, gas_limit: u64, guesses: Vec<Result<Executed, Refused>>) -> Uses {
        let (mut gas, mut uses) = (0_u64, Uses::default());
        self.guesses.reserve(guesses.len());
        for (at, guess) in guesses.into_iter().enumerate() {
            let found = match guess {
                Ok(found) if gas.saturating_add(found.gas_spent) <= gas_limit => found,
                Ok(_) => break,
                Err(refused) => {
                    self.refused.push((at, refused));
                    self.guesses.push(None);
                    continue;
                }
            };
            gas += found.gas_spent;
            let from = uses.uses.len();
            uses.uses.extend(found.accesses.iter().map(|access| (self.number(access), access.after.is_some())));
            uses.transactions.push((at, from..uses.uses.len()));
            self.guesses.push(Some(found));
        }
        uses
    }

    /// The index of an access's key.
    fn number(&mut self, access: &Access) -> u32 {
        let index = self.keys.len() as u32;
        match self.keys.entry(access.key) {
            Entry::Occupied(entry) => entry.get().index,
            // Whoever is the first to use a key found it as it was before the block: nobody of the same sender was earlier.
            Entry::Vacant(entry) => entry.insert(Planned { index, before: (access.version, access.before) }).index,
        }
    }

    fn own(&mut self, lanes: &[Vec<usize>], uses: &Uses) {
        self.owners = vec![Owner::Readers; self.keys.len()];
        for (lane, members) in lanes.iter().enumerate() {
            for (index, wrote) in members.iter().flat_map(|member| uses.of(*member)) {
                if *wrote {
                    self.owners[*index as usize] = Owner::Lane(lane as u32);
                }
            }
        }
    }

    /// Packs lanes into chains: short lanes together as long as a row holds them, a lane longer than a row alone.
    fn pack(&mut self, params: &Params, lanes: &[Vec<usize>], uses: &Uses) {
        let mut open: Vec<Member> = Vec::new();
        let (mut gas, mut work) = (0_u64, 0_u64);
        for (lane, members) in lanes.iter().enumerate() {
            let members = members.iter().map(|place| Member { at: uses.transactions[*place].0, lane: lane as u32 });
            let guesses = members.clone().filter_map(|member| self.guesses[member.at].as_ref());
            let (lane_gas, lane_work) =
                guesses.fold((0, 0), |(gas, work), guess| (gas + guess.gas_spent, work + guess.work));
            let full = open.len() + members.len() > params.limits.row_transactions as usize
                || gas + lane_gas > params.limits.row_gas
                || work + lane_work > params.limits.row_work;
            if full && !open.is_empty() {
                self.chains.push(std::mem::take(&mut open));
                (gas, work) = (0, 0);
            }
            open.extend(members);
            (gas, work) = (gas + lane_gas, work + lane_work);
        }
        if !open.is_empty() {
            self.chains.push(open);
        }
    }
}

/// The state that a block begins on, with what its plan knows of it at hand.
#[derive(Debug)]
pub(super) struct AtHand<'a> {
    pub(super) base: &'a Base<'a>,
    pub(super) plan: &'a Plan,
}

impl Source for AtHand<'_> {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        self.plan.keys.get(key).map_or_else(|| self.base.load(key), |planned| Ok(planned.before))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.base.code(hash)
    }
}

/// Runs each sender's transactions alone on the state that the block begins on, in their order, until they come to the gas of a
/// block: what waits behind them is not looked at.
///
/// It goes in rounds. A round has as many transactions as fit into what is left of the gas whatever they do, so where limits
/// are near what is spent there is one round, and nobody makes this run much more than a block's gas.
pub(super) fn guess(env: &Env<'_>, base: &Base<'_>, transactions: &[Recovered]) -> Vec<Result<Executed, Refused>> {
    // A sender's transactions need not fit into one row here.
    let mut params = env.params.clone();
    (params.limits.row_gas, params.limits.row_work, params.limits.row_code_bytes) = (u64::MAX, u64::MAX, u32::MAX);
    let env = Env { params: &params, ..*env };
    let mut written: AddressMap<Writes> = AddressMap::default();
    let mut guesses = Vec::with_capacity(transactions.len());
    let mut left = params.gas_limit;
    loop {
        let rest = transactions.get(guesses.len()..).unwrap_or_default();
        let round = rest.get(..certain_to_fit(rest, left)).unwrap_or_default();
        if round.is_empty() {
            return guesses;
        }
        let found = guess_round(&env, base, round, &mut written);
        let ran = found.iter().zip(round).map(|(guess, transaction)| gas_run(guess, transaction));
        let rest = left.checked_sub(ran.sum());
        guesses.extend(found);
        let Some(rest) = rest else { return guesses };
        left = rest;
    }
}

/// How many of the first transactions have gas limits that come to no more than `gas`; one at least, if there is one.
fn certain_to_fit(transactions: &[Recovered], gas: u64) -> usize {
    let sums = transactions.iter().scan(0_u64, |sum, transaction| {
        *sum = sum.saturating_add(transaction.gas_limit());
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= gas).count().max(1).min(transactions.len())
}

/// What a guess cost. A refused transaction may have run to its limit, unless it was invalid from the start.
fn gas_run(guess: &Result<Executed, Refused>, transaction: &Recovered) -> u64 {
    match guess {
        Ok(guess) => guess.gas_spent,
        Err(Refused::Invalid(_)) => 0,
        Err(_) => transaction.gas_limit(),
    }
}

/// Runs each sender's transactions on what its earlier ones made of the state, which is in `written`.
fn guess_round(
    env: &Env<'_>,
    base: &Base<'_>,
    transactions: &[Recovered],
    written: &mut AddressMap<Writes>,
) -> Vec<Result<Executed, Refused>> {
    let mut senders = by_sender(transactions);
    for sender in &mut senders {
        sender.written = written.remove(&sender.address).unwrap_or_default();
    }
    senders.par_chunks_mut(SENDERS_AT_ONCE).for_each(|senders| try_senders(env, base, transactions, senders));
    let mut guesses = vec![Err(Refused::NotAccepted); transactions.len()];
    for sender in senders {
        if !sender.written.is_empty() {
            written.insert(sender.address, sender.written);
        }
        for (at, guess) in sender.members.into_iter().zip(sender.guesses) {
            guesses[at] = guess;
        }
    }
    guesses
}

/// One sender's transactions of a round.
#[derive(Debug, Default)]
struct Sender {
    address: Address,
    members: Vec<usize>,
    guesses: Vec<Result<Executed, Refused>>,
    written: Writes,
}

/// Transactions by who sent them, senders in the order of their first ones.
fn by_sender(transactions: &[Recovered]) -> Vec<Sender> {
    let mut senders: Vec<Sender> = Vec::new();
    let mut indexes: AddressMap<usize> = AddressMap::default();
    for (at, transaction) in transactions.iter().enumerate() {
        let address = transaction.sender();
        let index = *indexes.entry(address).or_insert(senders.len());
        if index == senders.len() {
            senders.push(Sender { address, ..Sender::default() });
        }
        senders[index].members.push(at);
    }
    senders
}

fn try_senders(env: &Env<'_>, base: &Base<'_>, transactions: &[Recovered], senders: &mut [Sender]) {
    let members = senders.iter().flat_map(|sender| &sender.members).map(|at| &transactions[*at]);
    let accounts = Accounts::of(base, members);
    let mut executor = RowExecutor::new(env, Overlay::new(&accounts));
    for sender in senders {
        executor.next_row(|state, _| state.writes = std::mem::take(&mut sender.written));
        let guess = |at: &usize| executor.execute(&transactions[*at], |_| true);
        sender.guesses = sender.members.iter().map(guess).collect();
        executor.next_row(|state, effects| {
            sender.written = std::mem::take(&mut state.writes);
            sender.written.apply(effects);
        });
    }
}

/// A state of which those accounts are at hand that transactions name: they are looked up together.
struct Accounts<'a> {
    base: &'a Base<'a>,
    known: AddressMap<(Version, Value)>,
}

impl<'a> Accounts<'a> {
    fn of<'t>(base: &'a Base<'a>, transactions: impl Iterator<Item = &'t Recovered>) -> Self {
        let named = transactions.flat_map(|transaction| [Some(transaction.sender()), transaction.to().to().copied()]);
        let keys: Vec<Key> = named.flatten().map(Key::Account).collect();
        // The rows before the block's transactions write no account.
        let known = keys.iter().map(Key::address).zip(base.below.at_each(&keys));
        Self { base, known: known.collect() }
    }
}

impl Source for Accounts<'_> {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        let known = match key {
            Key::Account(address) => self.known.get(address),
            Key::Slot(..) => None,
        };
        known.map_or_else(|| self.base.load(key), |known| Ok(*known))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.base.code(hash)
    }
}
