//! Deciding the order: which transactions share a lane, and which lanes share a row.
//!
//! The sequencer chooses the order, so it need not reproduce one. It runs each sender's transactions on a snapshot to learn
//! which keys they use, joins those that conflict into lanes, and packs lanes into chains of rows. What is learned here is a
//! guess; execution holds each transaction to it and puts those that surprise behind everything else.

use crate::state::{Overlay, Snapshot};
use alloy_primitives::Address;
use ocelli_core::{
    evm::{Env, Refused, RowExecutor},
    key::Key,
    lanes::{self, Footprint},
    params::Params,
    transaction::Recovered,
};
use rayon::prelude::*;
use std::collections::HashMap;

/// What a transaction is expected to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Guess {
    /// Keys, and whether it changes them.
    used: Vec<(Key, bool)>,
    gas_spent: u64,
    work: u64,
}

/// Who may use a key while rows run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Everyone may read it; nobody is expected to write it.
    Readers,
    /// Only this lane may use it.
    Lane(u32),
}

/// An order for a list of transactions.
#[derive(Debug, Default)]
pub struct Plan {
    /// Chains of transactions; each chain becomes rows that run one after the other, and chains run in parallel. A
    /// transaction is named by its index, with its lane.
    pub chains: Vec<Vec<(usize, u32)>>,
    owners: HashMap<Key, Owner>,
    /// Transactions that were invalid already on the snapshot, with why.
    pub refused: Vec<(usize, Refused)>,
    /// Lanes.
    pub lanes: usize,
}

impl Plan {
    /// Whether a transaction of `lane` may use these keys while other lanes run.
    pub fn allows(&self, lane: u32, used: &[(Key, bool)]) -> bool {
        used.iter().all(|(key, wrote)| match self.owners.get(key) {
            Some(Owner::Lane(owner)) => *owner == lane,
            Some(Owner::Readers) => !wrote,
            None => false,
        })
    }

    /// Plans `transactions`, given in an order in which each sender's nonces ascend. Those that would take the block above
    /// its gas limit are left out.
    pub fn new(env: &Env<'_>, snapshot: &Snapshot, transactions: &[Recovered]) -> Self {
        let mut guesses = guess(env, snapshot, transactions);
        let mut plan = Self::default();
        let mut gas = 0_u64;
        let mut kept = Vec::new();
        for (at, guess) in guesses.iter_mut().enumerate() {
            match std::mem::replace(guess, Err(Refused::NotAccepted)) {
                Ok(found) if gas.saturating_add(found.gas_spent) <= env.params.gas_limit => {
                    gas += found.gas_spent;
                    kept.push((at, found));
                }
                Ok(_) => break,
                Err(refused) => plan.refused.push((at, refused)),
            }
        }
        let footprints: Vec<_> =
            kept.iter().enumerate().map(|(index, (_, guess))| Footprint { index, keys: &guess.used }).collect();
        let lanes = lanes::lanes(&footprints);
        plan.lanes = lanes.len();
        plan.own(&lanes, &kept);
        plan.pack(env.params, &lanes, &kept);
        plan
    }

    fn own(&mut self, lanes: &[Vec<usize>], kept: &[(usize, Guess)]) {
        for (lane, members) in lanes.iter().enumerate() {
            for (key, wrote) in members.iter().flat_map(|member| &kept[*member].1.used) {
                let owner = self.owners.entry(*key).or_insert(Owner::Readers);
                if *wrote {
                    *owner = Owner::Lane(lane as u32);
                }
            }
        }
    }

