//! The executor: a list of transactions becomes the rows of a block.
//!
//! Chains of rows in parallel, then what surprised, then the closing row. What one block runs is bounded by its gas limit,
//! whatever waits: what finds no gas is left out, and each sender's transactions behind it. What is promised always finds some.

mod budget;
mod forecast;
mod keys;
mod layout;
mod plan;
mod recent;
#[cfg(test)]
mod schedule;
mod speculate;
#[cfg(test)]
mod tests;

use crate::state::{Overlay, Snapshot, Writes};
use alloy_primitives::{B256, U256, map::AddressSet};
use budget::Budget;
pub use forecast::Forecast;
use ocelli_core::{
    access::Access,
    evm::{Code, Env, Refused, RowEffects, Source, StateError},
    key::Key,
    row::{ExecutedRow, RowBuilder, execute_closing, execute_opening},
    transaction::Recovered,
    value::{Value, Version},
};
use plan::{AtHand, Guess, Member, Plan};
use rayon::prelude::*;
use recent::Remembered;
pub use recent::{Recent, Used};
use std::{
    cell::OnceCell,
    time::{Duration, Instant},
};

/// All rows of a block, in order, and the transactions that turned out not to be valid.
#[derive(Debug, Default)]
pub struct ExecutedBlock {
    /// Opening row, users' rows, closing row.
    pub rows: Vec<ExecutedRow>,
    /// For each row, the indexes of its transactions in the list that was executed.
    pub members: Vec<Vec<usize>>,
    /// Transactions left out, by index, with why.
    pub refused: Vec<(usize, Refused)>,
    /// Transactions that used other keys than expected and ran behind the others.
    pub surprises: usize,
    /// Transactions that ran again because they would not have found what they found when they were tried.
    pub ran_twice: usize,
    /// Lanes that the transactions fell into.
    pub lanes: usize,
    /// What the next blocks may ask for.
    pub used: Used,
    /// How long each piece of work took that could run beside the others of its phase, phase after phase: grouping transactions,
    /// trying groups of them, numbering their keys, executing chains of rows.
    pub trace: Vec<Vec<Duration>>,
}

impl ExecutedBlock {
    /// Gas of all rows, after refunds.
    pub fn gas_used(&self) -> u64 {
        self.rows.iter().map(|row| row.totals.gas_used).sum()
    }
}

/// Executes `transactions`, the first `promised` of which are promised, as one block on `snapshot`. What `forecast` learned from
/// the blocks before makes it faster, and it learns from this one. What is `recent` makes it faster if it belongs to this state.
///
/// # Errors
/// [`StateError`] if the snapshot lacks code that its state refers to.
pub fn execute(
    env: &Env<'_>,
    snapshot: &Snapshot,
    transactions: &[Recovered],
    promised: usize,
    forecast: &mut Forecast,
    recent: &Recent,
) -> Result<ExecutedBlock, StateError> {
    let mut base = Overlay::new(Remembered::new(snapshot, recent));
    let opening = execute_opening(env, &base)?;
    base.writes.apply(&opening.effects);
    let mut plan = Plan::new(env, &base, transactions, forecast);
    let refused = std::mem::take(&mut plan.refused);
    let mut trace = std::mem::take(&mut plan.phases);
    let base = AtHand { base: &base, plan: &plan };

    let promised = &transactions[..promised.min(transactions.len())];
    let budget = Budget::new(env.params.gas_limit, promised.iter().map(|one| one.gas_limit()));
    let run = |chain: &Vec<Member>| Chain::run(Run::new(env, &base, &budget), transactions, chain, &plan);
    let run_all = || plan.chains.par_iter().with_max_len(1).map(run).collect::<Vec<Chain>>();
    let learn = || {
        let started = Instant::now();
        plan.teach(transactions, forecast);
        (plan.used(), started.elapsed())
    };
    let (chains, (used, taught)) = rayon::join(run_all, learn);
    trace.push(chains.iter().map(|chain| chain.took).chain([taught]).collect());
    let mut block = ExecutedBlock {
        rows: vec![opening],
        members: vec![Vec::new()],
        refused,
        lanes: plan.lanes.len(),
        used,
        trace,
        ..ExecutedBlock::default()
    };
    let mut late: Vec<usize> = Vec::new();
    for mut chain in chains {
        late.append(&mut chain.late);
        block.take(chain);
    }
    late.sort_unstable();
    block.surprises = late.len();
    let state = AfterChains { base: &base, rows: &block.rows, writes: OnceCell::new() };
    let last = Chain::run_alone(Run::new(env, &state, &budget), transactions, &late);

    let rows = || block.rows.iter().chain(&last.rows);
    let sum = |of: fn(&ExecutedRow) -> U256| rows().fold(U256::ZERO, |sum, row| sum + of(row));
    let (base_fees, tips) = (sum(|row| row.totals.base_fees), sum(|row| row.totals.tips));
    let after_all = Overlay { below: &state, writes: Writes::of(&last.rows) };
    let closing = execute_closing(env, after_all, base_fees, tips)?;
    block.take(last);
    block.rows.push(closing);
    block.members.push(Vec::new());
    plan.free();
    Ok(block)
}

