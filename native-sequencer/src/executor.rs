//! The executor: a list of transactions becomes the rows of a block.
//!
//! Chains of rows in parallel, then what surprised, then the closing row. What one block runs is bounded by its gas limit,
//! whatever waits: what finds no gas is left out, and each sender's transactions behind it.

mod budget;
pub mod plan;
#[cfg(test)]
mod tests;

use crate::state::{Overlay, Snapshot};
use alloy_primitives::{Address, U256};
use budget::Budget;
use ocelli_core::{
    evm::{Env, Executed, Refused, StateError},
    row::{ExecutedRow, RowBuilder, execute_closing, execute_opening},
    transaction::Recovered,
};
use plan::Plan;
use rayon::prelude::*;
use std::collections::HashSet;

/// A row and the senders of its transactions.
#[derive(Clone, Debug)]
pub struct SentRow {
    /// The row.
    pub row: ExecutedRow,
    /// For each transaction, who sent it.
    pub senders: Vec<Address>,
}

/// All rows of a block, in order, and the transactions that turned out not to be valid.
#[derive(Debug, Default)]
pub struct ExecutedBlock {
    /// Opening row, users' rows, closing row.
    pub rows: Vec<SentRow>,
    /// Transactions left out, by index, with why.
    pub refused: Vec<(usize, Refused)>,
    /// Transactions that used other keys than expected and ran behind the others.
    pub surprises: usize,
    /// Lanes that the transactions fell into.
    pub lanes: usize,
}

impl ExecutedBlock {
    /// Gas of all rows, after refunds.
    pub fn gas_used(&self) -> u64 {
        self.rows.iter().map(|sent| sent.row.totals.gas_used).sum()
    }
}

/// Executes `transactions` as one block on `snapshot`.
///
/// # Errors
/// [`StateError`] if the snapshot lacks code that its state refers to.
pub fn execute(env: &Env<'_>, snapshot: &Snapshot, transactions: &[Recovered]) -> Result<ExecutedBlock, StateError> {
    let mut plan = Plan::new(env, snapshot, transactions);
    let mut base = Overlay::new(snapshot.clone());
    let opening = execute_opening(env, &base)?;
    base.apply(&opening.effects.accesses, &opening.effects.codes_made);

    let budget = Budget::new(env.params.gas_limit);
    let run = |chain: &Vec<(usize, u32)>| Chain::run(Run::new(env, &base, &budget), transactions, chain, &plan);
    let chains: Vec<Chain> = plan.chains.par_iter().map(run).collect();
    let mut block = ExecutedBlock {
        rows: vec![SentRow { row: opening, senders: Vec::new() }],
        refused: std::mem::take(&mut plan.refused),
        lanes: plan.lanes,
        ..ExecutedBlock::default()
    };
    let mut late: Vec<usize> = Vec::new();
    for chain in chains {
        late.extend(&chain.late);
        block.take(chain, &mut base);
    }
    late.sort_unstable();
    block.surprises = late.len();
    if !late.is_empty() {
        let last = Chain::run_alone(Run::new(env, &base, &budget), transactions, &late);
        block.take(last, &mut base);
    }

    let sum = |of: fn(&ExecutedRow) -> U256| block.rows.iter().fold(U256::ZERO, |sum, sent| sum + of(&sent.row));
    let (base_fees, tips) = (sum(|row| row.totals.base_fees), sum(|row| row.totals.tips));
    let closing = execute_closing(env, &base, base_fees, tips)?;
    block.rows.push(SentRow { row: closing, senders: Vec::new() });
    Ok(block)
}

impl ExecutedBlock {
    fn take(&mut self, chain: Chain, base: &mut Overlay) {
        for sent in &chain.rows {
            base.apply(&sent.row.effects.accesses, &sent.row.effects.codes_made);
        }
        self.rows.extend(chain.rows);
        self.refused.extend(chain.refused);
    }
}

