//! Executing transactions over nothing but the keys they ask for.
//!
//! [`RowExecutor`] runs the transactions of one row in order with revm. It asks a [`Source`] for each key once, notes what
//! came back as that key's `before`, and keeps what the row makes of it. The sequencer's source is the whole state and the
//! verifier's is what a body says that keys held: one piece of code, so both find the same keys, the same `after`s and the same fees.
//!
//! Guaranteed: a transaction that is refused leaves no trace, not even among the keys asked for. The keys of a row are the
//! union of its transactions' keys, however the transactions are grouped, because each runs with a fresh journal.

pub mod code;
pub mod ecrecover;
pub mod hashes;
pub mod rules;
pub mod state;
pub mod work;

use crate::{
    access::Access,
    params::Params,
    receipt::{Log, Receipt},
    transaction::Recovered,
};
use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes, U256};
use hashes::Hashed;
use revm::{
    context::result::{EVMError, ExecutionResult, InvalidTransaction},
    context_interface::JournalTr,
    handler::Handler,
};
use rules::{RowEvm, RowHandler};
pub use state::{Code, RowState, Source, StateError};

/// What the rules of a block need to know besides state.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// The parameters in force.
    pub params: &'a Params,
    /// The block's height: NUMBER.
    pub height: u64,
    /// The block's time in milliseconds; TIMESTAMP is its seconds.
    pub time_ms: u64,
    /// The parent's hash: what the opening row writes, and PREVRANDAO.
    pub parent: B256,
    /// The block's base fee, in wei.
    pub base_fee: u64,
}

/// Why a transaction was not executed. It left no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The transaction is not valid on this state (nonce, balance, fee, gas).
    Invalid(InvalidTransaction),
    /// The transaction asked for a key or code that the source does not give.
    State(StateError),
    /// The caller did not accept the keys that the transaction used.
    NotAccepted,
    /// The transaction would take the row above its limit of gas.
    RowGas,
    /// The transaction would take the row above its limit of work.
    RowWork,
    /// The transaction would take the row above its limit of code asked for.
    RowCode,
    /// The transaction might take the row's body above its limit.
    RowBody,
    /// revm refused the block's environment; cannot happen with a valid [`Env`].
    Engine,
}

/// One executed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// What is committed to.
    pub receipt: Receipt,
    /// Gas before refunds; never less than the gas paid for.
    pub gas_spent: u64,
    /// Work: gas spent, with each precompile at its price in a tab.
    pub work: u64,
    /// Base fee paid, in wei.
    pub base_fee: U256,
    /// Tip paid, in wei.
    pub tip: U256,
    /// What it did to state: the keys used, in the order asked for, each as the transaction found and left it. Versions are
    /// those before the row.
    pub accesses: Vec<Access>,
    /// The code that it asked for, each once.
    pub(crate) codes: Vec<B256>,
    /// The code that it deployed, in order of hashes.
    made: Vec<(B256, Code)>,
    /// Whether that it finds the same again is enough for it to do the same again: it made no account and changed no code, so
    /// nothing depends on what else its row has met.
    repeatable: bool,
}

/// What the transactions of a row did to state.
#[derive(Clone, Debug, Default)]
pub struct RowEffects {
    /// Every key used, each once, in the order in which they were first asked for.
    pub accesses: Vec<Access>,
    /// The code that was asked for and that no transaction of the row made, in order of hashes: hash, bytes.
    pub codes_used: Vec<(B256, u32)>,
    /// The code that the row's transactions deployed, in order of hashes.
    pub codes_made: Vec<(B256, Bytes)>,
}

/// Runs the transactions of one row.
pub struct RowExecutor<S: Source> {
    evm: RowEvm<S>,
    base_fee: u64,
    row_gas: u64,
    row_work: u64,
    row_code: u32,
    gas_spent: u64,
    work: u64,
}

impl<S: Source> RowExecutor<S> {
    /// An executor for one row of the block that `env` tells of, over the state that `source` gives.
    pub fn new(env: &Env<'_>, source: S) -> Self {
        Self {
            evm: rules::evm(env, RowState::new(source)),
            base_fee: env.base_fee,
            row_gas: env.params.limits.row_gas,
            row_work: env.params.limits.row_work,
            row_code: env.params.limits.row_code_bytes,
            gas_spent: 0,
            work: 0,
        }
    }

    /// The row's state so far.
    pub fn state(&mut self) -> &mut RowState<S> {
        self.evm.ctx.journaled_state.db_mut()
    }

    /// Makes room for so many more keys.
    pub(crate) fn reserve(&mut self, keys: usize) {
        self.state().reserve(keys);
    }

    /// Takes hashes that the next transaction is expected to take, so that it need not.
    pub fn expect(&mut self, hashes: &[Hashed]) {
        hashes.iter().for_each(|hashed| self.evm.ctx.chain.add(*hashed));
    }

    /// Gas spent so far, before refunds.
    pub const fn gas_spent(&self) -> u64 {
        self.gas_spent
    }

    /// Work so far, in gas.
    pub const fn work(&self) -> u64 {
        self.work
    }