impl ExecutedBlock {
    /// Takes what became of a chain.
    fn take(&mut self, chain: Chain) {
        self.rows.extend(chain.rows);
        self.members.extend(chain.members);
        self.refused.extend(chain.refused);
        self.ran_twice += chain.ran_twice;
    }
}

/// The state after chains that ran side by side, of which few ask anything.
struct AfterChains<'a> {
    base: &'a AtHand<'a>,
    /// The opening row, and those of the chains.
    rows: &'a [ExecutedRow],
    /// What these wrote, once somebody asks.
    writes: OnceCell<Writes>,
}

impl AfterChains<'_> {
    fn writes(&self) -> &Writes {
        self.writes.get_or_init(|| Writes::of(self.rows))
    }
}

impl Source for AfterChains<'_> {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        // What was not planned, no chain used.
        let written = if self.base.plan.knows(key) { self.writes().get(key) } else { None };
        written.map_or_else(|| self.base.load(key), Ok)
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.base.code(hash).or_else(|missing| self.writes().code(hash).ok_or(missing))
    }
}

/// What became of one chain of transactions.
#[derive(Debug, Default)]
struct Chain {
    rows: Vec<ExecutedRow>,
    members: Vec<Vec<usize>>,
    refused: Vec<(usize, Refused)>,
    /// Transactions that used keys of another lane, and those of the same sender after them.
    late: Vec<usize>,
    /// Transactions that ran though they had been tried.
    ran_twice: usize,
    took: Duration,
}

impl Chain {
    fn run<S: Source>(mut run: Run<'_, S>, transactions: &[Recovered], chain: &[Member], plan: &Plan) -> Self {
        let started = Instant::now();
        run.reserve(chain, plan);
        let mut late_senders = AddressSet::default();
        let mut late = Vec::new();
        let mut full = false;
        for member in chain {
            #[cfg(test)]
            schedule::hold_up();
            if full && !run.budget.is_promised(member.at) {
                continue;
            }
            let transaction = &transactions[member.at];
            if late_senders.contains(&transaction.sender()) {
                late.push(member.at);
                continue;
            }
            match run.push(member.at, transaction, Some(plan), |used| plan.allows(member.lane, used)) {
                Pushed::Done => {}
                Pushed::Surprised => {
                    late_senders.insert(transaction.sender());
                    late.push(member.at);
                }
                Pushed::BlockIsFull => full = true,
            }
        }
        let chain = run.finish();
        Self { late, took: started.elapsed(), ..chain }
    }

    fn run_alone<S: Source>(mut run: Run<'_, S>, transactions: &[Recovered], members: &[usize]) -> Self {
        for at in members {
            if matches!(run.push(*at, &transactions[*at], None, |_| true), Pushed::BlockIsFull) {
                break;
            }
        }
        run.finish()
    }
}

