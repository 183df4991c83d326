//! How a transaction comes in: two threads, so that signatures are recovered while the disk is written.
//!
//! ```text
//! submit ─► intake: decode, recover (a batch, on all cores), admit ─► writer: journal (all that waits, one sync), answer
//! ```
//!
//! An answer that rests on another transaction being there (already known) goes the same way, behind that transaction.

use super::{Rejected, Shared, journal::Journal, queue::Standing};
use crate::{limits, state::Snapshot};
use alloy_primitives::{Address, B256, Bytes};
use ocelli_core::{
    evm::{Code, Source},
    key::Key,
    transaction::{Recovered, Transaction},
    value::Value,
};
use rayon::prelude::*;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender},
    },
};
use tokio::sync::{mpsc, oneshot};

/// A transaction that was handed in, and who waits for the answer.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) raw: Bytes,
    pub(super) answer: oneshot::Sender<Result<B256, Rejected>>,
}

/// What became of a submission, up to the journal.
pub(super) struct Admitted {
    result: Result<Arc<Recovered>, Rejected>,
    answer: oneshot::Sender<Result<B256, Rejected>>,
}

/// Runs the intake until nobody can submit any more.
pub(super) fn take_in(
    shared: &Shared,
    mut submissions: mpsc::Receiver<Submission>,
    journal: &SyncSender<Vec<Admitted>>,
) {
    while let Some(first) = submissions.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < limits::POOL_BATCH
            && let Ok(next) = submissions.try_recv()
        {
            batch.push(next);
        }
        let (raws, answers): (Vec<Bytes>, Vec<_>) = batch.into_iter().map(|one| (one.raw, one.answer)).unzip();
        let results = admit(shared, raws);
        let admitted = results.into_iter().zip(answers).map(|(result, answer)| Admitted { result, answer });
        if journal.send(admitted.collect()).is_err() {
            return;
        }
    }
}

/// Puts transactions into the queue, where they cannot be taken yet. One answer for each, in order.
fn admit(shared: &Shared, raws: Vec<Bytes>) -> Vec<Result<Arc<Recovered>, Rejected>> {
    let mut decoded = decode(shared, &raws);
    refuse_known(shared, &mut decoded);
    let recovered = recover(decoded);
    loop {
        let (height, snapshot) = shared.head();
        let of = |one: &Result<Recovered, Rejected>| standing(&snapshot, one.as_ref().map_err(Rejected::clone)?);
        let standings: Vec<Result<Standing, Rejected>> = recovered.iter().map(of).collect();
        let mut queue = shared.queue.lock();
        // If the queue has heard of a later block, what was read is too old.
        if queue.height <= height {
            let admit = |(one, standing): (Result<Recovered, Rejected>, Result<Standing, Rejected>)| {
                let one = Arc::new(one?);
                queue.waiting.admit(one.clone(), standing?).map(|()| one)
            };
            return recovered.into_iter().zip(standings).map(admit).collect();
        }
    }
}

/// Decodes what was accepted before and recovers who sent it; one answer for each, in order.
pub(super) fn read_back(shared: &Shared, raws: &[Bytes]) -> Vec<Result<Recovered, Rejected>> {
    recover(decode(shared, raws))
}

fn decode(shared: &Shared, raws: &[Bytes]) -> Vec<Result<Transaction, Rejected>> {
    let params = shared.params();
    let decode = |raw: &Bytes| {
        let transaction = Transaction::decode(raw, params.chain_id, params.fork)?;
        shared.check_without_sender(&transaction)?;
        Ok(transaction)
    };
    raws.par_iter().with_min_len(16).map(decode).collect()
}

/// Spares the work of recovering what is known.
fn refuse_known(shared: &Shared, decoded: &mut [Result<Transaction, Rejected>]) {
    let mut seen = HashSet::new();
    let queue = shared.queue.lock();
    for one in decoded {
        if let Ok(transaction) = one {
            let hash = transaction.hash();
            if !seen.insert(hash) || queue.waiting.contains(&hash) {
                *one = Err(Rejected::AlreadyKnown(hash));
            }
        }
    }
}

