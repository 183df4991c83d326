//! The executor: a list of transactions becomes the rows of a block.
//!
//! Chains of rows in parallel, then what surprised, then the closing row. What one block runs is bounded by its gas limit,
//! whatever waits: what finds no gas is left out, and each sender's transactions behind it. What is promised always finds some.

mod budget;
mod forecast;
mod plan;
mod speculate;
#[cfg(test)]
mod tests;

use crate::state::{Layers, Overlay, Snapshot, Writes};
use alloy_primitives::{U256, map::AddressSet};
use budget::Budget;
pub use forecast::Forecast;
use ocelli_core::{
    access::Access,
    evm::{Env, Executed, Refused, Source, StateError},
    row::{ExecutedRow, RowBuilder, execute_closing, execute_opening},
    transaction::Recovered,
};
use plan::{AtHand, Member, Plan};
use rayon::prelude::*;
use std::time::{Duration, Instant};

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
    /// How long what could run side by side took.
    pub trace: Trace,
}

/// How long each piece of work took that could run beside the others of its phase.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Speculation: each chunk of groups.
    pub tried: Vec<Duration>,
    /// Execution: each chain of rows.
    pub ran: Vec<Duration>,
}

impl ExecutedBlock {
    /// Gas of all rows, after refunds.
    pub fn gas_used(&self) -> u64 {
        self.rows.iter().map(|row| row.totals.gas_used).sum()
    }
}

/// Executes `transactions`, the first `promised` of which are promised, as one block on `snapshot`. What `forecast` learned from
/// the blocks before makes it faster, and it learns from this one.
///
/// # Errors
/// [`StateError`] if the snapshot lacks code that its state refers to.
pub fn execute(
    env: &Env<'_>,
    snapshot: &Snapshot,
    transactions: &[Recovered],
    promised: usize,
    forecast: &mut Forecast,
) -> Result<ExecutedBlock, StateError> {
    let mut base = Overlay::new(snapshot);
    let opening = execute_opening(env, &base)?;
    base.writes.apply(&opening.effects);
    let mut plan = Plan::new(env, &base, transactions, forecast);
    let refused = std::mem::take(&mut plan.refused);
    let tried = std::mem::take(&mut plan.tried);
    let base = AtHand { base: &base, plan: &plan };

    let promised = &transactions[..promised.min(transactions.len())];
    let budget = Budget::new(env.params.gas_limit, promised.iter().map(|one| one.gas_limit()));
    let run = |chain: &Vec<Member>| Chain::run(Run::new(env, &base, &budget), transactions, chain, &plan);
    let chains: Vec<Chain> = plan.chains.par_iter().map(run).collect();
    let mut block = ExecutedBlock {
        rows: vec![opening],
        members: vec![Vec::new()],
        refused,
        lanes: plan.lanes,
        trace: Trace { tried, ran: chains.iter().map(|chain| chain.took).collect() },
        ..ExecutedBlock::default()
    };
    let mut late: Vec<usize> = Vec::new();
    let mut layers: Vec<Writes> = Vec::with_capacity(chains.len() + 1);
    for mut chain in chains {
        late.append(&mut chain.late);
        layers.push(block.take(chain));
    }
    late.sort_unstable();
    block.surprises = late.len();
    if !late.is_empty() {
        let state = Layers { below: &base, layers: &layers };
        let last = Chain::run_alone(Run::new(env, &state, &budget), transactions, &late);
        layers.push(block.take(last));
    }

    let sum = |of: fn(&ExecutedRow) -> U256| block.rows.iter().fold(U256::ZERO, |sum, row| sum + of(row));
    let (base_fees, tips) = (sum(|row| row.totals.base_fees), sum(|row| row.totals.tips));
    let closing = execute_closing(env, Layers { below: &base, layers: &layers }, base_fees, tips)?;
    block.rows.push(closing);
    block.members.push(Vec::new());
    Ok(block)
}

impl ExecutedBlock {
    /// Takes the rows of a chain, and gives what they wrote.
    fn take(&mut self, chain: Chain) -> Writes {
        self.rows.extend(chain.rows);
        self.members.extend(chain.members);
        self.refused.extend(chain.refused);
        self.ran_twice += chain.ran_twice;
        chain.writes
    }
}

/// What became of one chain of transactions.
#[derive(Debug, Default)]
struct Chain {
    rows: Vec<ExecutedRow>,
    members: Vec<Vec<usize>>,
    writes: Writes,
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
        let mut late_senders = AddressSet::default();
        let mut late = Vec::new();
        let mut full = false;
        for member in chain {
            if full && !run.budget.is_promised(member.at) {
                continue;
            }
            let transaction = &transactions[member.at];
            if late_senders.contains(&transaction.sender()) {
                late.push(member.at);
                continue;
            }
            let guess = plan.guesses.get(member.at).and_then(Option::as_deref);
            match run.push(member.at, transaction, guess, |used| plan.allows(member.lane, used)) {
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

    /// Executes the next transaction, in a further row where this one is full, if the block has gas for it. What it did when it
    /// was tried counts where it would do the same.
    fn push(
        &mut self,
        at: usize,
        transaction: &Recovered,
        guess: Option<&Executed>,
        accept: impl Fn(&[Access]) -> bool,
    ) -> Pushed {
        let limit = transaction.gas_limit();
        if !self.budget.set_aside(at, limit) {
            return Pushed::BlockIsFull;
        }
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
        guess: Option<&Executed>,
        accept: impl Fn(&[Access]) -> bool,
    ) -> Result<u64, Refused> {
        if self.row.len() >= self.env.params.limits.row_transactions as usize {
            self.close_row();
        }
        let result = self.execute_in_row(transaction, guess, &accept);
        if matches!(result, Err(Refused::RowGas | Refused::RowWork | Refused::RowCode | Refused::RowBody))
            && !self.row.is_empty()
        {
            self.close_row();
            return self.execute_in_row(transaction, guess, &accept);
        }
        result
    }

    fn execute_in_row(
        &mut self,
        transaction: &Recovered,
        guess: Option<&Executed>,
        accept: impl Fn(&[Access]) -> bool,
    ) -> Result<u64, Refused> {
        if let Some(guess) = guess {
            // The plan was made for this, so it is acceptable as it is.
            if self.row.repeat(transaction, guess)? {
                return Ok(guess.gas_spent);
            }
        }
        self.chain.ran_twice += 1;
        self.row.push_if(transaction, accept).map(|executed| executed.gas_spent)
    }

    fn close_row(&mut self) {
        if self.row.is_empty() {
            return;
        }
        self.chain.rows.push(self.row.next_row(|state, effects| state.writes.apply(effects)));
        self.chain.members.push(std::mem::take(&mut self.members));
    }

    fn finish(mut self) -> Chain {
        self.close_row();
        Chain { writes: self.row.finish_with_source().1.writes, ..self.chain }
    }
}
