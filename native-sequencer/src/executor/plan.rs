//! Deciding the order: which transactions share a lane, and which lanes share a row.
//!
//! The sequencer chooses the order, so it need not reproduce one. It runs transactions on a snapshot to learn which keys they
//! use ([`super::speculate`]), joins those that conflict into lanes, and packs lanes into chains of rows. What is learned here
//! is a guess; execution holds each transaction to it and puts those that surprise behind everything else.

use super::{
    forecast::Forecast,
    speculate::{Guess, Speculation, speculate},
};
use crate::state::{Overlay, Snapshot};
use alloy_primitives::{
    B256,
    map::{HashMap, hash_map::Entry},
};
use ocelli_core::{
    access::Access,
    evm::{Code, Env, Executed, Refused, Source, StateError},
    key::Key,
    lanes::{self, Footprint},
    params::Params,
    transaction::Recovered,
    value::{Value, Version},
};
use std::{ops::Range, time::Duration};

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
    /// What each transaction did when it was tried; none for those that are not planned.
    pub guesses: Vec<Option<Box<Executed>>>,
    /// Transactions that were invalid already on the snapshot, with why.
    pub refused: Vec<(usize, Refused)>,
    /// Lanes.
    pub lanes: usize,
    /// How long speculation took, for each chunk of groups.
    pub tried: Vec<Duration>,
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
    pub(super) fn allows(&self, lane: u32, accesses: &[Access]) -> bool {
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
    pub(super) fn new(env: &Env<'_>, base: &Base<'_>, transactions: &[Recovered], forecast: &mut Forecast) -> Self {
        let mut plan = Self::default();
        let Speculation { guesses, took } = speculate(env, base, transactions, forecast.groups(transactions));
        plan.tried = took;
        let uses = plan.keep(env.params.gas_limit, guesses);
        let places = 0..uses.transactions.len();
        let footprints: Vec<_> = places.map(|index| Footprint { index, keys: uses.of(index) }).collect();
        let lanes = lanes::lanes(&footprints);
        plan.lanes = lanes.len();
        plan.own(&lanes, &uses);
        plan.pack(env.params, &lanes, &uses);
        plan.teach(transactions, &lanes, &uses, forecast);
        plan
    }

    /// Keeps what the block has gas for, and numbers the keys.
    fn keep(&mut self, gas_limit: u64, guesses: Vec<Guess>) -> Uses {
        let (mut gas, mut uses) = (0_u64, Uses::default());
        self.guesses.reserve(guesses.len());
        self.keys.reserve(2 * guesses.len());
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
            // Whoever is the first to use a key found it as it was before the block: nobody of the same group whose guess is kept
            // was earlier, and those that are kept are the first ones.
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

    /// Tells the forecast what was contended: what transactions did that succeeded, lane by lane.
    fn teach(&self, transactions: &[Recovered], lanes: &[Vec<usize>], uses: &Uses, forecast: &mut Forecast) {
        let did = |place: &usize| {
            let (at, _) = uses.transactions[*place];
            let guess = self.guesses[at].as_ref().filter(|guess| guess.receipt.success)?;
            Some((at, guess.accesses.as_slice()))
        };
        forecast.learn(transactions, lanes.iter().map(|lane| lane.iter().filter_map(did).collect()));
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
