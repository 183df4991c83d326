//! Speculation: what each transaction would do, found by running it on the state that the block begins on.
//!
//! Groups run side by side, and the transactions of a group one after the other, each on what those before it left. What is
//! found is a guess: a transaction counts as executed only where it would find the same again.

use super::plan::Base;
use crate::state::{Overlay, Writes};
use alloy_primitives::{B256, map::AddressMap};
use ocelli_core::{
    evm::{Code, Env, Executed, Refused, RowExecutor, Source, StateError},
    key::Key,
    transaction::Recovered,
    value::{Value, Version},
};
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// Transactions that one core tries at a time, at least, if there are as many.
const AT_ONCE: usize = 64;

/// What one transaction would do, or why it cannot be.
pub(super) type Guess = Result<Box<Executed>, Refused>;

/// What was found, and how long it took.
#[derive(Debug, Default)]
pub(super) struct Speculation {
    /// A guess for each of the first transactions.
    pub(super) guesses: Vec<Guess>,
    /// How long each chunk took, of those that could run side by side.
    pub(super) took: Vec<Duration>,
}

/// Runs the transactions of each of `groups` on the state that the block begins on, until they come to the gas of a block: what
/// waits behind them is not looked at. Groups hold the indexes of `transactions`, each one once and in order.
///
/// It goes in rounds. A round has as many transactions as fit into what is left of the gas whatever they do, so where limits
/// are near what is spent there is one round, and nobody makes this run much more than a block's gas.
pub(super) fn speculate(
    env: &Env<'_>,
    base: &Base<'_>,
    transactions: &[Recovered],
    groups: Vec<Vec<usize>>,
) -> Speculation {
    // The transactions of a group need not fit into one row here.
    let mut params = env.params.clone();
    (params.limits.row_gas, params.limits.row_work, params.limits.row_code_bytes) = (u64::MAX, u64::MAX, u32::MAX);
    let env = Env { params: &params, ..*env };
    let mut groups: Vec<Group> = groups.into_iter().map(Group::new).collect();
    // Those that take longest first.
    groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
    let mut found = Speculation { guesses: Vec::with_capacity(transactions.len()), took: Vec::new() };
    let mut left = params.gas_limit;
    loop {
        let guesses = &mut found.guesses;
        let rest = transactions.get(guesses.len()..).unwrap_or_default();
        let round = rest.get(..certain_to_fit(rest, left)).unwrap_or_default();
        if round.is_empty() {
            return found;
        }
        let until = guesses.len() + round.len();
        let chunk = |groups| try_groups(&env, base, &transactions[..until], groups);
        found.took.par_extend(chunks(&mut groups).into_par_iter().map(chunk));
        guesses.resize(until, Err(Refused::NotAccepted));
        for (at, guess) in groups.iter_mut().flat_map(Group::take_guesses) {
            guesses[at] = guess;
        }
        let ran =
            guesses[until - round.len()..].iter().zip(round).map(|(guess, transaction)| gas_run(guess, transaction));
        let Some(rest) = left.checked_sub(ran.sum()) else { return found };
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
fn gas_run(guess: &Guess, transaction: &Recovered) -> u64 {
    match guess {
        Ok(guess) => guess.gas_spent,
        Err(Refused::Invalid(_)) => 0,
        Err(_) => transaction.gas_limit(),
    }
}

/// Transactions that are tried one after the other.
#[derive(Debug)]
struct Group {
    members: Vec<usize>,
    /// How many of them were tried, in this round and before.
    tried: usize,
    /// Of those that were tried in this round.
    guesses: Vec<Guess>,
    /// What those of earlier rounds made of the state.
    written: Writes,
}

impl Group {
    fn new(members: Vec<usize>) -> Self {
        Self { members, tried: 0, guesses: Vec::new(), written: Writes::default() }
    }

    /// Members that were not tried, below an index.
    fn next(&self, until: usize) -> &[usize] {
        let rest = &self.members[self.tried..];
        &rest[..rest.partition_point(|at| *at < until)]
    }

    /// The guesses of a round, with the indexes of the transactions.
    fn take_guesses(&mut self) -> Vec<(usize, Guess)> {
        let guesses = std::mem::take(&mut self.guesses);
        let before = self.tried - guesses.len();
        self.members[before..self.tried].iter().copied().zip(guesses).collect()
    }
}

/// Groups in chunks that are worth a core's time.
fn chunks(mut groups: &mut [Group]) -> Vec<&mut [Group]> {
    let mut chunks = Vec::new();
    while !groups.is_empty() {
        let mut transactions = 0;
        let small = groups.iter().take_while(|group| {
            let more = transactions < AT_ONCE;
            transactions += group.members.len();
            more
        });
        let (chunk, rest) = groups.split_at_mut(small.count());
        chunks.push(chunk);
        groups = rest;
    }
    chunks
}

/// Tries what groups have of `transactions`; how long that took.
fn try_groups(env: &Env<'_>, base: &Base<'_>, transactions: &[Recovered], groups: &mut [Group]) -> Duration {
    let started = Instant::now();
    let until = transactions.len();
    let members = groups.iter().flat_map(|group| group.next(until)).map(|at| &transactions[*at]);
    let accounts = Accounts::of(base, members);
    let mut executor = RowExecutor::new(env, Overlay::new(&accounts));
    for group in groups {
        executor.next_row(|state, _| state.writes = std::mem::take(&mut group.written));
        let next = group.next(until);
        group.guesses = next.iter().map(|at| executor.execute(&transactions[*at], |_| true).map(Box::new)).collect();
        group.tried += group.guesses.len();
        let done = group.tried == group.members.len();
        executor.next_row(|state, effects| {
            let mut written = std::mem::take(&mut state.writes);
            if !done {
                written.apply(effects);
                group.written = written;
            }
        });
    }
    started.elapsed()
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
