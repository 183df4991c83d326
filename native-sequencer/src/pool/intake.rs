//! How a transaction comes in: two threads, so that signatures are recovered while the disk is written.
//!
//! ```text
//! submit ─► intake: decode, recover (a batch, on all cores), admit ─► writer: journal (all that waits, one sync), answer
//! ```
//!
//! What comes one by one is worked on where it is; a batch is spread over threads of the intake's own, so that it does not wait
//! for what a block keeps the others busy with.
//!
//! An answer that rests on another transaction being there (already known) goes the same way, behind that transaction. A
//! promise is decided on where the transaction is admitted, under the queue's lock, and given where the answer is: the journal
//! has it by then.

use super::{
    Accepted, NoPromise, Rejected, Shared, State,
    journal::{Entry, Journal},
    queue::{Standing, Terms},
};
use crate::{limits, state::Snapshot};
use alloy_primitives::{Address, B256, Bytes, map::B256Set};
use ocelli_core::{
    evm::Source,
    key::Key,
    promise::Window,
    transaction::{Recovered, Transaction, TransactionError},
    value::{Account, Value, Version},
};
use rayon::prelude::*;
use std::{
    borrow::Borrow,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender},
    },
};
use tokio::sync::{mpsc, oneshot};

/// One answer for each transaction, in order.
pub(super) type Answers = Vec<Result<Accepted, Rejected>>;

/// Transactions that were handed in together, and who waits for the answers.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) raws: Vec<Bytes>,
    pub(super) wants_promise: bool,
    pub(super) answer: oneshot::Sender<Answers>,
}

/// What became of a submission, up to the journal.
pub(super) struct Admitted {
    results: Vec<Result<Taken, Rejected>>,
    answer: oneshot::Sender<Answers>,
}

/// A transaction that waits, and is told to whoever handed it in once the journal has it.
struct Taken {
    transaction: Arc<Recovered>,
    /// It did not wait before.
    is_new: bool,
    /// It is promised to be in by this height.
    promised: Option<u64>,
}

/// Runs the intake until nobody can submit any more.
pub(super) fn take_in(
    shared: &Shared,
    mut submissions: mpsc::Receiver<Submission>,
    journal: &SyncSender<Vec<Admitted>>,
) {
    while let Some(first) = submissions.blocking_recv() {
        let mut count = first.raws.len();
        let mut batch = vec![first];
        while count < limits::POOL_BATCH
            && let Ok(next) = submissions.try_recv()
        {
            count += next.raws.len();
            batch.push(next);
        }
        if journal.send(admit(shared, batch)).is_err() {
            return;
        }
    }
}

/// Puts transactions into the queue, where they cannot be taken yet.
pub(super) fn admit(shared: &Shared, batch: Vec<Submission>) -> Vec<Admitted> {
    let asked = |one: &Submission| std::iter::repeat_n(one.wants_promise, one.raws.len());
    let wants_promise: Vec<bool> = batch.iter().flat_map(asked).collect();
    let raws: Vec<&Bytes> = batch.iter().flat_map(|one| &one.raws).collect();
    let mut decoded = decode(shared, &raws);
    refuse_known(shared, &mut decoded, &wants_promise);
    let recovered: Vec<_> = recover(shared, decoded).into_iter().map(|one| one.map(Arc::new)).collect();
    let mut results = queue_up(shared, recovered, &wants_promise).into_iter();
    let admitted = |one: Submission| {
        let results = results.by_ref().take(one.raws.len()).collect();
        Admitted { results, answer: one.answer }
    };
    batch.into_iter().map(admitted).collect()
}

fn queue_up(
    shared: &Shared,
    recovered: Vec<Result<Arc<Recovered>, Rejected>>,
    wants_promise: &[bool],
) -> Vec<Result<Taken, Rejected>> {
    loop {
        let (head, snapshot) = shared.head();
        let standings = shared.spread(&recovered, |some| standings(&snapshot, some));
        let params = shared.params();
        let mut queue = shared.queue.lock();
        // If the queue has heard of a later block, what was read is too old.
        if queue.height > head.height {
            continue;
        }
        let base_fee = shared.next_base_fee(queue.last_made(&head));
        let terms = Terms { params, base_fee, height: queue.begun() + limits::PROMISE_BLOCKS };
        let each = recovered.into_iter().zip(standings).zip(wants_promise);
        return each.map(|((one, standing), wants)| queue.admit(one?, standing?, wants.then_some(&terms))).collect();
    }
}

