//! The pool: transactions that wait for a block, each account's in the order of its nonces.
//!
//! Guaranteed:
//! - A transaction is accepted ([`Pool::submit`] returns its hash) only after it is on disk, and is back after any crash.
//! - [`Pool::take`] gives only transactions that are on disk, follow on the sender's nonce in the last block that was made, and that
//!   the sender can pay for, by the head state, together with those before them; no account's queue delays another's.
//! - What is promised ([`Accepted::window`]) is on disk with its height, nothing takes its place, and blocks take it before all
//!   else: it is in by then, across restarts too, unless no block's base fee until then is low enough for it.
//! - Memory is bounded: by number, by bytes, by bytes an account ([`limits`]). What is worth least and cannot go into a block
//!   now is let go of first.
//! - While signatures are recovered, hashes computed or disks written, no lock is held.
//!
//! It assumes that it is told of every block, in order, after the chain published it ([`Pool::sealed`]), and of one whose successor
//! is begun before that, as soon as it is made ([`Pool::made`]).

mod intake;
mod journal;
mod queue;
mod rejected;
#[cfg(test)]
pub(crate) mod tests;

use crate::{block::SealedBlock, chain::Chain, clock::now_ms, limits, state::Snapshot};
use alloy_primitives::{
    Address, B256, Bytes,
    map::{B256Map, B256Set},
};
use intake::Submission;
use journal::{Entry, Journal};
use ocelli_core::{
    evm::Refused,
    header::Header,
    key::Key,
    promise::Window,
    transaction::{Recovered, Transaction},
    tree::Leaf,
    value::Value,
};
use parking_lot::{Condvar, Mutex};
use queue::{Queue, Standing};
use std::{
    collections::{HashSet, VecDeque},
    path::Path,
    sync::{Arc, OnceLock, mpsc::sync_channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, mpsc, oneshot};

pub use journal::PoolError;
pub use queue::NoPromise;
pub use rejected::Rejected;

/// Transactions that wait for a block.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    /// None while stopping.
    submissions: Option<mpsc::Sender<Submission>>,
    threads: Vec<JoinHandle<()>>,
}

/// A transaction that is durable in the pool.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The transaction.
    pub transaction: Arc<Recovered>,
    /// If a promise was asked for: the blocks that it is about.
    pub window: Option<Window>,
}

/// Transactions for a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// In the order in which they are to be in it.
    pub transactions: Vec<Recovered>,
    /// How many of the first have to be in it, because they are promised.
    pub promised: usize,
}

/// What the pool's threads share.
#[derive(Debug)]
struct Shared {
    chain: Arc<Chain>,
    queue: Mutex<State>,
    /// Where batches are decoded and recovered.
    workers: rayon::ThreadPool,
    /// Told when a transaction may have become ready.
    work: Condvar,
    /// Why nothing is accepted any more.
    refusing: OnceLock<Rejected>,
    accepted: broadcast::Sender<B256>,
}

#[derive(Debug)]
struct State {
    waiting: Queue,
    /// The last block that was sealed.
    height: u64,
    /// The header of the last block that was made, if one was since the start.
    made: Option<Header>,
    /// The last block that transactions were taken for.
    taken_for: u64,
    reasons: Reasons,
}

impl State {
    /// The header of the last block that was made, where the last one published is `head`.
    fn last_made<'a>(&'a self, head: &'a Header) -> &'a Header {
        self.made.as_ref().filter(|made| made.height > head.height).unwrap_or(head)
    }

    /// The height of the last block that was begun: what is accepted from now on is in none up to it.
    fn begun(&self) -> u64 {
        self.height.max(self.taken_for)
    }
}

/// Why transactions left the pool without having been in a block; of the last [`limits::POOL_REASONS`].
#[derive(Debug, Default)]
struct Reasons {
    by_hash: B256Map<String>,
    order: VecDeque<B256>,
}

impl Reasons {
    fn note(&mut self, hash: B256, reason: String) {
        if self.by_hash.insert(hash, reason).is_none() {
            self.order.push_back(hash);
        }
        while self.order.len() > limits::POOL_REASONS {
            if let Some(oldest) = self.order.pop_front() {
                self.by_hash.remove(&oldest);
            }
        }
    }
}

