//! What is promised: transactions that the sequencer gave its word for, and those before them that it takes to keep it.
//!
//! A promised transaction and all of its sender's before it are *held*: nothing takes their place, and blocks take them before
//! all others. What is held never exceeds what half a block holds, so any one block can take all of it, whatever else waits:
//! a promise is kept by the first block that begins after it was given and whose base fee the transaction can pay.
//!
//! The word is given only where nothing that others send can make it worthless: [`Queue::check_promise`] has the rules.

use super::{Queue, Standing};
use crate::{limits, pool::Rejected};
use alloy_primitives::{Address, B256, map::AddressSet};
use ocelli_core::{limits::CODE_BYTES, params::Params, row, transaction::Recovered};
use std::{collections::BTreeSet, sync::Arc};

/// What the sender of a transaction that is to be promised has to be told if it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPromise {
    /// Others before it are missing, or are not paid for.
    #[error("it does not follow on what waits of its account, or its account cannot pay for all of that")]
    NotReady,
    /// One before it offers less, so there may be blocks that could take this one but not the other.
    #[error("{0}, which comes before it, offers a lower max fee per gas")]
    Before(B256),
    /// It, or one before it, may come to more than a row holds, depending on what it does.
    #[error("{0} has a gas limit or calldata with which it may come to more than a row holds")]
    Large(B256),
    /// Others can make it worthless: its account delegates to code (EIP-7702), or a waiting authorization would have it so.
    #[error("its account delegates to code or is about to, so others can spend what it has")]
    Delegated,
    /// The next block would not take it.
    #[error("its max fee per gas is below the next block's base fee, {base_fee}")]
    Fee {
        /// The base fee, in wei.
        base_fee: u64,
    },
    /// It rests on what the block under way may change: something of its account was taken for that and waits no longer.
    #[error("its account may be changed by the block that is being made; ask again after that")]
    UnderWay,
    /// It is gone: a block that was under way has used its nonce, or what it costs.
    #[error("the block that was being made left no room for it")]
    Gone,
    /// As much is promised as one block can hold for certain.
    #[error("as much is promised as may be; ask again after the next block")]
    TooMuch,
    /// It was accepted, but it took so long that the time promised is nearly over.
    #[error("it waits and is held as if it were, but not in time to say so; ask again")]
    TooLate,
}

/// What decides whether the next transactions are promised.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct Terms<'a> {
    pub(in crate::pool) params: &'a Params,
    /// The next block's base fee, in wei.
    pub(in crate::pool) base_fee: u64,
    /// The height by which they are in.
    pub(in crate::pool) height: u64,
}

/// All that is held.
#[derive(Debug, Default)]
pub(super) struct Held {
    count: usize,
    /// Gas limits.
    gas: u64,
    /// Whose first transaction is held.
    pub(super) accounts: AddressSet,
    /// What is promised, by when.
    due: BTreeSet<(u64, Address, u64)>,
}

/// Gas of the first use of an account, and of a slot, at the cheapest: in an access list (EIP-2930), then warm.
const CODE_GAS: u64 = 2_500;
const SLOT_GAS: u64 = 1_900;
/// Codes that cost no such gas: the callee's, what it delegates to, and COINBASE's.
const FREE_CODES: u64 = 3;
/// Keys that BLOCKHASH reads, at most: they cost no such gas either.
const BLOCK_HASHES: u64 = 256;
/// Bytes that the builder of a row's body counts for each key, with the code that it may lead to, and at most for all else beside
/// the transactions.
const KEY_BYTES: u64 = row::body::BYTES_A_KEY as u64;
const BODY_BYTES: u64 = 4_096;

