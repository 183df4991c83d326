//! Rows: short lists of transactions executed in order, with the accesses they make; the unit of execution.
//!
//! [`verify_row`] is one of the two checks: told what was before, it finds out what is after.

pub mod body;
pub mod check;

pub use body::{CodeRef, ListError, Listed, RowBody};
pub use check::{CellProof, RowFault, RowHeaderField, RowTask, execute_row, verify_row};

use crate::{
    access::Access,
    evm::{Env, Executed, Refused, RowEffects, RowExecutor, Source, StateError, rules},
    manifest::{RowHeader, RowKind},
    merkle,
    params::Params,
    receipt::Receipt,
    transaction::Recovered,
    wire,
};
use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes, U256};

/// Sums over the transactions of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowTotals {
    /// Gas, after refunds.
    pub gas_used: u64,
    /// Work.
    pub work: u64,
    /// Base fees, in wei.
    pub base_fees: U256,
    /// Tips, in wei.
    pub tips: U256,
}

impl RowTotals {
    fn add(&mut self, executed: &Executed) {
        self.gas_used = self.gas_used.saturating_add(executed.receipt.gas_used);
        self.work = self.work.saturating_add(executed.work);
        self.base_fees = self.base_fees.saturating_add(executed.base_fee);
        self.tips = self.tips.saturating_add(executed.tip);
    }
}

/// A row that was executed: what its header and body are made of.
#[derive(Clone, Debug)]
pub struct ExecutedRow {
    /// What the row is for.
    pub kind: RowKind,
    /// The EIP-2718 bytes of its transactions.
    pub transactions: Vec<Bytes>,
    /// A receipt for each transaction.
    pub receipts: Vec<Receipt>,
    /// Sums over the transactions.
    pub totals: RowTotals,
    /// What the row did to state.
    pub effects: RowEffects,
}

impl ExecutedRow {
    /// The row's body: what its check cannot compute.
    pub fn body(&self) -> RowBody {
        RowBody::new(self.transactions.clone(), &self.effects)
    }

    /// The encoding of the row's body.
    pub fn encoded_body(&self) -> Vec<u8> {
        let body = self.body();
        wire::encode_about(&body, body.bytes_about())
    }

    /// The row's header, given the hash of its body's encoding.
    pub fn header(&self, body_hash: B256) -> RowHeader {
        RowHeader {
            kind: self.kind,
            tx_count: self.transactions.len() as u32,
            log_count: self.receipts.iter().map(|receipt| receipt.logs.len() as u32).sum(),
            gas_used: self.totals.gas_used,
            work: self.totals.work,
            base_fees: self.totals.base_fees,
            tips: self.totals.tips,
            txs_root: merkle::root(&transaction_leaves(&self.transactions)),
            receipts_root: merkle::root(&receipt_leaves(&self.receipts)),
            access_count: self.effects.accesses.len() as u32,
            body_hash,
        }
    }
}

/// The leaf hashes of a row's transactions tree.
pub fn transaction_leaves(transactions: &[Bytes]) -> Vec<B256> {
    merkle::leaf_hashes(transactions)
}

/// The leaf hashes of a row's receipts tree.
pub fn receipt_leaves(receipts: &[Receipt]) -> Vec<B256> {
    merkle::leaf_hashes(receipts.iter().map(Receipt::leaf))
}

/// Whether `transaction` is certain to fit into the body of a row of its own, if it uses so many keys.
pub fn fits_a_body(params: &Params, transaction: &Recovered, keys: usize) -> bool {
    let transaction = transaction.transaction().encoded().len() + body::BYTES_A_TRANSACTION;
    body::BYTES_WITHOUT_CONTENT + transaction + keys * body::BYTES_A_KEY <= params.limits.row_body_bytes as usize
}

/// Builds a row of users' transactions one by one; what does not fit or is not valid is refused and leaves no trace.
pub struct RowBuilder<S: Source> {
    executor: RowExecutor<S>,
    transactions: Vec<Bytes>,
    receipts: Vec<Receipt>,
    totals: RowTotals,
    body_limit: usize,
    /// No less than the length of the body so far.
    body_bytes: usize,
}

impl<S: Source> RowBuilder<S> {
    /// An empty row of the block that `env` tells of.
    pub fn new(env: &Env<'_>, source: S) -> Self {
        Self {
            executor: RowExecutor::new(env, source),
            transactions: Vec::new(),
            receipts: Vec::new(),
            totals: RowTotals::default(),
            body_limit: env.params.limits.row_body_bytes as usize,
            body_bytes: body::BYTES_WITHOUT_CONTENT,
        }
    }

    /// Makes room for so many more transactions that use so many keys together.
    pub fn reserve(&mut self, transactions: usize, keys: usize) {
        self.transactions.reserve(transactions);
        self.receipts.reserve(transactions);
        self.executor.reserve(keys);
    }

