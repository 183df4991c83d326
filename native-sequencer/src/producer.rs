//! The producer: takes transactions from the pool and makes blocks of them, one every 100 ms while there is work.
//!
//! ```text
//! pool ─► plan (speculate, lanes, chains) ─► execute (rows) ─► assemble (columns, roots) ─► sign ─┬─► store ─► publish
//!  └──────────────────────────────────── the next block ◄─────────────────────────────────────────┘
//! ```
//!
//! It runs on a thread of its own, and is with the [`sealer`] the only one that writes the chain. While that makes one block
//! durable and publishes it, the next one is made on the state after it. If a block cannot be made durable, nothing of it is
//! published, nor of what was made on top of it.

pub mod lie;
mod sealer;
#[cfg(test)]
mod tests;

use crate::{
    block::{Damaged, SealedBlock},
    chain::{Chain, Head},
    clock::now_ms,
    executor::{self, ExecutedBlock, Forecast, Recent},
    limits,
    pool::{Pool, Taken},
    state::Snapshot,
    store::{Store, StoreError},
    threads::AllThreads,
};
use lie::Lie;
use ocelli_core::{
    block::{AssembledBlock, assemble_by},
    column::SplitError,
    evm::{Env, Refused, StateError},
    header::SignedHeader,
    merkle::Frontier,
    signature::SecretKey,
    transaction::Recovered,
};
use revm::context::result::InvalidTransaction;
use sealer::{MadeBlock, RefusedOnes, Sealer};
use std::{
    sync::Arc,
    time::{Duration, Instant},
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
    /// No thread could be started.
    #[error("the thread that seals blocks could not be started: {0}")]
    Thread(std::io::Error),
    /// The thread that makes blocks durable ended before its time: after an error that was told, or by a bug.
    #[error("the thread that seals blocks has ended; the log says why. What was sealed is durable")]
    SealerEnded,
}

/// A block's parts: rows, everything that follows from them, and the log of ancestors after it.
type Fitted = (ExecutedBlock, AssembledBlock, Frontier);

/// Makes the blocks of a chain.
#[derive(Debug)]
pub struct Producer {
    chain: Arc<Chain>,
    pool: Arc<Pool>,
    key: Arc<SecretKey>,
    term: u64,
    lie: Option<Lie>,
    forecast: Forecast,
    recent: Recent,
    sealer: Sealer,
}

impl Producer {
    /// A producer that goes on from the chain's head, signing with `key`.
    ///
    /// # Errors
    /// [`ProducerError::Key`] if headers signed with `key` would not be the chain's, [`ProducerError::Thread`].
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
        let sealer = Sealer::start(chain.clone(), pool.clone(), store).map_err(ProducerError::Thread)?;
        Ok(Self { chain, pool, key, term, lie, forecast: Forecast::default(), recent: Recent::default(), sealer })
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

    /// Makes blocks until `stopped` says so; a block that is being made durable is finished, and nobody hears of one that was only
    /// made.
    ///
    /// # Errors
    /// [`ProducerError`]; what was published before stays.
    pub fn run(&mut self, stopped: impl Fn() -> bool) -> Result<(), ProducerError> {
        let block_time = Duration::from_millis(limits::BLOCK_TIME_MS);
        let mut last = Instant::now().checked_sub(block_time);
        while !stopped() {
            if !self.pool.wait_for_work(block_time) {
                self.sealer.wait()?;
                continue;
            }
            if let Some(rest) = last.and_then(|last| block_time.checked_sub(last.elapsed())) {
                std::thread::sleep(rest);
            }
            last = Some(Instant::now());
            match self.make()? {
                Some(_) if stopped() => self.pool.none_made(),
                Some(made) => self.seal(made)?,
                None => {}
            }
        }
        self.sealer.wait()?;
        Ok(())
    }

    /// Makes and publishes the next block of what the pool has ready, if that comes to at least one transaction.
    ///
    /// # Errors
    /// [`ProducerError`]; nothing was published then.
    pub fn make_block(&mut self) -> Result<Option<Arc<SealedBlock>>, ProducerError> {
        let Some(made) = self.make()? else { return Ok(None) };
        self.seal(made)?;
        self.sealer.wait()
    }

