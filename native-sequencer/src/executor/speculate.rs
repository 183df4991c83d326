//! Speculation: what each transaction would do, found by running it on the state that the block begins on.
//!
//! Groups run side by side, and the transactions of a group one after the other, each on what those before it left. What is
//! found is a guess: a transaction counts as executed only where it would find the same again.

use super::{
    layout::{Layouts, Slots},
    plan::Base,
};
use crate::state::{Overlay, Writes};
use alloy_primitives::{Address, B256};
use ocelli_core::{
    evm::{Code, Env, Executed, Refused, RowExecutor, Source, StateError, code::unshared, hashes::Hashed},
    key::Key,
    lanes::Lanes,
    params::Params,
    row::fits_a_body,
    transaction::Recovered,
    value::{Value, Version},
};
use rayon::prelude::*;
use std::{
    cell::{Cell, LazyCell, RefCell},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Transactions that one core tries at a time, at least, if there are as many.
const AT_ONCE: usize = 64;
/// Codes that are kept at hand for the transactions that one core tries at a time; few in tests, so that there are more.
const CODES_AT_HAND: usize = if cfg!(test) { 2 } else { 16 };
/// Transactions whose gas limits one core adds up at a time; few in tests, so that there are several.
const ADDED_AT_ONCE: usize = if cfg!(test) { 3 } else { 1_024 };

/// What one transaction would do, or why it cannot be.
pub(super) type Tried = Result<Attempt, Refused>;

/// What one transaction would do. What it costs stands beside it: whoever looks through many need not wait for memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) did: Box<Executed>,
    pub(super) gas_spent: u64,
    pub(super) work: u64,
}

/// What was found, and how long it took.
#[derive(Debug, Default)]
pub(super) struct Speculation {
    /// A guess for each of the first transactions, put in its place by whoever tried it; nothing for those that are refused.
    pub(super) guesses: Vec<OnceLock<Attempt>>,
    /// What they cost.
    pub(super) gas: u64,
    /// Those that cannot be, and why, in any order.
    pub(super) refused: Vec<(usize, Refused)>,
    /// How long each chunk took, of those that could run side by side.
    pub(super) took: Vec<Duration>,
}

/// Runs the transactions of each of `groups` on the state that the block begins on, until they come to the gas of a block: what
/// waits behind them is not looked at. Groups hold the indexes of `transactions`, each one once and in order; `limits` is what the
/// gas limits of all come to.
///
/// It goes in rounds. A round has as many transactions as fit into what is left of the gas whatever they do, so where limits
/// are near what is spent there is one round, and nobody makes this run much more than a block's gas. A round costs what its
/// own transactions cost. Slots that `layouts` tell of are looked up together.
pub(super) fn speculate(
    env: &Env<'_>,
    base: &Base<'_>,
    transactions: &[Recovered],
    groups: &Lanes,
    limits: u64,
    layouts: &Layouts,
) -> Speculation {
    let mut waiting: Vec<Group<'_>> = groups.iter().map(Group::new).collect();
    let mut found = Speculation::default();
    let mut left = env.params.gas_limit;
    // Which group each transaction is in, if somebody has to know.
    let group_of = LazyCell::new(|| group_of(groups, transactions.len()));
    loop {
        let Speculation { guesses, gas, refused, took } = &mut found;
        let from = guesses.len();
        let rest = transactions.get(from..).unwrap_or_default();
        let until = from + if limits <= left { rest.len() } else { certain_to_fit(rest, left) };
        if until == from {
            return found;
        }
        let is_last = until == transactions.len();
        // All transactions: then nothing was taken out either.
        let is_all = is_last && from == 0;
        let mut active =
            if is_all { std::mem::take(&mut waiting) } else { active(&mut waiting, &group_of[from..until], until) };
        // Those that take longest first.
        active.sort_by_key(|group| std::cmp::Reverse(group.now));
        guesses.resize_with(until, OnceLock::new);
        let chunk = |groups: &mut [Group<'_>]| try_groups(env, base, transactions, layouts, groups, guesses);
        // Each by itself for whoever is free: rayon would have one core do a fourth of them in one piece.
        let tried: Vec<Chunk> = chunks(&mut active).into_par_iter().with_max_len(1).map(chunk).collect();
        for chunk in tried {
            *gas = gas.saturating_add(chunk.gas);
            refused.extend(chunk.refused);
            took.push(chunk.took);
        }
        let Some(rest) = env.params.gas_limit.checked_sub(*gas).filter(|_| !is_last) else { return found };
        left = rest;
        for group in active {
            // One that is done was taken out.
            if let Some(member) = group.members.first() {
                waiting[group_of[*member] as usize] = group;
            }
        }
    }
}

/// For each transaction, the group that it is in.
fn group_of(groups: &Lanes, transactions: usize) -> Vec<u32> {
    let mut group_of = vec![0; transactions];
    for (members, group) in groups.iter().zip(0..) {
        members.iter().for_each(|at| group_of[*at] = group);
    }
    group_of
}

/// How many of the first transactions have gas limits that come to no more than `gas`; one at least, if there is one.
fn certain_to_fit(transactions: &[Recovered], mut gas: u64) -> usize {
    let mut fits = |limits: u64| gas.checked_sub(limits).map(|left| gas = left).is_some();
    let (first, rest) = transactions.split_at(transactions.len().min(ADDED_AT_ONCE));
    let mut count = first.iter().take_while(|one| fits(one.gas_limit())).count();
    // Only a round that is long anyway looks at all that wait.
    if count == first.len() {
        let limits = |some: &[Recovered]| some.iter().map(|one| one.gas_limit()).fold(0, u64::saturating_add);
        let sums: Vec<u64> = rest.par_chunks(ADDED_AT_ONCE).map(limits).collect();
        let whole = rest.len().min(sums.into_iter().take_while(|limits| fits(*limits)).count() * ADDED_AT_ONCE);
        count += whole + rest[whole..].iter().take_while(|one| fits(one.gas_limit())).count();
    }
    count.max(1).min(transactions.len())
}

/// What a guess cost. A refused transaction may have run to its limit, unless it was invalid from the start.
fn gas_run(guess: &Tried, transaction: &Recovered) -> u64 {
    match guess {
        Ok(guess) => guess.gas_spent,
        Err(Refused::Invalid(_)) => 0,
        Err(_) => transaction.gas_limit(),
    }
}

/// Transactions that are tried one after the other.
#[derive(Debug, Default)]
struct Group<'a> {
    /// Those that were not tried yet.
    members: &'a [usize],
    /// How many of them are tried in this round.
    now: usize,
    /// Only of a group of several: nobody finds what a lone transaction leaves.
    left: Option<Box<Left>>,
}