/// What became of a transaction.
enum Pushed {
    /// It is in a row, or refused.
    Done,
    /// It used keys that it must not use here.
    Surprised,
    /// It did not run, and nothing behind it must that is not promised: it may be the same sender's.
    BlockIsFull,
}

/// The rows of a chain under construction.
struct Run<'a, S: Source> {
    env: &'a Env<'a>,
    budget: &'a Budget,
    row: RowBuilder<Overlay<&'a S>>,
    /// The transactions of the row.
    members: Vec<usize>,
    chain: Chain,
}

impl<'a, S: Source> Run<'a, S> {
    fn new(env: &'a Env<'a>, below: &'a S, budget: &'a Budget) -> Self {
        let row = RowBuilder::new(env, Overlay::new(below));
        Self { env, budget, row, members: Vec::new(), chain: Chain::default() }
    }

    /// Makes room for the first row of `chain`, or for all of it where it is shorter.
    fn reserve(&mut self, chain: &[Member], plan: &Plan) {
        let row = &chain[..chain.len().min(self.env.params.limits.row_transactions as usize)];
        let uses = row.iter().filter_map(|member| plan.guess(member.at)).map(|(_, uses)| uses.len());
        self.row.reserve(row.len(), uses.sum());
        self.members.reserve(row.len());
    }

    /// Executes the next transaction, in a further row where this one is full, if the block has gas for it. What it did when it
    /// was tried, by the plan, counts where it would do the same.
    fn push(
        &mut self,
        at: usize,
        transaction: &Recovered,
        plan: Option<&Plan>,
        accept: impl Fn(&[Access]) -> bool,
    ) -> Pushed {
        let limit = transaction.gas_limit();
        if !self.budget.set_aside(at, limit) {
            return Pushed::BlockIsFull;
        }
        let guess = plan.and_then(|plan| plan.guess(at));
        let result = self.execute(transaction, guess, accept);
        match &result {
            Ok(gas_spent) => self.budget.spent(limit, *gas_spent),
            Err(Refused::Invalid(_)) => self.budget.unused(limit),
            Err(_) => self.budget.wasted(at, limit),
        }
        match result {
            Ok(_) => self.members.push(at),
            Err(Refused::NotAccepted) => return Pushed::Surprised,
            Err(refused) => self.chain.refused.push((at, refused)),
        }
        Pushed::Done
    }

    /// How much gas was spent.
    fn execute(
        &mut self,
        transaction: &Recovered,
        guess: Option<Guess<'_>>,
        accept: impl Fn(&[Access]) -> bool,
    ) -> Result<u64, Refused> {
        if self.row.len() >= self.env.params.limits.row_transactions as usize {
            self.go_on();
        }
        let result = self.execute_in_row(transaction, guess, &accept);
        if matches!(result, Err(Refused::RowGas | Refused::RowWork | Refused::RowCode | Refused::RowBody))
            && !self.row.is_empty()
        {
            self.go_on();
            return self.execute_in_row(transaction, guess, &accept);
        }
        result
    }

    fn execute_in_row(
        &mut self,
        transaction: &Recovered,
        guess: Option<Guess<'_>>,
        accept: impl Fn(&[Access]) -> bool,
    ) -> Result<u64, Refused> {
        if let Some((did, uses)) = guess {
            // The plan was made for this, so it is acceptable as it is.
            if self.row.repeat(transaction, did, uses.iter().map(|(number, _)| *number))? {
                return Ok(did.gas_spent);
            }
        }
        self.chain.ran_twice += 1;
        self.row.push_if(transaction, accept).map(|executed| executed.gas_spent)
    }

    /// Ends the row, and begins another one of the same chain.
    fn go_on(&mut self) {
        self.close_row(|state, effects| state.writes.apply(effects));
    }

    fn close_row(&mut self, pass: impl FnOnce(&mut Overlay<&'a S>, &RowEffects)) {
        if !self.row.is_empty() {
            self.chain.rows.push(self.row.next_row(pass));
            self.chain.members.push(std::mem::take(&mut self.members));
        }
    }

    fn finish(mut self) -> Chain {
        self.close_row(|_, _| ());
        self.chain
    }
}