fn recover(decoded: Vec<Result<Transaction, Rejected>>) -> Vec<Result<Recovered, Rejected>> {
    let mut rejected = Vec::with_capacity(decoded.len());
    let mut transactions = Vec::with_capacity(decoded.len());
    for one in decoded {
        rejected.push(one.map(|transaction| transactions.push(transaction)).err());
    }
    let shares: Vec<Vec<Transaction>> =
        transactions.chunks(limits::POOL_BATCH_SHARE).map(<[Transaction]>::to_vec).collect();
    let recovered: Vec<_> = shares.into_par_iter().flat_map_iter(Recovered::recover_many).collect();
    let mut recovered = recovered.into_iter();
    let next = |rejected: Option<Rejected>| match rejected {
        Some(rejected) => Err(rejected),
        None => recovered.next().map_or(Err(Rejected::Stopping), |one| one.map_err(Rejected::from)),
    };
    rejected.into_iter().map(next).collect()
}

/// What the state says of a transaction's sender.
pub(super) fn standing(snapshot: &Snapshot, transaction: &Recovered) -> Result<Standing, Rejected> {
    let sender = transaction.sender();
    let (account, code) = account(snapshot, sender);
    // EIP-3607, and EIP-7702's exception.
    if code.as_ref().is_some_and(|code| !code.is_eip7702()) {
        return Err(Rejected::SenderHasCode(sender));
    }
    Ok(Standing { nonce: account.nonce, balance: account.balance, delegated: code.is_some() })
}

fn account(snapshot: &Snapshot, address: Address) -> (ocelli_core::value::Account, Option<Code>) {
    let account = match snapshot.load(&Key::Account(address)) {
        Ok((_, Value::Account(account))) => account,
        _ => Default::default(),
    };
    let code = (!account.code_hash.is_zero()).then(|| snapshot.code(&account.code_hash).ok()).flatten();
    (account, code)
}

/// Runs the writer until the intake has ended.
pub(super) fn write(shared: &Shared, mut journal: Journal, batches: &Receiver<Vec<Admitted>>) {
    while let Ok(mut batch) = batches.recv() {
        while let Ok(more) = batches.try_recv() {
            batch.extend(more);
        }
        let accepted = batch.iter().filter_map(|one| one.result.as_deref().ok());
        let written = journal.append(accepted.map(|one| one.encoded().as_ref()));
        if let Err(error) = &written {
            shared.refuse(Rejected::Journal);
            tracing::error!(%error, "the pool's journal cannot be written; no transactions are taken any more");
        }
        answer(shared, batch, written.is_ok());
        compact(shared, &mut journal);
    }
}

fn answer(shared: &Shared, batch: Vec<Admitted>, is_durable: bool) {
    let accepted: Vec<B256> = batch.iter().filter_map(|one| one.result.as_ref().ok().map(|one| one.hash())).collect();
    {
        let mut queue = shared.queue.lock();
        for hash in &accepted {
            if is_durable {
                queue.waiting.made_durable(hash);
            } else {
                queue.waiting.remove(hash);
            }
        }
        shared.report(&queue);
    }
    shared.work.notify_all();
    for one in batch {
        let result = one.result.map(|transaction| transaction.hash());
        // What is said to be known is what came before it, so it rests on the journal as well.
        let rests_on_journal = matches!(result, Ok(_) | Err(Rejected::AlreadyKnown(_)));
        let result = if rests_on_journal && !is_durable { Err(Rejected::Journal) } else { result };
        match &result {
            Ok(hash) => drop(shared.accepted.send(*hash)),
            Err(rejected) => {
                metrics::counter!("ocelli_pool_rejected_total", "reason" => rejected.reason()).increment(1)
            }
        }
        // Whoever asked may be gone.
        let _ = one.answer.send(result);
    }
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
    let encoded: Vec<&[u8]> = waiting.iter().map(|one| one.encoded().as_ref()).collect();
    match journal.rewrite(&encoded) {
        Ok(()) => tracing::debug!(transactions = encoded.len(), bytes = live, "rewrote the pool's journal"),
        // The old file has all of them, too, and goes on. If it cannot, the next append says so.
        Err(error) => tracing::warn!(%error, "the pool's journal cannot be rewritten and goes on growing"),
    }
}