impl Pool {
    /// Opens the pool of `chain` with the journal in the folder `dir`, and lets what is in it wait again, as far as it is still
    /// valid.
    ///
    /// # Errors
    /// [`PoolError`] if the journal cannot be read or written or is not this chain's.
    pub fn open(dir: &Path, chain: Arc<Chain>) -> Result<Self, PoolError> {
        let (journal, entries) = Journal::open(dir, chain.config().genesis_hash())?;
        let height = chain.head().header.height;
        let waiting = Queue::new(queue::Limits::default());
        let queue = Mutex::new(State { waiting, height, made: None, taken_for: height, reasons: Reasons::default() });
        let accepted = broadcast::channel(limits::POOL_EVENTS).0;
        let workers = rayon::ThreadPoolBuilder::new().thread_name(|at| format!("pool-worker-{at}")).build();
        let workers = workers.map_err(|error| PoolError::Thread(std::io::Error::other(error)))?;
        let (work, refusing) = (Condvar::new(), OnceLock::new());
        let shared = Arc::new(Shared { chain, queue, workers, work, refusing, accepted });
        shared.restore(&entries);

        let (submissions, incoming) = mpsc::channel(limits::POOL_SUBMISSIONS);
        let (to_writer, batches) = sync_channel(limits::POOL_BATCHES);
        let (taking, writing) = (shared.clone(), shared.clone());
        let threads = vec![
            spawn("pool-intake", move || intake::take_in(&taking, incoming, &to_writer))?,
            spawn("pool-journal", move || intake::write(&writing, journal, &batches))?,
        ];
        Ok(Self { shared, submissions: Some(submissions), threads })
    }

    /// Hands in the EIP-2718 encoding of a signed transaction and returns its hash once it is durable.
    ///
    /// # Errors
    /// [`Rejected`] if it may not wait.
    pub async fn submit(&self, raw: Bytes) -> Result<B256, Rejected> {
        let accepted = self.submit_all(vec![raw], false).await.pop().unwrap_or(Err(Rejected::Stopping));
        accepted.map(|accepted| accepted.transaction.hash())
    }

    /// Hands in many at once, as one batch, and asks for promises if told to. One answer for each, in order, once all are
    /// durable that are accepted. Of one that cannot be promised nothing is kept, unless that is said too late
    /// ([`NoPromise::TooLate`]).
    pub async fn submit_all(&self, raws: Vec<Bytes>, wants_promise: bool) -> Vec<Result<Accepted, Rejected>> {
        let count = raws.len();
        let all = |why: Rejected| vec![Err(why); count];
        if let Some(why) = self.shared.refusing.get() {
            return all(why.clone());
        }
        let (answer, results) = oneshot::channel();
        let Some(submissions) = self.submissions.as_ref() else { return all(Rejected::Stopping) };
        if submissions.send(Submission { raws, wants_promise, answer }).await.is_err() {
            return all(Rejected::Stopping);
        }
        results.await.unwrap_or_else(|_| all(Rejected::Stopping))
    }

    /// Takes no more transactions: no block will be made of them, since one at `height` is faulty.
    pub fn stop_for_fault(&self, height: u64) {
        self.shared.refuse(Rejected::Faulty { height });
    }

    /// Whether transactions are accepted.
    ///
    /// # Errors
    /// Why they are not, and what to do.
    pub fn ready(&self) -> Result<(), String> {
        if let Some(why) = self.shared.refusing.get() {
            return Err(why.to_string());
        }
        // A thread that ends before it is told to has panicked.
        if self.threads.iter().any(JoinHandle::is_finished) {
            return Err("the pool has failed, so no transactions are taken; the log says why. Restart".into());
        }
        Ok(())
    }

    /// The waiting transaction with this hash.
    pub fn get(&self, hash: &B256) -> Option<Arc<Recovered>> {
        self.shared.queue.lock().waiting.get(hash)
    }

    /// The nonce that the account's next transaction should have: after those in the head state and those that wait and follow
    /// on them.
    pub fn next_nonce(&self, address: &Address) -> u64 {
        let waiting = self.shared.queue.lock().waiting.next_nonce(address);
        waiting.unwrap_or_else(|| self.shared.nonce(address))
    }

    /// How many transactions wait that follow on their account's nonce and can be paid for.
    pub fn pending(&self) -> usize {
        let queue = self.shared.queue.lock();
        queue.waiting.len() - queue.waiting.idle()
    }

    /// How many transactions wait for others before them, or for their account to have more.
    pub fn queued(&self) -> usize {
        self.shared.queue.lock().waiting.idle()
    }