/// Whether a row that holds nothing else can hold the transaction whatever it does.
fn fits_a_row(transaction: &Recovered, params: &Params) -> bool {
    let (gas, limits) = (transaction.gas_limit(), &params.limits);
    let sixteenths = params.work.0.iter().copied().max().unwrap_or_default().max(16);
    // Of the gas, 21,000 are gone before anything is used.
    let codes = gas.saturating_sub(21_000) / CODE_GAS + FREE_CODES;
    let keys = gas / SLOT_GAS + codes + BLOCK_HASHES;
    let body = (transaction.encoded().len() as u64).saturating_add(keys.saturating_mul(KEY_BYTES)) + BODY_BYTES;
    gas <= limits.row_gas
        && gas.saturating_mul(u64::from(sixteenths)) / 16 <= limits.row_work
        && codes.saturating_mul(CODE_BYTES as u64) <= u64::from(limits.row_code_bytes)
        && body <= u64::from(limits.row_body_bytes)
}

impl Queue {
    /// Lets a transaction wait, unless it does already, and holds it.
    pub(in crate::pool) fn promise(
        &mut self,
        transaction: &Arc<Recovered>,
        standing: Standing,
        terms: &Terms<'_>,
    ) -> Result<(), Rejected> {
        let waits = self.contains(&transaction.hash());
        if !waits {
            self.check(transaction, standing)?;
        }
        self.check_promise(transaction, standing, terms).map_err(Rejected::NoPromise)?;
        if !waits {
            self.make_room(transaction, standing)?;
            self.insert(transaction.clone(), standing);
        }
        self.hold(&transaction.hash(), terms.height);
        Ok(())
    }

    fn check_promise(&self, transaction: &Recovered, standing: Standing, terms: &Terms<'_>) -> Result<(), NoPromise> {
        let (sender, nonce, hash) = (transaction.sender(), transaction.nonce(), transaction.hash());
        let account = self.accounts.get(&sender);
        let Standing { nonce: next, delegated, .. } = account.map_or(standing, |account| account.standing);
        let in_place = account.and_then(|account| account.waiting.get(&nonce)).map(|waiting| &waiting.transaction);
        let replaces = |known: &Arc<Recovered>| known.hash() != hash && self.under_way.has(&known.hash());
        if in_place.is_some_and(replaces) || self.under_way.is_uncertain(&sender) {
            return Err(NoPromise::UnderWay);
        }
        // What it authorizes itself takes effect when it is in.
        let of_sender = transaction.authorities().iter().flatten().filter(|authority| **authority == sender);
        let own = if self.contains(&hash) { of_sender.count() } else { 0 };
        if delegated || self.authorities.get(&sender).is_some_and(|count| *count > own) {
            return Err(NoPromise::Delegated);
        }
        if transaction.max_fee_per_gas() < u128::from(terms.base_fee) {
            return Err(NoPromise::Fee { base_fee: terms.base_fee });
        }
        let is_idle = account.is_some_and(|account| self.contains(&hash) && nonce >= account.ready_until);
        let before = account.map(|account| account.waiting.range(next..nonce.max(next)));
        let is_held = self.held_until(&sender, nonce).is_some() && self.contains(&hash);
        let (mut count, mut gas) = if is_held { (0, 0) } else { (1, transaction.gas_limit()) };
        let mut follows = next;
        for (_, waiting) in before.into_iter().flatten() {
            let one = &waiting.transaction;
            follows += 1;
            if one.max_fee_per_gas() < transaction.max_fee_per_gas() {
                return Err(NoPromise::Before(one.hash()));
            }
            if waiting.held {
                continue;
            }
            if !fits_a_row(one, terms.params) {
                return Err(NoPromise::Large(one.hash()));
            }
            (count, gas) = (count + 1, gas.saturating_add(one.gas_limit()));
        }
        if follows != nonce || is_idle {
            return Err(NoPromise::NotReady);
        }
        if !fits_a_row(transaction, terms.params) {
            return Err(NoPromise::Large(hash));
        }
        let too_much = self.held.count + count > limits::PROMISED_TRANSACTIONS
            || self.held.gas.saturating_add(gas) > terms.params.gas_limit / 2;
        if too_much { Err(NoPromise::TooMuch) } else { Ok(()) }
    }