/// What became of one chain of transactions.
#[derive(Debug, Default)]
struct Chain {
    rows: Vec<SentRow>,
    refused: Vec<(usize, Refused)>,
    /// Transactions that used keys of another lane, and those of the same sender after them.
    late: Vec<usize>,
}

impl Chain {
    fn run(mut run: Run<'_>, transactions: &[Recovered], chain: &[(usize, u32)], plan: &Plan) -> Self {
        let mut late_senders: HashSet<Address> = HashSet::new();
        let mut late = Vec::new();
        for (at, lane) in chain {
            let transaction = &transactions[*at];
            if late_senders.contains(&transaction.sender()) {
                late.push(*at);
                continue;
            }
            match run.push(*at, transaction, |used| plan.allows(*lane, used)) {
                Pushed::Done => {}
                Pushed::Surprised => {
                    late_senders.insert(transaction.sender());
                    late.push(*at);
                }
                Pushed::BlockIsFull => break,
            }
        }
        Self { late, ..run.finish() }
    }

    fn run_alone(mut run: Run<'_>, transactions: &[Recovered], members: &[usize]) -> Self {
        for at in members {
            if matches!(run.push(*at, &transactions[*at], |_| true), Pushed::BlockIsFull) {
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
    /// It did not run, and nothing behind it must.
    BlockIsFull,
}

/// The rows of a chain under construction.
struct Run<'a> {
    env: &'a Env<'a>,
    budget: &'a Budget,
    state: Overlay,
    row: RowBuilder<Overlay>,
    senders: Vec<Address>,
    chain: Chain,
}

impl<'a> Run<'a> {
    fn new(env: &'a Env<'a>, base: &Overlay, budget: &'a Budget) -> Self {
        Self {
            env,
            budget,
            state: base.clone(),
            row: RowBuilder::new(env, base.clone()),
            senders: Vec::new(),
            chain: Chain::default(),
        }
    }

    /// Executes the next transaction, in a further row where this one is full, if the block has gas for it.
    fn push(
        &mut self,
        at: usize,
        transaction: &Recovered,
        accept: impl Fn(&[(ocelli_core::key::Key, bool)]) -> bool,
    ) -> Pushed {
        let limit = transaction.gas_limit();
        if !self.budget.set_aside(limit) {
            return Pushed::BlockIsFull;
        }
        let result = self.execute(transaction, accept);
        match &result {
            Ok(executed) => self.budget.spent(limit, executed.gas_spent),
            Err(Refused::Invalid(_)) => self.budget.unused(limit),
            Err(_) => self.budget.wasted(limit),
        }
        match result {
            Ok(_) => self.senders.push(transaction.sender()),
            Err(Refused::NotAccepted) => return Pushed::Surprised,
            Err(refused) => self.chain.refused.push((at, refused)),
        }
        Pushed::Done
    }

    fn execute(
        &mut self,
        transaction: &Recovered,
        accept: impl Fn(&[(ocelli_core::key::Key, bool)]) -> bool,
    ) -> Result<Executed, Refused> {
        if self.row.len() >= self.env.params.limits.row_transactions as usize {
            self.close_row();
        }
        let result = self.row.push_if(transaction, &accept);
        if matches!(result, Err(Refused::RowGas | Refused::RowWork | Refused::RowCode | Refused::RowBody))
            && !self.row.is_empty()
        {
            self.close_row();
            return self.row.push_if(transaction, &accept);
        }
        result
    }

    fn close_row(&mut self) {
        let row = std::mem::replace(&mut self.row, RowBuilder::new(self.env, self.state.clone())).finish();
        if row.transactions.is_empty() {
            return;
        }
        self.state.apply(&row.effects.accesses, &row.effects.codes_made);
        self.row = RowBuilder::new(self.env, self.state.clone());
        self.chain.rows.push(SentRow { row, senders: std::mem::take(&mut self.senders) });
    }

    fn finish(mut self) -> Chain {
        self.close_row();
        self.chain
    }
}