impl State {
    fn admit(
        &mut self,
        transaction: Arc<Recovered>,
        standing: Standing,
        terms: Option<&Terms<'_>>,
    ) -> Result<Taken, Rejected> {
        let is_new = !self.waiting.contains(&transaction.hash());
        match terms {
            Some(terms) => self.waiting.promise(&transaction, standing, terms)?,
            None => self.waiting.admit(transaction.clone(), standing)?,
        }
        let promised = terms.and_then(|_| self.waiting.promised_by(&transaction.hash()));
        Ok(Taken { transaction, is_new, promised })
    }

    /// Whether a transaction has left the queue without a block having it. One that is new is in none before it is durable.
    fn is_lost(&self, hash: &B256, is_new: bool) -> bool {
        !self.waiting.contains(hash) && (is_new || self.reasons.by_hash.contains_key(hash))
    }
}

/// Decodes what was accepted before and recovers who sent it; one answer for each, in order.
pub(super) fn read_back(shared: &Shared, raws: &[&Bytes]) -> Vec<Result<Recovered, Rejected>> {
    recover(shared, decode(shared, raws))
}

fn decode(shared: &Shared, raws: &[&Bytes]) -> Vec<Result<Transaction, Rejected>> {
    let params = shared.params();
    let check = |decoded: Result<Transaction, TransactionError>| {
        let transaction = decoded?;
        shared.check_without_sender(&transaction)?;
        Ok(transaction)
    };
    let decode = |raws: &[&Bytes]| {
        let bytes = raws.iter().map(|raw| raw.as_ref());
        Transaction::decode_many(bytes, params.chain_id, params.fork).into_iter().map(check).collect::<Vec<_>>()
    };
    shared.spread(raws, decode)
}

/// Spares the work of recovering what is known, unless it may be promised now.
fn refuse_known(shared: &Shared, decoded: &mut [Result<Transaction, Rejected>], wants_promise: &[bool]) {
    let mut seen = B256Set::default();
    let queue = shared.queue.lock();
    for (one, wants_promise) in decoded.iter_mut().zip(wants_promise) {
        if let Ok(transaction) = one {
            let hash = transaction.hash();
            let is_known = !seen.insert(hash) || queue.waiting.contains(&hash);
            if is_known && !wants_promise {
                *one = Err(Rejected::AlreadyKnown(hash));
            }
        }
    }
}

fn recover(shared: &Shared, decoded: Vec<Result<Transaction, Rejected>>) -> Vec<Result<Recovered, Rejected>> {
    let mut rejected = Vec::with_capacity(decoded.len());
    let mut transactions = Vec::with_capacity(decoded.len());
    for one in decoded {
        rejected.push(one.map(|transaction| transactions.push(transaction)).err());
    }
    let mut shares = Vec::with_capacity(transactions.len().div_ceil(limits::POOL_BATCH_SHARE));
    let mut transactions = transactions.into_iter();
    while transactions.len() > 0 {
        shares.push(transactions.by_ref().take(limits::POOL_BATCH_SHARE).collect::<Vec<Transaction>>());
    }
    let recovered: Vec<_> = if shares.len() > 1 {
        shared.workers.install(|| shares.into_par_iter().flat_map_iter(Recovered::recover_many).collect())
    } else {
        shares.into_iter().flat_map(Recovered::recover_many).collect()
    };
    let mut recovered = recovered.into_iter();
    let next = |rejected: Option<Rejected>| match rejected {
        Some(rejected) => Err(rejected),
        None => recovered.next().map_or(Err(Rejected::Stopping), |one| one.map_err(Rejected::from)),
    };
    rejected.into_iter().map(next).collect()
}

impl Shared {
    /// `work` on all of `all`, some at a time: one answer for each, in order.
    fn spread<T: Sync, R: Send>(&self, all: &[T], work: impl Fn(&[T]) -> Vec<R> + Sync + Send) -> Vec<R> {
        if all.len() <= limits::POOL_BATCH_SHARE {
            return work(all);
        }
        self.workers.install(|| all.par_chunks(limits::POOL_BATCH_SHARE).flat_map_iter(work).collect())
    }
}

/// What the state says of each transaction's sender; senders are looked up together.
pub(super) fn standings<T: Borrow<Recovered>>(
    snapshot: &Snapshot,
    transactions: &[Result<T, Rejected>],
) -> Vec<Result<Standing, Rejected>> {
    let sender = |one: &T| one.borrow().sender();
    let keys: Vec<Key> = transactions.iter().flatten().map(|one| Key::Account(sender(one))).collect();
    let mut found = snapshot.at_each(&keys).into_iter();
    let standing = |one: &Result<T, Rejected>| match one {
        Ok(one) => standing(snapshot, sender(one), found.next()),
        Err(rejected) => Err(rejected.clone()),
    };
    transactions.iter().map(standing).collect()
}

