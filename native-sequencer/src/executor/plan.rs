//! Deciding the order: which transactions share a lane, and which lanes share a row.
//!
//! The sequencer chooses the order, so it need not reproduce one. It runs transactions on a snapshot to learn which keys they
//! use ([`super::speculate`]), joins those that conflict into lanes, and packs lanes into chains of rows. What is learned here
//! is a guess; execution holds each transaction to it and puts those that surprise behind everything else.

use super::{
    forecast::{Forecast, Grouped},
    keys::{Numbered, Use},
    recent::{Remembered, Used},
    speculate::{Attempt, Speculation, speculate},
};
use crate::state::Overlay;
use alloy_primitives::B256;
use ocelli_core::{
    access::Access,
    evm::{Code, Env, Executed, Refused, Source, StateError},
    key::Key,
    lanes::{self, Footprint, Lanes},
    params::Params,
    transaction::Recovered,
    value::{Value, Version},
};
use rayon::prelude::*;
use std::{sync::OnceLock, time::Duration};

/// Guesses that one core frees at a time, at least.
const FREED_AT_ONCE: usize = 512;

/// The state that a block begins on.
pub(super) type Base<'a> = Overlay<Remembered<'a>>;

/// Who may use a key while rows run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Everyone may read it; nobody is expected to write it.
    Readers,
    /// Only this lane may use it.
    Lane(u32),
}

/// A transaction in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its index in the list that was planned.
    pub at: usize,
    /// Its lane.
    pub lane: u32,
}

/// An order for a list of transactions.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Chains of transactions; each chain becomes rows that run one after the other, and chains run in parallel.
    pub chains: Vec<Vec<Member>>,
    /// What each transaction did when it was tried; nothing for those that are not planned.
    guesses: Vec<OnceLock<Attempt>>,
    /// Transactions that were invalid already on the snapshot, with why.
    pub refused: Vec<(usize, Refused)>,
    /// Lanes, and the transactions of each.
    pub lanes: Lanes,
    /// How long each piece of work took that could run beside others, phase after phase.
    pub phases: Vec<Vec<Duration>>,
    /// The keys that planned transactions use.
    numbered: Numbered,
    /// Of each key, by its number.
    owners: Vec<Owner>,
}

/// What a transaction did when it was tried, and the keys that it used, in the order of its accesses.
pub(super) type Guess<'a> = (&'a Executed, &'a [Use]);

impl Plan {
    /// Plans `transactions`, given in an order in which each sender's nonces ascend. Those that would take the block above
    /// its gas limit are left out.
    pub(super) fn new(env: &Env<'_>, base: &Base<'_>, transactions: &[Recovered], forecast: &Forecast) -> Self {
        let mut plan = Self::default();
        let Grouped { groups, limits, took: grouping } = forecast.group(transactions);
        let found = speculate(env, base, transactions, &groups, limits, forecast.layouts());
        let took = plan.keep(env.params.gas_limit, found);
        plan.numbered = Numbered::of(&plan.guesses);
        let numbering = std::mem::take(&mut plan.numbered.took);
        plan.phases = grouping.into_iter().chain([took]).chain(numbering).collect();
        let footprint = |index| Footprint { index, keys: plan.numbered.of_transaction(index) };
        // Who is planned uses a key, the sender's account at least.
        let planned = (0..plan.guesses.len()).map(footprint).filter(|one| !one.keys.is_empty());
        let footprints: Vec<Footprint<'_, u32>> = planned.collect();
        plan.lanes = lanes::lanes_of_numbered(&footprints, plan.numbered.keys.bound());
        plan.own();
        plan.pack(env.params);
        plan
    }