    /// Executes `transaction` after those before it, if `accept` takes what it did to state.
    ///
    /// # Errors
    /// [`Refused`]; the row is then as it was before the call.
    pub fn execute(
        &mut self,
        transaction: &Recovered,
        accept: impl FnOnce(&[Access]) -> bool,
    ) -> Result<Executed, Refused> {
        self.state().begin_transaction();
        let result = self.run(transaction).and_then(|executed| {
            if !accept(&executed.accesses) {
                return Err(Refused::NotAccepted);
            }
            self.settle(&executed);
            Ok(executed)
        });
        self.evm.precompiles.reset();
        if result.is_err() {
            self.state().discard_transaction();
        }
        result
    }

    /// Does what a transaction did elsewhere, without running it, if all that this depends on is here as it was there; then the
    /// row is as [`Self::execute`] would leave it, and the answer is `true`. Otherwise the row is as it was before.
    ///
    /// `numbers` has a number for each of its accesses, in their order, that stands for the key: small ones, in the whole row the
    /// same for the same key and others for others. By these keys are found without hashing them.
    ///
    /// # Errors
    /// [`Refused`]; the row is then as it was before the call.
    pub fn repeat(&mut self, executed: &Executed, numbers: impl IntoIterator<Item = u32>) -> Result<bool, Refused> {
        if !executed.repeatable {
            return Ok(false);
        }
        self.state().begin_transaction();
        let mut found = self.state().find_again(executed, numbers).map_err(Refused::State);
        // Where it would find something else, it may spend something else.
        if found == Ok(true) {
            found = self.check_room(executed.gas_spent, executed.work).map(|()| true);
        }
        match found {
            Ok(true) => self.settle(executed),
            _ => self.state().discard_transaction(),
        }
        found
    }

    /// Runs `transaction` with a fresh journal; what it did is not in the row's state yet.
    fn run(&mut self, transaction: &Recovered) -> Result<Executed, Refused> {
        self.evm.ctx.tx = transaction.to_tx_env();
        let result = RowHandler::default().run(&mut self.evm);
        let changes = self.evm.ctx.journaled_state.finalize();
        let result = result.map_err(refusal)?;
        // Of a transaction that is mostly calldata the floor is paid (EIP-7623), which is more than it spends; a row's limit
        // bounds both.
        let gas_spent = result.gas().total_gas_spent().max(transaction.intrinsic_gas());
        let work = gas_spent.saturating_add(self.evm.precompiles.extra_work());
        self.check_room(gas_spent, work)?;
        let changed = self.state().changes(&changes).map_err(Refused::State)?;

        let gas_used = result.tx_gas_used();
        let price = transaction.effective_gas_price(self.base_fee);
        let tip = price.saturating_sub(u128::from(self.base_fee));
        Ok(Executed {
            receipt: receipt(result, gas_used),
            gas_spent,
            work,
            base_fee: U256::from(gas_used) * U256::from(self.base_fee),
            tip: U256::from(gas_used) * U256::from(tip),
            accesses: changed.accesses,
            codes: self.state().codes_asked().to_vec(),
            made: changed.made,
            repeatable: changed.repeatable,
        })
    }

    /// Whether the row has room for a transaction that spends this much, and for the code asked for by now.
    fn check_room(&mut self, gas_spent: u64, work: u64) -> Result<(), Refused> {
        if self.gas_spent.saturating_add(gas_spent) > self.row_gas {
            return Err(Refused::RowGas);
        }
        if self.work.saturating_add(work) > self.row_work {
            return Err(Refused::RowWork);
        }
        if self.state().code_bytes() > u64::from(self.row_code) {
            return Err(Refused::RowCode);
        }
        Ok(())
    }

    /// Makes what a transaction did a part of the row.
    fn settle(&mut self, executed: &Executed) {
        self.gas_spent = self.gas_spent.saturating_add(executed.gas_spent);
        self.work = self.work.saturating_add(executed.work);
        self.state().commit_transaction(executed);
    }

    /// Ends the row and begins the next one, over what `pass` makes of the source: cheaper than a new executor.
    pub fn next_row(&mut self, pass: impl FnOnce(&mut S, &RowEffects)) -> RowEffects {
        (self.gas_spent, self.work) = (0, 0);
        self.state().next_row(pass)
    }

    /// Ends the row.
    pub fn finish(self) -> RowEffects {
        self.finish_with_source().0
    }

    /// Ends the row, and gives back what its state came from.
    pub fn finish_with_source(self) -> (RowEffects, S) {
        self.evm.ctx.journaled_state.database.into_parts()
    }
}

fn refusal(error: EVMError<StateError>) -> Refused {
    match error {
        EVMError::Transaction(invalid) => Refused::Invalid(invalid),
        EVMError::Database(error) => Refused::State(error),
        _ => Refused::Engine,
    }
}

fn receipt(result: ExecutionResult, gas_used: u64) -> Receipt {
    let success = result.is_success();
    let log = |logged: revm::primitives::Log| {
        let (topics, data) = logged.data.split();
        Log { address: logged.address, topics, data }
    };
    let logs = if success { result.into_logs().into_iter().map(log).collect() } else { Vec::new() };
    Receipt { success, gas_used, logs }
}