    /// Has a block sealed that was made, once the one before it is.
    fn seal(&mut self, made: MadeBlock) -> Result<(), ProducerError> {
        self.sealer.wait()?;
        self.pool.made(made.header(), made.writes());
        self.sealer.begin(made)
    }

    /// Makes the next block of what the pool has ready, on top of the last one that was made.
    fn make(&mut self) -> Result<Option<MadeBlock>, ProducerError> {
        let chain = self.chain.clone();
        let head = self.sealer.ahead().unwrap_or_else(|| chain.head());
        let time_ms = now_ms().max(head.header.time_ms.saturating_add(1));
        let env = Env::after(chain.config(), &head.header, time_ms);
        let Taken { mut transactions, promised } = self.pool.take(limits::BLOCK_TRANSACTIONS, env.base_fee);
        let started = Instant::now();
        let (fitted, refused) = self.fit(&env, &head, &mut transactions, promised)?;
        let Some((executed, assembled, ancestors)) = fitted else {
            // Only what is durable is a reason to let go of a transaction.
            self.sealer.wait()?;
            refused.iter().for_each(|(hash, why)| self.pool.drop_refused(hash, why));
            self.pool.none_made();
            return Ok(None);
        };
        // The next block may run what this one deployed.
        for (hash, code) in executed.rows.iter().flat_map(|row| &row.effects.codes_made) {
            chain.codes().insert(*hash, code.clone());
        }
        let hash = assembled.header.hash();
        let signed = SignedHeader { header: assembled.header.clone(), signature: self.key.sign(&hash) };
        let parent_ancestors = head.ancestors.clone();
        let state = assembled.state.clone();
        let head = Arc::new(Head { header: assembled.header.clone(), hash, state, ancestors });
        let made = started.elapsed();
        Ok(Some(MadeBlock {
            signed,
            parent_ancestors,
            assembled,
            executed,
            transactions,
            head,
            refused,
            started,
            made,
        }))
    }

    /// Executes and assembles as many of `transactions` as one block holds; `None` if that is none. Where the first `promised`
    /// would not all be in, fewer others are, none in the end: together they fit. Beside it, what cannot wait any more.
    ///
    /// Only what the last attempt refused counts: what a longer one refused may be valid without what that one had too.
    fn fit(
        &mut self,
        env: &Env<'_>,
        head: &Head,
        transactions: &mut Vec<Recovered>,
        promised: usize,
    ) -> Result<(Option<Fitted>, RefusedOnes), ProducerError> {
        let snapshot = Snapshot { tree: head.state.clone(), codes: self.chain.codes() };
        while !transactions.is_empty() {
            let first = promised.min(transactions.len());
            let executed = executor::execute(env, &snapshot, transactions, first, &mut self.forecast, &self.recent);
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
                return Ok((None, refused(transactions, &executed)));
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
                    let refused = refused(transactions, &executed);
                    let roots = (tree.root(), assembled.state.root());
                    self.recent.go_on(roots, &executed.used, &assembled.writes);
                    return Ok((Some((executed, assembled, ancestors)), refused));
                }
                // Half of them, then: the first alone always fits, or is refused by the rules of a row.
                Ok(_) | Err(SplitError) => transactions.truncate(fewer),
            }
        }
        Ok((None, Vec::new()))
    }
}

/// What no block will take, and why.
fn refused(transactions: &[Recovered], executed: &ExecutedBlock) -> RefusedOnes {
    let is_final = |(_, why): &&(usize, Refused)| {
        // Too high a nonce is no fault of the transaction's: an earlier one was left out, so it waits.
        !matches!(why, Refused::Invalid(InvalidTransaction::NonceTooHigh { .. }) | Refused::NotAccepted)
    };
    let hashed = |(at, why): &(usize, Refused)| Some((transactions.get(*at)?.hash(), why.clone()));
    executed.refused.iter().filter(is_final).filter_map(hashed).collect()
}