    /// Executes `transaction` as the next of the row.
    ///
    /// # Errors
    /// [`Refused`]; the row is then as it was.
    pub fn push(&mut self, transaction: &Recovered) -> Result<Executed, Refused> {
        let executed = self.executor.execute(transaction, |_| true)?;
        self.take(transaction, &executed);
        Ok(executed)
    }

    /// Executes `transaction` as the next of the row, if `accept` takes what it did to state and the row's body is certain to
    /// stay within its limit.
    ///
    /// # Errors
    /// [`Refused`]; the row is then as it was.
    pub fn push_if(
        &mut self,
        transaction: &Recovered,
        accept: impl FnOnce(&[Access]) -> bool,
    ) -> Result<Executed, Refused> {
        let (before, limit) = (self.body_bytes_with(transaction), self.body_limit);
        let mut fits = true;
        let result = self.executor.execute(transaction, |used| {
            fits = before + used.len() * body::BYTES_A_KEY <= limit;
            fits && accept(used)
        });
        let executed = result.map_err(|refused| if fits { refused } else { Refused::RowBody })?;
        self.take(transaction, &executed);
        Ok(executed)
    }

    /// Makes `transaction` the next of the row without running it, if what it did elsewhere is what it would do here, and says
    /// whether it is; if it is not, the row is as it was. `numbers` stand for its keys, as for [`RowExecutor::repeat`].
    ///
    /// # Errors
    /// [`Refused`]; the row is then as it was.
    pub fn repeat(
        &mut self,
        transaction: &Recovered,
        executed: &Executed,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<bool, Refused> {
        let bytes = self.body_bytes_with(transaction) + executed.accesses.len() * body::BYTES_A_KEY;
        if bytes > self.body_limit {
            // Alone in a row it may use other keys than elsewhere.
            return if self.is_empty() { Ok(false) } else { Err(Refused::RowBody) };
        }
        let repeated = self.executor.repeat(executed, numbers)?;
        if repeated {
            self.take(transaction, executed);
        }
        Ok(repeated)
    }

    /// No less than the length of the body with this transaction too, its keys not counted.
    fn body_bytes_with(&self, transaction: &Recovered) -> usize {
        self.body_bytes + transaction.transaction().encoded().len() + body::BYTES_A_TRANSACTION
    }

    fn take(&mut self, transaction: &Recovered, executed: &Executed) {
        self.body_bytes = self.body_bytes_with(transaction) + executed.accesses.len() * body::BYTES_A_KEY;
        self.transactions.push(transaction.transaction().encoded().clone());
        self.receipts.push(executed.receipt.clone());
        self.totals.add(executed);
    }

    /// Transactions so far.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether the row has no transaction yet.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Gas spent so far, before refunds.
    pub const fn gas_spent(&self) -> u64 {
        self.executor.gas_spent()
    }

    /// Ends the row.
    pub fn finish(self) -> ExecutedRow {
        self.finish_with_source().0
    }

    /// Ends the row and begins the next one, over what `pass` makes of the source.
    pub fn next_row(&mut self, pass: impl FnOnce(&mut S, &RowEffects)) -> ExecutedRow {
        self.body_bytes = body::BYTES_WITHOUT_CONTENT;
        ExecutedRow {
            kind: RowKind::User,
            transactions: core::mem::take(&mut self.transactions),
            receipts: core::mem::take(&mut self.receipts),
            totals: core::mem::take(&mut self.totals),
            effects: self.executor.next_row(pass),
        }
    }

    /// Ends the row, and gives back what its state came from.
    pub fn finish_with_source(self) -> (ExecutedRow, S) {
        let (effects, source) = self.executor.finish_with_source();
        let row = ExecutedRow {
            kind: RowKind::User,
            transactions: self.transactions,
            receipts: self.receipts,
            totals: self.totals,
            effects,
        };
        (row, source)
    }
}

/// Executes the opening row.
///
/// # Errors
/// [`StateError`] if the source does not list what the row uses.
pub fn execute_opening<S: Source>(env: &Env<'_>, source: S) -> Result<ExecutedRow, StateError> {
    let mut executor = RowExecutor::new(env, source);
    rules::open_block(env, executor.state())?;
    Ok(system_row(RowKind::Opening, executor))
}

/// Executes the closing row of a block whose rows paid `base_fees` and `tips`.
///
/// # Errors
/// [`StateError`] if the source does not list what the row uses.
pub fn execute_closing<S: Source>(
    env: &Env<'_>,
    source: S,
    base_fees: U256,
    tips: U256,
) -> Result<ExecutedRow, StateError> {
    let mut executor = RowExecutor::new(env, source);
    rules::close_block(env, executor.state(), base_fees, tips)?;
    Ok(system_row(RowKind::Closing, executor))
}

fn system_row<S: Source>(kind: RowKind, executor: RowExecutor<S>) -> ExecutedRow {
    ExecutedRow {
        kind,
        transactions: Vec::new(),
        receipts: Vec::new(),
        totals: RowTotals::default(),
        effects: executor.finish(),
    }
}
