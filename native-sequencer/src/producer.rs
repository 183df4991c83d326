//! The producer: takes transactions from the pool and makes blocks of them, one every 100 ms while there is work.
//!
//! ```text
//! pool ─► plan (speculate, lanes, chains) ─► execute (rows) ─► assemble (columns, roots) ─► sign ─► store ─► publish
//! ```
//!
//! It runs on a thread of its own and is the only one that writes the chain. A block is published after the store has made
//! it durable, never before.

pub mod lie;

use crate::{
    block::{Damaged, SealedBlock},
    chain::{Chain, Head},
    executor::{self, ExecutedBlock, Forecast},
    limits,
    pool::{Pool, Taken},
    store::{Store, StoreError},
    threads::AllThreads,
};
use lie::Lie;
use ocelli_core::{
    block::assemble_by,
    column::SplitError,
    evm::{Env, Refused, StateError},
    header::SignedHeader,
    signature::SecretKey,
    transaction::Recovered,
};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Why the producer stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// A block could not be made durable.
    #[error("the store failed: {0}. Nothing of the block was published; restart once the disk is well")]
    Store(#[from] StoreError),
    /// The parts of the block that was just made do not fit together: a bug, caught before anything was published.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The state refers to code that the store does not have.
    #[error("the store lacks something that its state refers to: {0}")]
    State(StateError),
    /// The sequencer's own key could not sign.
    #[error("the sequencer's key does not belong to the chain's parameters")]
    Key,
}

/// Makes the blocks of a chain.
#[derive(Debug)]
pub struct Producer {
    chain: Arc<Chain>,
    pool: Arc<Pool>,
    store: Arc<Store>,
    key: Arc<SecretKey>,
    term: u64,
    lie: Option<Lie>,
    forecast: Forecast,
}

impl Producer {
    /// A producer that goes on from the chain's head, signing with `key`.
    ///
    /// # Errors
    /// [`ProducerError::Key`] if headers signed with `key` would not be the chain's.
    pub fn new(
        chain: Arc<Chain>,
        pool: Arc<Pool>,
        store: Arc<Store>,
        key: Arc<SecretKey>,
        lie: Option<Lie>,
    ) -> Result<Self, ProducerError> {
        if key.address() != chain.config().params.sequencer {
            return Err(ProducerError::Key);
        }
        let term = chain.head().header.term;
        Ok(Self { chain, pool, store, key, term, lie, forecast: Forecast::default() })
    }

    /// The term of the blocks that it makes.
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// Goes on in the next term: what else was signed at the heights to come is no equivocation then.
    pub fn raise_term(&mut self) {
        self.term = self.term.saturating_add(1);
        tracing::info!(term = self.term, "the next block begins this term");
    }

    /// Makes blocks until `stopped` says so; a block under way is finished.
    ///
    /// # Errors
    /// [`ProducerError`]; what was published before stays.
    pub fn run(&mut self, stopped: impl Fn() -> bool) -> Result<(), ProducerError> {
        let block_time = Duration::from_millis(limits::BLOCK_TIME_MS);
        let mut last = Instant::now().checked_sub(block_time);
        while !stopped() {
            if !self.pool.wait_for_work(block_time) {
                continue;
            }
            if let Some(rest) = last.and_then(|last| block_time.checked_sub(last.elapsed())) {
                std::thread::sleep(rest);
            }
            last = Some(Instant::now());
            self.make_block()?;
        }
        Ok(())
    }

    /// Makes and publishes the next block of what the pool has ready, if that comes to at least one transaction.
    ///
    /// # Errors
    /// [`ProducerError`]; nothing was published then.
    pub fn make_block(&mut self) -> Result<Option<Arc<SealedBlock>>, ProducerError> {
        let chain = self.chain.clone();
        let head = chain.head();
        let time_ms = now_ms().max(head.header.time_ms.saturating_add(1));
        let env = Env::after(chain.config(), &head.header, time_ms);
        let Taken { mut transactions, promised } = self.pool.take(limits::BLOCK_TRANSACTIONS, env.base_fee);
        let started = Instant::now();
        let Some((executed, assembled, ancestors)) = self.fit(&env, &head, &mut transactions, promised)? else {
            self.pool.none_made();
            return Ok(None);
        };
        let signature = self.key.sign(&assembled.header.hash());
        let signed = SignedHeader { header: assembled.header.clone(), signature };
        let order = (executed.lanes, executed.surprises, executed.ran_twice);
        let block = SealedBlock::made(signed, head.ancestors.clone(), &assembled, executed, &transactions)?;
        let block = Arc::new(block);
        let made = started.elapsed();
        self.store.append(&block, &assembled.writes)?;
        let head = Head { header: assembled.header, hash: block.hash, state: assembled.state, ancestors };
        chain.publish(block.clone(), head);
        self.pool.sealed(&block, &assembled.writes);
        report(&block, order, made, started.elapsed());
        Ok(Some(block))
    }