    /// Holds the waiting transaction with this hash, and its sender's before it, up to the block at `height`.
    pub(in crate::pool) fn hold(&mut self, hash: &B256, height: u64) {
        let Some((sender, nonce)) = self.by_hash.get(hash).copied() else { return };
        let Some(account) = self.accounts.get_mut(&sender) else { return };
        for (_, waiting) in account.waiting.range_mut(..=nonce) {
            if !waiting.held {
                waiting.held = true;
                self.held.count += 1;
                self.held.gas += waiting.transaction.gas_limit();
            }
        }
        if let Some(waiting) = account.waiting.get_mut(&nonce) {
            if let Some(earlier) = waiting.promised {
                self.held.due.remove(&(earlier, sender, nonce));
            }
            let height = waiting.promised.unwrap_or_default().max(height);
            waiting.promised = Some(height);
            self.held.due.insert((height, sender, nonce));
        }
        self.held.accounts.insert(sender);
    }

    /// Takes out what would make others that are held worthless: what carries an authorization of their accounts, unless it is
    /// held itself and authorizes only for its own sender. How many went.
    pub(in crate::pool) fn clear_way(&mut self) -> usize {
        let harms = |waiting: &super::Waiting| {
            let sender = waiting.transaction.sender();
            let authorities = waiting.transaction.authorities().iter().flatten();
            let mut reserved = authorities.filter(|authority| self.held.accounts.contains(*authority));
            reserved.any(|authority| !waiting.held || *authority != sender)
        };
        let waiting = self.accounts.values().flat_map(|account| account.waiting.values());
        let harmful: Vec<B256> = waiting.filter(|one| harms(one)).map(|one| one.transaction.hash()).collect();
        harmful.iter().filter(|hash| self.remove(hash).is_some()).count()
    }

    /// Ends what was promised up to `height`: how many transactions did not come in by then.
    pub(in crate::pool) fn release(&mut self, height: u64) -> usize {
        let mut released = 0;
        while let Some((_, sender, nonce)) = self.held.due.first().copied().filter(|(due, ..)| *due <= height) {
            self.held.due.pop_first();
            released += 1;
            let Some(account) = self.accounts.get_mut(&sender) else { continue };
            if let Some(waiting) = account.waiting.get_mut(&nonce) {
                waiting.promised = None;
            }
            let last = account.waiting.iter().rev().find(|(_, waiting)| waiting.promised.is_some());
            let from = last.map_or(0, |(nonce, _)| nonce + 1);
            for (_, waiting) in account.waiting.range_mut(from..) {
                self.held.let_go(&mut waiting.held, waiting.transaction.gas_limit());
            }
            self.note_held(&sender);
        }
        released
    }

    /// By which block the transaction that `account`'s with this nonce is held for is in.
    pub(super) fn held_until(&self, sender: &Address, nonce: u64) -> Option<u64> {
        let waiting = &self.accounts.get(sender)?.waiting;
        waiting.get(&nonce).filter(|one| one.held)?;
        waiting.range(nonce..).find_map(|(_, one)| one.promised)
    }

    /// A transaction of `sender` is gone.
    pub(super) fn forget_held(&mut self, sender: &Address, nonce: u64, waiting: &super::Waiting) {
        if let Some(height) = waiting.promised {
            self.held.due.remove(&(height, *sender, nonce));
        }
        self.held.let_go(&mut { waiting.held }, waiting.transaction.gas_limit());
        if waiting.held {
            self.note_held(sender);
        }
    }

    fn note_held(&mut self, sender: &Address) {
        let first = self.accounts.get(sender).and_then(|account| account.waiting.values().next());
        if !first.is_some_and(|first| first.held) {
            self.held.accounts.remove(sender);
        }
    }

    /// By when the transaction with this hash is promised.
    pub(in crate::pool) fn promised_by(&self, hash: &B256) -> Option<u64> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        self.accounts.get(sender)?.waiting.get(nonce)?.promised
    }
}

impl Held {
    fn let_go(&mut self, held: &mut bool, gas: u64) {
        if std::mem::take(held) {
            self.count -= 1;
            self.gas -= gas;
        }
    }
}