    /// The guess about the transaction at `at`, if it is planned.
    pub(super) fn guess(&self, at: usize) -> Option<Guess<'_>> {
        let guess = self.guesses.get(at)?.get()?;
        Some((&guess.did, self.numbered.of_transaction(at)))
    }

    /// Whether a transaction of `lane` may do this while other lanes run.
    pub(super) fn allows(&self, lane: u32, accesses: &[Access]) -> bool {
        accesses.iter().all(|access| match self.owner(&access.key) {
            Some(Owner::Lane(owner)) => owner == lane,
            Some(Owner::Readers) => access.after.is_none(),
            None => false,
        })
    }

    /// Whether planned transactions use `key`; no other key is used while lanes run.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.number(key).is_some()
    }

    fn number(&self, key: &Key) -> Option<u32> {
        self.numbered.keys.find(&self.guesses, key)
    }

    /// Version and value, before the block's transactions, of the key that has this number.
    fn before(&self, number: u32) -> (Version, Value) {
        self.numbered.keys.before(&self.guesses, number)
    }

    /// What planned transactions used that the next blocks may ask for.
    pub(super) fn used(&self) -> Used {
        let is_shared = self.is_shared();
        let mut used = Used::default();
        for (number, access) in self.numbered.keys.iter(&self.guesses) {
            match self.owners[number as usize] {
                Owner::Readers => used.read.push((access.key, access.version, access.before)),
                Owner::Lane(_) if is_shared[number as usize] => used.shared.push(access.key),
                Owner::Lane(_) => {}
            }
        }
        used
    }

    /// Of each key, by its number, whether several planned transactions use it.
    fn is_shared(&self) -> Vec<bool> {
        let mut is_used = vec![false; self.owners.len()];
        let mut is_shared = is_used.clone();
        for (number, _) in self.lanes.iter().flatten().flat_map(|at| self.numbered.of_transaction(*at)) {
            is_shared[*number as usize] = std::mem::replace(&mut is_used[*number as usize], true);
        }
        is_shared
    }

    fn owner(&self, key: &Key) -> Option<Owner> {
        self.owners.get(self.number(key)? as usize).copied()
    }

    /// Keeps what the block has gas for. How long each piece of finding it took.
    fn keep(&mut self, gas_limit: u64, found: Speculation) -> Vec<Duration> {
        self.guesses = found.guesses;
        if found.gas > gas_limit {
            let mut gas = 0_u64;
            let mut fits = |spent| {
                gas = gas.saturating_add(spent);
                gas <= gas_limit
            };
            let above = self.guesses.iter().position(|guess| guess.get().is_some_and(|did| !fits(did.gas_spent)));
            self.guesses.truncate(above.unwrap_or(self.guesses.len()));
        }
        self.refused = found.refused;
        // Who comes behind waits, whatever is wrong with it.
        self.refused.retain(|(at, _)| *at < self.guesses.len());
        self.refused.sort_unstable_by_key(|(at, _)| *at);
        found.took
    }

    fn own(&mut self) {
        self.owners = vec![Owner::Readers; self.numbered.keys.bound()];
        for (lane, members) in self.lanes.iter().enumerate() {
            for (number, wrote) in members.iter().flat_map(|at| self.numbered.of_transaction(*at)) {
                if *wrote {
                    self.owners[*number as usize] = Owner::Lane(lane as u32);
                }
            }
        }
    }

    /// Tells the forecast what was contended: what transactions did that succeeded, lane by lane.
    pub(super) fn teach(&self, transactions: &[Recovered], forecast: &mut Forecast) {
        let did = |at: &usize| {
            let (did, _) = self.guess(*at).filter(|(did, _)| did.receipt.success)?;
            Some((*at, did.accesses.as_slice()))
        };
        forecast.learn(transactions, self.lanes.iter().map(|lane| lane.iter().filter_map(did)));
        let lanes = self.lanes.iter().flatten();
        forecast.learn_layouts(lanes.filter_map(did).map(|(at, accesses)| (&transactions[at], accesses)));
    }

    /// Frees all of it, on all cores: there are many small things.
    pub(super) fn free(self) {
        self.guesses.into_par_iter().with_min_len(FREED_AT_ONCE).for_each(drop);
    }

    /// Packs lanes into chains: short lanes together as long as a row holds them, a lane longer than a row alone.
    fn pack(&mut self, params: &Params) {
        let mut chains = Vec::new();
        let mut open: Vec<Member> = Vec::new();
        let (mut gas, mut work) = (0_u64, 0_u64);
        for (lane, members) in self.lanes.iter().enumerate() {
            let guesses = members.iter().filter_map(|at| self.guesses[*at].get());
            let (lane_gas, lane_work) =
                guesses.fold((0, 0), |(gas, work), guess| (gas + guess.gas_spent, work + guess.work));
            let full = open.len() + members.len() > params.limits.row_transactions as usize
                || gas + lane_gas > params.limits.row_gas
                || work + lane_work > params.limits.row_work;
            if full && !open.is_empty() {
                chains.push(std::mem::take(&mut open));
                (gas, work) = (0, 0);
            }
            open.extend(members.iter().map(|at| Member { at: *at, lane: lane as u32 }));
            (gas, work) = (gas + lane_gas, work + lane_work);
        }
        if !open.is_empty() {
            chains.push(open);
        }
        self.chains = chains;
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
        self.plan.number(key).map_or_else(|| self.base.load(key), |number| Ok(self.plan.before(number)))
    }

    fn load_numbered(&self, _: &Key, number: u32) -> Result<(Version, Value), StateError> {
        Ok(self.plan.before(number))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.base.code(hash)
    }
}