    /// The hashes of transactions that are accepted from now on. A receiver that falls behind by [`limits::POOL_EVENTS`] is told
    /// so.
    pub fn subscribe(&self) -> broadcast::Receiver<B256> {
        self.shared.accepted.subscribe()
    }

    /// Waits until a transaction is ready, at most for `longest`. Whether one is.
    pub fn wait_for_work(&self, longest: Duration) -> bool {
        let until = Instant::now() + longest;
        let mut queue = self.shared.queue.lock();
        while !queue.waiting.has_ready() {
            if self.shared.work.wait_until(&mut queue, until).timed_out() {
                return queue.waiting.has_ready();
            }
        }
        true
    }

    /// Up to `max` transactions that the next block, with this base fee in wei, can take; each sender's in the order of nonces,
    /// and those that are promised before the others. They stay until the block is sealed ([`Self::sealed`], or
    /// [`Self::none_made`] if there is none). What the block before has is not taken, though it may not be sealed yet.
    pub fn take(&self, max: usize, base_fee: u64) -> Taken {
        let (taken, promised) = {
            let mut queue = self.shared.queue.lock();
            let made = queue.made.as_ref().map_or(0, |made| made.height);
            queue.taken_for = queue.height.max(made).saturating_add(1);
            queue.waiting.begin_block(max, base_fee)
        };
        Taken { transactions: taken.into_iter().map(Arc::unwrap_or_clone).collect(), promised }
    }

    /// Tells the pool that the block of what it gave last is made, and of what it wrote, while it is neither durable nor published.
    /// The one before it is sealed.
    pub fn made(&self, header: &Header, writes: &[Leaf]) {
        let mut queue = self.shared.queue.lock();
        queue.made = Some(header.clone());
        queue.waiting.block_made(accounts(writes).map(|(address, standing)| (address, standing.nonce)));
    }

    /// Tells the pool of a block that the chain has published, and of what it wrote.
    pub fn sealed(&self, block: &SealedBlock, writes: &[Leaf]) {
        let included: B256Set = block.transactions.iter().map(|sealed| sealed.hash).collect();
        let mut queue = self.shared.queue.lock();
        queue.height = block.header().height;
        for (address, standing) in accounts(writes) {
            for gone in queue.waiting.update(&address, standing) {
                if !included.contains(&gone.hash()) {
                    let why = if gone.nonce() < standing.nonce { "its nonce was used" } else { "insufficient funds" };
                    queue.reasons.note(gone.hash(), format!("{why} in block {}", block.header().height));
                }
            }
        }
        let late = queue.waiting.release(block.header().height);
        if late > 0 {
            // The base fee stood above what they offer, or promises are broken: whoever has one can tell.
            metrics::counter!("ocelli_promises_ended_total").increment(late as u64);
            tracing::warn!(late, "promised transactions are not in by the height promised");
        }
        queue.waiting.block_sealed();
        self.shared.report(&queue);
        if queue.waiting.has_ready() {
            // What the block paid for, say: whoever waits may have seen nothing before.
            self.shared.work.notify_one();
        }
    }

    /// Tells the pool that no block was made of what it gave last.
    pub fn none_made(&self) {
        self.shared.queue.lock().waiting.no_block_made();
    }

    /// Lets go of a transaction that no block can take, and remembers why.
    pub fn drop_refused(&self, hash: &B256, why: &Refused) {
        let mut queue = self.shared.queue.lock();
        if queue.waiting.promised_by(hash).is_some() {
            tracing::error!(%hash, ?why, "a promised transaction cannot be executed: its promise is broken");
        }
        if queue.waiting.remove(hash).is_some() {
            tracing::debug!(%hash, ?why, "a waiting transaction cannot be executed");
            queue.reasons.note(*hash, in_words(why));
        }
        self.shared.report(&queue);
    }