/// What those of a group that were tried left.
#[derive(Debug, Default)]
struct Left {
    /// What they made of the state.
    written: Writes,
    /// Who sent the first of them, and whether somebody else sent another.
    first_sender: Option<Address>,
    is_shared: bool,
}

impl<'a> Group<'a> {
    fn new(members: &'a [usize]) -> Self {
        Self { members, now: members.len(), left: (members.len() > 1).then(Box::default) }
    }

    /// What counts of the guess about the next member, which `sender` sent. That it is invalid counts only where nobody else's
    /// transaction made it so: that one may be left out.
    fn verdict(&mut self, guess: Tried, sender: Address) -> Tried {
        let Some(left) = &mut self.left else { return guess };
        left.is_shared |= *left.first_sender.get_or_insert(sender) != sender;
        if left.is_shared && matches!(guess, Err(Refused::Invalid(_))) { Err(Refused::NotAccepted) } else { guess }
    }
}

/// Takes out the groups that transactions of a round are in, whose indexes end before `until`.
fn active<'a>(waiting: &mut [Group<'a>], group_of: &[u32], until: usize) -> Vec<Group<'a>> {
    let mut active = Vec::with_capacity(group_of.len());
    for at in group_of {
        let group = std::mem::take(&mut waiting[*at as usize]);
        if group.members.is_empty() {
            // It was taken out before.
            continue;
        }
        let now = group.members.partition_point(|member| *member < until);
        active.push(Group { now, ..group });
    }
    active
}

/// Groups in chunks that are worth a core's time.
fn chunks<'a, 'g>(mut groups: &'a mut [Group<'g>]) -> Vec<&'a mut [Group<'g>]> {
    let mut chunks = Vec::new();
    while !groups.is_empty() {
        let mut transactions = 0;
        let small = groups.iter().take_while(|group| {
            let more = transactions < AT_ONCE;
            transactions += group.now;
            more
        });
        let (chunk, rest) = groups.split_at_mut(small.count());
        chunks.push(chunk);
        groups = rest;
    }
    chunks
}

/// What was found of a chunk of groups.
struct Chunk {
    /// What its transactions cost.
    gas: u64,
    /// Those of them that cannot be, and why.
    refused: Vec<(usize, Refused)>,
    took: Duration,
}