    /// Packs lanes into chains: short lanes together as long as a row holds them, a lane longer than a row alone.
    fn pack(&mut self, params: &Params, lanes: &[Vec<usize>], kept: &[(usize, Guess)]) {
        let mut open: Vec<(usize, u32)> = Vec::new();
        let (mut gas, mut work) = (0_u64, 0_u64);
        for (lane, members) in lanes.iter().enumerate() {
            let lane_gas: u64 = members.iter().map(|member| kept[*member].1.gas_spent).sum();
            let lane_work: u64 = members.iter().map(|member| kept[*member].1.work).sum();
            let full = open.len() + members.len() > params.limits.row_transactions as usize
                || gas + lane_gas > params.limits.row_gas
                || work + lane_work > params.limits.row_work;
            if full && !open.is_empty() {
                self.chains.push(std::mem::take(&mut open));
                (gas, work) = (0, 0);
            }
            open.extend(members.iter().map(|member| (kept[*member].0, lane as u32)));
            (gas, work) = (gas + lane_gas, work + lane_work);
        }
        if !open.is_empty() {
            self.chains.push(open);
        }
    }
}

/// Runs each sender's transactions alone on the snapshot, in their order, until they come to the gas of a block: what waits behind them is
/// not looked at.
///
/// It goes in rounds. A round has as many transactions as fit into what is left of the gas whatever they do, so where limits
/// are near what is spent there is one round, and nobody makes this run much more than a block's gas.
pub(super) fn guess(env: &Env<'_>, snapshot: &Snapshot, transactions: &[Recovered]) -> Vec<Result<Guess, Refused>> {
    // A sender's transactions need not fit into one row here.
    let mut params = env.params.clone();
    (params.limits.row_gas, params.limits.row_work) = (u64::MAX, u64::MAX);
    let env = Env { params: &params, ..*env };
    let mut states: HashMap<Address, Overlay> = HashMap::new();
    let mut guesses = Vec::new();
    let mut left = params.gas_limit;
    loop {
        let rest = transactions.get(guesses.len()..).unwrap_or_default();
        let round = rest.get(..certain_to_fit(rest, left)).unwrap_or_default();
        if round.is_empty() {
            return guesses;
        }
        let found = guess_round(&env, snapshot, round, &mut states);
        let ran = found.iter().zip(round).map(|(guess, transaction)| gas_run(guess, transaction));
        let Some(rest) = left.checked_sub(ran.sum()) else {
            guesses.extend(found);
            return guesses;
        };
        left = rest;
        guesses.extend(found);
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
fn gas_run(guess: &Result<Guess, Refused>, transaction: &Recovered) -> u64 {
    match guess {
        Ok(guess) => guess.gas_spent,
        Err(Refused::Invalid(_)) => 0,
        Err(_) => transaction.gas_limit(),
    }
}

/// Runs each sender's transactions on what its earlier ones made of the snapshot, which is in `states`.
fn guess_round(
    env: &Env<'_>,
    snapshot: &Snapshot,
    transactions: &[Recovered],
    states: &mut HashMap<Address, Overlay>,
) -> Vec<Result<Guess, Refused>> {
    let mut by_sender: HashMap<Address, Vec<usize>> = HashMap::new();
    for (at, transaction) in transactions.iter().enumerate() {
        by_sender.entry(transaction.sender()).or_default().push(at);
    }
    let senders: Vec<_> = by_sender
        .into_iter()
        .map(|(sender, members)| {
            let state = states.remove(&sender).unwrap_or_else(|| Overlay::new(snapshot.clone()));
            (sender, members, state)
        })
        .collect();
    let run = |(sender, members, mut state): (Address, Vec<usize>, Overlay)| {
        let mut executor = RowExecutor::new(env, &state);
        let guess = |at: usize| {
            let result = executor.execute(&transactions[at], |_| true);
            (at, result.map(|done| Guess { used: done.used, gas_spent: done.gas_spent, work: done.work }))
        };
        let found: Vec<_> = members.into_iter().map(guess).collect();
        let effects = executor.finish();
        state.apply(&effects.accesses, &effects.codes_made);
        (sender, found, state)
    };
    let ran: Vec<_> = senders.into_par_iter().map(run).collect();
    let mut guesses = vec![Err(Refused::NotAccepted); transactions.len()];
    for (sender, found, state) in ran {
        states.insert(sender, state);
        for (at, result) in found {
            guesses[at] = result;
        }
    }
    guesses
}