    /// Why the transaction with this hash left the pool without having been in a block, if that was of late.
    pub fn refusal(&self, hash: &B256) -> Option<String> {
        self.shared.queue.lock().reasons.by_hash.get(hash).cloned()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The intake ends when nobody can submit, and the writer after it, so the journal is closed when this returns.
        self.submissions = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// What the written accounts are after a block.
fn accounts(writes: &[Leaf]) -> impl Iterator<Item = (Address, Standing)> {
    writes.iter().filter_map(|leaf| match (leaf.key, leaf.value) {
        (Key::Account(address), Value::Account(account)) => {
            let delegated = !account.code_hash.is_zero();
            Some((address, Standing { nonce: account.nonce, balance: account.balance, delegated }))
        }
        _ => None,
    })
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, PoolError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(PoolError::Thread)
}

fn in_words(why: &Refused) -> String {
    match why {
        Refused::Invalid(invalid) => invalid.to_string(),
        Refused::RowGas => "it spends more gas than a row may".to_owned(),
        Refused::RowWork => "it is more work than a row may be".to_owned(),
        Refused::RowCode => "it asks for more code than a row may".to_owned(),
        Refused::RowBody => "it uses more keys than a row's body may list".to_owned(),
        other => format!("{other:?}"),
    }
}

impl Shared {
    fn params(&self) -> &ocelli_core::params::Params {
        self.chain.config().params_at(self.chain.head().header.height.saturating_add(1))
    }

    /// The head, and the state after it.
    fn head(&self) -> (Header, Snapshot) {
        let (head, codes) = (self.chain.head(), self.chain.snapshot().codes);
        (head.header.clone(), Snapshot { tree: head.state.clone(), codes })
    }

    /// The base fee that a block after `head` would have now, in wei.
    fn next_base_fee(&self, head: &Header) -> u64 {
        let elapsed = now_ms().saturating_sub(head.time_ms).max(1);
        self.params().base_fee.next(head.base_fee, head.gas_used, elapsed)
    }

    /// What can be said before the signer is known.
    fn check_without_sender(&self, transaction: &Transaction) -> Result<(), Rejected> {
        let params = self.params();
        if transaction.gas_limit() > params.gas_limit {
            return Err(Rejected::GasLimit { found: transaction.gas_limit(), limit: params.gas_limit });
        }
        let minimum = params.base_fee.minimum;
        if transaction.max_fee_per_gas() < u128::from(minimum) {
            return Err(Rejected::FeeTooLow { found: transaction.max_fee_per_gas(), minimum });
        }
        Ok(())
    }

    fn nonce(&self, address: &Address) -> u64 {
        let state = &self.chain.head().state;
        let leaf = state.get(&Key::Account(*address).path());
        leaf.map_or(0, |leaf| match leaf.value {
            Value::Account(account) => account.nonce,
            Value::Slot(_) => 0,
        })
    }

    /// Lets what the journal holds wait again: of each account and nonce what came last, since only that was still waiting.
    fn restore(&self, entries: &[Entry<Vec<u8>>]) {
        let mut read: Vec<Result<Recovered, Rejected>> = Vec::new();
        for batch in entries.chunks(limits::POOL_BATCH) {
            let raws: Vec<Bytes> = batch.iter().map(|entry| Bytes::copy_from_slice(&entry.bytes)).collect();
            read.extend(intake::read_back(self, &raws.iter().collect::<Vec<_>>()));
        }
        let mut taken = HashSet::new();
        let is_last = |one: &Result<Recovered, Rejected>| {
            one.as_ref().map_or(true, |one| taken.insert((one.sender(), one.nonce())))
        };
        let mut last: Vec<_> = read.into_iter().rev().filter(is_last).collect();
        last.reverse();

        let standings = intake::standings(&self.head().1, &last);
        let mut queue = self.queue.lock();
        for (one, standing) in last.into_iter().zip(standings) {
            match one.and_then(|one| queue.waiting.restore(Arc::new(one), standing?)) {
                Ok(()) | Err(Rejected::NonceTooLow { .. }) => {}
                Err(why) => tracing::warn!(%why, "a transaction of the pool's journal cannot wait any more"),
            }
        }
        // When all are back, because what comes before one in nonces may come behind it here.
        // Two blocks more than the last may have been under way; what names a later height is damage that looks like an entry.
        let promised = queue.height + 1..=queue.height + 2 + limits::PROMISE_BLOCKS;
        for entry in entries {
            if let Some(height) = entry.promised.filter(|height| promised.contains(height)) {
                queue.waiting.hold(&entry.hash, height);
            }
        }
        // What left the pool before a promise was given is still in the journal.
        let let_go = queue.waiting.clear_way() + queue.waiting.trim();
        if !entries.is_empty() {
            let (waiting, journal) = (queue.waiting.len(), entries.len());
            tracing::info!(waiting, journal, let_go, "the pool's transactions are back");
        }
        self.report(&queue);
    }

    /// Accepts nothing from now on. The first reason stays.
    fn refuse(&self, why: Rejected) {
        let _ = self.refusing.set(why);
    }

    fn report(&self, queue: &State) {
        metrics::gauge!("ocelli_pool_transactions").set(queue.waiting.len() as f64);
    }
}