fn standing(snapshot: &Snapshot, sender: Address, found: Option<(Version, Value)>) -> Result<Standing, Rejected> {
    let account = match found {
        Some((_, Value::Account(account))) => account,
        _ => Account::default(),
    };
    let code = (!account.code_hash.is_zero()).then(|| snapshot.code(&account.code_hash).ok()).flatten();
    // EIP-3607, and EIP-7702's exception.
    if code.as_ref().is_some_and(|code| !code.is_eip7702()) {
        return Err(Rejected::SenderHasCode(sender));
    }
    Ok(Standing { nonce: account.nonce, balance: account.balance, delegated: code.is_some() })
}

/// Runs the writer until the intake has ended.
pub(super) fn write(shared: &Shared, mut journal: Journal, batches: &Receiver<Vec<Admitted>>) {
    while let Ok(mut batch) = batches.recv() {
        while let Ok(more) = batches.try_recv() {
            batch.extend(more);
        }
        let taken = batch.iter().flat_map(|one| &one.results).flatten();
        let written = journal.append(taken.map(|one| Entry::of(&one.transaction, one.promised)));
        if let Err(error) = &written {
            shared.refuse(Rejected::Journal);
            tracing::error!(%error, "the pool's journal cannot be written; no transactions are taken any more");
        }
        answer(shared, batch, written.is_ok());
        compact(shared, &mut journal);
    }
}

/// Answers what the journal has now, or never will.
pub(super) fn answer(shared: &Shared, mut batch: Vec<Admitted>, is_durable: bool) {
    let after = {
        let mut queue = shared.queue.lock();
        for result in batch.iter_mut().flat_map(|one| &mut one.results) {
            let Ok(one) = result else { continue };
            let hash = one.transaction.hash();
            if one.promised.is_some() && queue.is_lost(&hash, one.is_new) {
                tracing::error!(%hash, "what was to be promised left the pool without a block having it");
                *result = Err(Rejected::NoPromise(NoPromise::Gone));
                continue;
            }
            if is_durable {
                queue.waiting.made_durable(&hash);
            } else if one.is_new {
                queue.waiting.remove(&hash);
            }
        }
        shared.report(&queue);
        // A block that was begun before takes none of these.
        queue.begun()
    };
    shared.work.notify_all();
    for Admitted { results, answer } in batch {
        let accept = |result: Result<Taken, Rejected>| match result {
            // What is said to be known is what came before it, so it rests on the journal as well.
            Ok(_) | Err(Rejected::AlreadyKnown(_)) if !is_durable => Err(Rejected::Journal),
            Ok(taken) => accepted(shared, taken, after),
            Err(rejected) => Err(rejected),
        };
        let results: Answers = results.into_iter().map(accept).collect();
        for rejected in results.iter().filter_map(|one| one.as_ref().err()) {
            metrics::counter!("ocelli_pool_rejected_total", "reason" => rejected.reason()).increment(1);
        }
        // Whoever asked may be gone.
        let _ = answer.send(results);
    }
}

/// What is durable now; blocks above `after` can take it.
fn accepted(shared: &Shared, taken: Taken, after: u64) -> Result<Accepted, Rejected> {
    let Taken { transaction, is_new, promised } = taken;
    if is_new {
        drop(shared.accepted.send(transaction.hash()));
    }
    let window = promised.map(|height| Window { after, height });
    if window.is_some_and(|window| window.after + limits::PROMISE_BLOCKS_LEFT > window.height) {
        return Err(Rejected::NoPromise(NoPromise::TooLate));
    }
    Ok(Accepted { transaction, window })
}

/// Rewrites the journal when most of it is of transactions that wait no longer.
fn compact(shared: &Shared, journal: &mut Journal) {
    let (live, waiting) = {
        let queue = shared.queue.lock();
        let live = queue.waiting.bytes() as u64;
        if !journal.is_stale(live) {
            return;
        }
        (live, queue.waiting.all())
    };
    // What is not durable yet may have taken the place of something that is, and comes behind once more.
    let entries: Vec<Entry<&[u8]>> = waiting.iter().map(|(one, promised)| Entry::of(one, *promised)).collect();
    match journal.rewrite(&entries) {
        Ok(()) => tracing::debug!(transactions = entries.len(), bytes = live, "rewrote the pool's journal"),
        // The old file has all of them, too, and goes on. If it cannot, the next append says so.
        Err(error) => tracing::warn!(%error, "the pool's journal cannot be rewritten and goes on growing"),
    }
}