    /// Executes and assembles as many of `transactions` as one block holds; `None` if that is none. Where the first `promised`
    /// would not all be in, fewer others are, none in the end: together they fit.
    ///
    /// Only the last attempt drops what it refused: what a longer one refused may be valid without what that one had too.
    fn fit(
        &mut self,
        env: &Env<'_>,
        head: &Head,
        transactions: &mut Vec<Recovered>,
        promised: usize,
    ) -> Result<Option<(ExecutedBlock, ocelli_core::block::AssembledBlock, ocelli_core::merkle::Frontier)>, ProducerError>
    {
        let snapshot = self.chain.snapshot();
        while !transactions.is_empty() {
            let first = promised.min(transactions.len());
            let executed = executor::execute(env, &snapshot, transactions, first, &mut self.forecast);
            let mut executed = executed.map_err(ProducerError::State)?;
            let fewer = if transactions.len() > promised {
                (transactions.len() / 2).max(promised)
            } else {
                transactions.len() / 2
            };
            let left_out = executed.members.iter().flatten().filter(|at| **at < promised).count() < promised;
            if left_out && transactions.len() > promised {
                transactions.truncate(fewer);
                continue;
            }
            if executed.rows.len() <= 2 {
                self.drop_refused(transactions, &executed);
                return Ok(None);
            }
            if let Some(lie) = self.lie.as_ref().filter(|lie| lie.height == env.height) {
                lie.tell(&mut executed);
            }
            let mut ancestors = head.ancestors.clone();
            let moment = (env.time_ms, self.term);
            let fits = executed.gas_used() <= env.params.gas_limit;
            let (config, tree) = (self.chain.config(), &snapshot.tree);
            match assemble_by(&AllThreads, config, &head.header, &mut ancestors, moment, tree, &executed.rows) {
                Ok(assembled) if fits => {
                    self.drop_refused(transactions, &executed);
                    return Ok(Some((executed, assembled, ancestors)));
                }
                // Half of them, then: the first alone always fits, or is refused by the rules of a row.
                Ok(_) | Err(SplitError) => transactions.truncate(fewer),
            }
        }
        Ok(None)
    }

    fn drop_refused(&self, transactions: &[Recovered], executed: &ExecutedBlock) {
        for (at, refused) in &executed.refused {
            // Too high a nonce is no fault of the transaction's: an earlier one was left out, so it waits.
            let waits = matches!(
                refused,
                Refused::Invalid(revm::context::result::InvalidTransaction::NonceTooHigh { .. }) | Refused::NotAccepted
            );
            if let Some(transaction) = transactions.get(*at).filter(|_| !waits) {
                self.pool.drop_refused(&transaction.hash(), refused);
            }
        }
    }
}

fn report(block: &SealedBlock, (lanes, surprises, ran_twice): (usize, usize, usize), made: Duration, sealed: Duration) {
    let header = block.header();
    metrics::counter!("ocelli_transactions_total").increment(block.transactions.len() as u64);
    metrics::gauge!("ocelli_height").set(header.height as f64);
    metrics::histogram!("ocelli_block_seconds").record(sealed.as_secs_f64());
    tracing::info!(
        height = header.height,
        transactions = block.transactions.len(),
        gas = header.gas_used,
        lanes,
        rows = block.stored.manifest.rows.len(),
        columns = block.stored.manifest.columns.len(),
        surprises,
        ran_twice,
        made_ms = made.as_millis() as u64,
        sealed_ms = sealed.as_millis() as u64,
        hash = %block.hash,
        "sealed"
    );
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