/// Tries what is next of groups, and puts what is found into the places of `guesses`.
///
/// Each transaction has a row of its own: what no row can hold leaves nothing for those behind it to find.
fn try_groups(
    env: &Env<'_>,
    base: &Base<'_>,
    transactions: &[Recovered],
    layouts: &Layouts,
    groups: &mut [Group<'_>],
    guesses: &[OnceLock<Attempt>],
) -> Chunk {
    let started = Instant::now();
    let next = groups.iter().flat_map(|group| &group.members[..group.now]);
    let named = Named::of(base, layouts, next.map(|at| &transactions[*at]));
    let mut executor = RowExecutor::new(env, Overlay::new(&named));
    let (mut gas, mut refused) = (0_u64, Vec::new());
    for group in groups {
        #[cfg(test)]
        super::schedule::hold_up();
        executor.next_row(|state, _| {
            state.writes = group.left.as_mut().map(|left| std::mem::take(&mut left.written)).unwrap_or_default()
        });
        let (now, later) = group.members.split_at(group.now);
        for (at, further) in now.iter().zip((0..now.len()).rev()) {
            let transaction = &transactions[*at];
            executor.expect(named.go_on());
            let guess = try_one(&mut executor, env.params, transaction);
            gas = gas.saturating_add(gas_run(&guess, transaction));
            match group.verdict(guess, transaction.sender()) {
                Ok(attempt) => {
                    let first = guesses[*at].set(attempt).is_ok();
                    debug_assert!(first, "each transaction is in one group, and tried once");
                }
                Err(why) => refused.push((*at, why)),
            }
            executor.next_row(|state, effects| {
                // What the last one of a group leaves, nobody finds.
                if further + later.len() > 0 {
                    state.writes.apply(effects);
                }
            });
        }
        if let Some(left) = &mut group.left {
            executor.next_row(|state, _| left.written = std::mem::take(&mut state.writes));
        }
        group.members = later;
    }
    Chunk { gas, refused, took: started.elapsed() }
}

fn try_one<S: Source>(executor: &mut RowExecutor<S>, params: &Params, transaction: &Recovered) -> Tried {
    let mut fits = true;
    let result = executor.execute(transaction, |used| {
        fits = fits_a_body(params, transaction, used.len());
        fits
    });
    let attempt = |did: Executed| Attempt { gas_spent: did.gas_spent, work: did.work, did: Box::new(did) };
    result.map(attempt).map_err(|refused| if fits { refused } else { Refused::RowBody })
}

/// A state of which what transactions name is at hand: it is looked up together.
struct Named<'a> {
    base: &'a Base<'a>,
    /// Of one transaction after the other: sender, callee, slots.
    found: Vec<(Key, (Version, Value))>,
    /// Where those of each transaction end.
    ends: Vec<usize>,
    /// The hashes that name these slots.
    hashes: Vec<Hashed>,
    /// Where those of each transaction end.
    hash_ends: Vec<usize>,
    /// How many transactions have begun.
    begun: Cell<usize>,
    /// Code that was asked for, so that cores do not meet for each transaction: at the lock of all code, or where owners of one
    /// code are counted.
    codes: RefCell<Vec<(B256, Code)>>,
}

impl<'a> Named<'a> {
    fn of<'t>(
        base: &'a Base<'a>,
        layouts: &Layouts,
        transactions: impl Iterator<Item = &'t Recovered> + Clone,
    ) -> Self {
        let slots = layouts.slots(transactions.clone());
        let (mut keys, mut ends) = (Vec::new(), Vec::with_capacity(slots.ends.len()));
        let mut from = 0;
        for (transaction, to) in transactions.zip(&slots.ends) {
            keys.extend(named(transaction).map(Key::Account));
            keys.extend_from_slice(&slots.keys[from..*to]);
            ends.push(keys.len());
            from = *to;
        }
        let found = base.below.snapshot.at_each(&keys);
        let found = keys.into_iter().zip(found).map(|(key, found)| match key {
            // The rows before the block's transactions write no account.
            Key::Account(_) => (key, found),
            Key::Slot(..) => (key, base.writes.get(&key).unwrap_or(found)),
        });
        let Slots { hashes, hash_ends, .. } = slots;
        let (begun, codes) = (Cell::default(), RefCell::default());
        Self { base, found: found.collect(), ends, hashes, hash_ends, begun, codes }
    }

    /// Goes on to the next transaction; the hashes that it is expected to take.
    fn go_on(&self) -> &[Hashed] {
        self.begun.set(self.begun.get() + 1);
        self.of_running(&self.hashes, &self.hash_ends)
    }

    /// Of `all`, which end at `ends` for each transaction, those of the running one.
    fn of_running<'t, T>(&self, all: &'t [T], ends: &[usize]) -> &'t [T] {
        let end = |begun: usize| begun.checked_sub(1).and_then(|at| ends.get(at)).copied().unwrap_or_default();
        let begun = self.begun.get();
        all.get(end(begun.saturating_sub(1))..end(begun)).unwrap_or_default()
    }
}

/// The addresses that a transaction names.
fn named(transaction: &Recovered) -> impl Iterator<Item = Address> {
    [Some(transaction.sender()), transaction.to().to().copied()].into_iter().flatten()
}

impl Source for Named<'_> {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        let known = self.of_running(&self.found, &self.ends).iter().find(|(named, _)| named == key);
        known.map_or_else(|| self.base.load(key), |(_, found)| Ok(*found))
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        let mut codes = self.codes.borrow_mut();
        if let Some((_, code)) = codes.iter().find(|(known, _)| known == hash) {
            return Ok(code.clone());
        }
        let code = unshared(&self.base.code(hash)?);
        if codes.len() < CODES_AT_HAND {
            codes.push((*hash, code.clone()));
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::context::result::InvalidTransaction;

    #[test]
    fn what_somebody_else_may_have_made_invalid_waits() {
        let invalid = || Err(Refused::Invalid(InvalidTransaction::NonceOverflowInTransaction));
        let (one, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let mut group = Group::new(&[0, 1, 2, 3]);
        assert_eq!(group.verdict(invalid(), one), invalid());
        assert_eq!(group.verdict(invalid(), one), invalid());
        assert_eq!(group.verdict(invalid(), other), Err(Refused::NotAccepted));
        assert_eq!(group.verdict(invalid(), one), Err(Refused::NotAccepted));
    }
}
