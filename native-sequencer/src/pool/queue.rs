//! What waits: each account's transactions by nonce, in memory.
//!
//! ```text
//! account   nonce ──► ready ──► ready_until ──► idle (behind a gap, or not paid for yet)
//! ```
//!
//! Of each account, the transactions in `[nonce, ready_until)` follow on each other and the account can pay for all of them:
//! they are ready as soon as they are durable. The others are idle, and the pool lets go of the cheapest of these first.
//!
//! Of the ready ones, the first may be held, because they are promised: [`promised`]. What was taken for a block stays until that
//! is sealed, unless something takes its place: [`under_way`]. What is in a block that was made is not taken again.
//!
//! A change costs as much as transactions change sides, whatever waits beside them.

mod promised;
mod under_way;

pub use promised::NoPromise;
pub(super) use promised::Terms;

use super::Rejected;
use crate::limits;
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, AddressSet, B256Map},
};
use ocelli_core::transaction::Recovered;
use promised::Held;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use under_way::UnderWay;

/// What the head state says of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) nonce: u64,
    pub(super) balance: U256,
    /// It delegates to code (EIP-7702).
    pub(super) delegated: bool,
}

/// The limits of a queue; [`Limits::default`] is what a pool has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) transactions: usize,
    pub(super) bytes: usize,
    pub(super) account_bytes: usize,
}

impl Limits {
    fn are_passed_by(self, transactions: usize, bytes: usize) -> bool {
        transactions > self.transactions || bytes > self.bytes
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions: limits::POOL_TRANSACTIONS,
            bytes: limits::POOL_BYTES,
            account_bytes: limits::POOL_ACCOUNT_BYTES,
        }
    }
}

#[derive(Debug)]
struct Waiting {
    transaction: Arc<Recovered>,
    /// A count over all transactions.
    arrival: u64,
    /// The journal has it: only now may a block.
    durable: bool,
    /// It is promised, or another of its sender's behind it is.
    held: bool,
    /// It is promised to be in by this height.
    promised: Option<u64>,
}

#[derive(Debug)]
struct Account {
    standing: Standing,
    /// The nonce after the last block that was made, if it is above that in `standing`.
    ahead: u64,
    waiting: BTreeMap<u64, Waiting>,
    ready_until: u64,
    /// The most that the ready ones can cost: at most the balance.
    ready_cost: U256,
    /// The most that all can cost.
    cost: U256,
    bytes: usize,
}

/// Which to let go of first: the lowest fee, and of equal ones the last that came.
type Worth = (u128, Reverse<u64>, Address, u64);

/// An account's transactions from a nonce on.
type Line<'a> = (&'a Account, u64);

/// All waiting transactions.
#[derive(Debug, Default)]
pub(super) struct Queue {
    limits: Limits,
    accounts: AddressMap<Account>,
    by_hash: B256Map<(Address, u64)>,
    idle: BTreeSet<Worth>,
    /// Accounts whose next transaction is ready and durable.
    ready: AddressSet,
    /// Accounts that waiting transactions carry authorizations of, and how many.
    authorities: AddressMap<usize>,
    held: Held,
    under_way: UnderWay,
    bytes: usize,
    arrivals: u64,
}

fn size(transaction: &Recovered) -> usize {
    transaction.encoded().len()
}

fn tip(transaction: &Recovered) -> u128 {
    transaction.max_priority_fee_per_gas().unwrap_or_else(|| transaction.max_fee_per_gas())
}

impl Waiting {
    fn worth(&self) -> Worth {
        let transaction = &self.transaction;
        (transaction.max_fee_per_gas(), Reverse(self.arrival), transaction.sender(), transaction.nonce())
    }
}

impl Account {
    fn new(standing: Standing) -> Self {
        let (ready_cost, cost) = (U256::ZERO, U256::ZERO);
        let ready_until = standing.nonce;
        Self { standing, ahead: 0, waiting: BTreeMap::new(), ready_until, ready_cost, cost, bytes: 0 }
    }

    /// The nonce of the first transaction that the next block can take.
    fn first(&self) -> u64 {
        self.standing.nonce.max(self.ahead)
    }

    /// Moves `ready_until` up as far as it goes.
    fn extend(&mut self, idle: &mut BTreeSet<Worth>) {
        while let Some(next) = self.waiting.get(&self.ready_until) {
            let cost = self.ready_cost.saturating_add(next.transaction.max_cost());
            if cost > self.standing.balance {
                return;
            }
            idle.remove(&next.worth());
            self.ready_cost = cost;
            self.ready_until += 1;
        }
    }

    /// Moves `ready_until` down by one; false if nothing is ready.
    fn shrink(&mut self, idle: &mut BTreeSet<Worth>) -> bool {
        let Some(nonce) = self.ready_until.checked_sub(1).filter(|nonce| *nonce >= self.standing.nonce) else {
            return false;
        };
        let Some(last) = self.waiting.get(&nonce) else { return false };
        idle.insert(last.worth());
        self.ready_cost = self.ready_cost.saturating_sub(last.transaction.max_cost());
        self.ready_until = nonce;
        true
    }

    /// Makes the first transaction idle where it stands, if it is ready, so that it can be taken out while those behind it
    /// stay ready: its nonce was used.
    fn step(&mut self, idle: &mut BTreeSet<Worth>) {
        let first = self.waiting.get(&self.standing.nonce).filter(|_| self.ready_until > self.standing.nonce);
        if let Some(first) = first {
            idle.insert(first.worth());
            self.ready_cost = self.ready_cost.saturating_sub(first.transaction.max_cost());
        }
        self.standing.nonce += 1;
        self.ready_until = self.ready_until.max(self.standing.nonce);
    }

    /// Goes on to `nonce`, over nonces that nothing waits for.
    fn jump(&mut self, nonce: u64) {
        if nonce > self.standing.nonce {
            // There is a gap, so nothing behind it is ready.
            self.standing.nonce = nonce;
            self.ready_until = self.ready_until.max(nonce);
        }
    }

    /// What can be taken with this nonce, once those before it are.
    fn next_at(&self, nonce: u64) -> Option<&Waiting> {
        self.waiting.get(&nonce).filter(|next| next.durable && nonce < self.ready_until)
    }

    fn next_is_ready(&self) -> bool {
        self.next_at(self.first()).is_some()
    }
}

impl Queue {
    /// A queue with these limits.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Bytes of all that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of those that wait are idle.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Whether any transaction is ready and durable.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn contains(&self, hash: &B256) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// The transaction with this hash, if it is durable.
    pub(super) fn get(&self, hash: &B256) -> Option<Arc<Recovered>> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        let waiting = self.accounts.get(sender)?.waiting.get(nonce)?;
        waiting.durable.then(|| waiting.transaction.clone())
    }

    /// The nonce after the account's durable transactions that follow on each other; `None` if nothing of it waits.
    pub(super) fn next_nonce(&self, address: &Address) -> Option<u64> {
        let account = self.accounts.get(address)?;
        let mut next = account.standing.nonce;
        for (nonce, waiting) in &account.waiting {
            if *nonce != next || !waiting.durable {
                break;
            }
            next += 1;
        }
        Some(next)
    }

    /// Lets a transaction wait, if it may; `standing` is its sender's, unless the queue knows that already. It cannot be taken
    /// before [`Self::made_durable`].
    pub(super) fn admit(&mut self, transaction: Arc<Recovered>, standing: Standing) -> Result<(), Rejected> {
        self.check(&transaction, standing)?;
        self.make_room(&transaction, standing)?;
        self.insert(transaction, standing);
        Ok(())
    }

    /// Lets a transaction that was accepted before wait again. That it was is enough, whatever came before it into the queue:
    /// what cannot be paid for is idle, and [`Self::trim`] sees to the limits. The journal has it.
    pub(super) fn restore(&mut self, transaction: Arc<Recovered>, standing: Standing) -> Result<(), Rejected> {
        let (hash, found) = (transaction.hash(), transaction.nonce());
        if found < standing.nonce {
            return Err(Rejected::NonceTooLow { next: standing.nonce, found });
        }
        self.insert(transaction, standing);
        self.made_durable(&hash);
        Ok(())
    }

    fn insert(&mut self, transaction: Arc<Recovered>, standing: Standing) {
        let (sender, nonce) = (transaction.sender(), transaction.nonce());
        self.arrivals += 1;
        let (arrival, transaction_too) = (self.arrivals, transaction.clone());
        let waiting = Waiting { arrival, durable: false, held: false, promised: None, transaction: transaction_too };
        self.take_out(&sender, nonce);
        let account = self.accounts.entry(sender).or_insert_with(|| Account::new(standing));
        account.cost = account.cost.saturating_add(transaction.max_cost());
        account.bytes += size(&transaction);
        self.bytes += size(&transaction);
        self.idle.insert(waiting.worth());
        account.waiting.insert(nonce, waiting);
        account.extend(&mut self.idle);
        self.by_hash.insert(transaction.hash(), (sender, nonce));
        for authority in transaction.authorities().iter().flatten() {
            *self.authorities.entry(*authority).or_default() += 1;
        }
        self.note_ready(&sender);
    }

    fn check(&self, transaction: &Recovered, standing: Standing) -> Result<(), Rejected> {
        if self.contains(&transaction.hash()) {
            return Err(Rejected::AlreadyKnown(transaction.hash()));
        }
        let account = self.accounts.get(&transaction.sender());
        let Standing { nonce: next, balance, delegated } = account.map_or(standing, |account| account.standing);
        let found = transaction.nonce();
        if found < next {
            return Err(Rejected::NonceTooLow { next, found });
        }
        if found - next >= limits::POOL_NONCE_AHEAD {
            return Err(Rejected::NonceTooHigh { next, found });
        }
        let known = account.and_then(|account| account.waiting.get(&found)).map(|waiting| &*waiting.transaction);
        if let Some(known) = known {
            if let Some(height) = self.held_until(&transaction.sender(), found) {
                return Err(Rejected::Promised { known: known.hash(), height });
            }
            check_replacement(known, transaction)?;
        }
        let others = account.map_or(U256::ZERO, |account| account.cost);
        let others = others.saturating_sub(known.map_or(U256::ZERO, |known| known.max_cost()));
        let cost = transaction.max_cost();
        if others.saturating_add(cost) > balance {
            return Err(Rejected::InsufficientFunds { balance, cost, others });
        }
        let bytes = account.map_or(0, |account| account.bytes) - known.map_or(0, size);
        if bytes + size(transaction) > self.limits.account_bytes {
            return Err(Rejected::AccountFull);
        }
        self.check_delegation(transaction, account, delegated, known.is_some())
    }

    /// One transaction must not be able to make many worthless that cost the pool work.
    fn check_delegation(
        &self,
        transaction: &Recovered,
        account: Option<&Account>,
        delegated: bool,
        replaces: bool,
    ) -> Result<(), Rejected> {
        let most = limits::POOL_DELEGATED_TRANSACTIONS;
        let length = |account: &Account| account.waiting.len();
        let delegated = delegated || self.authorities.contains_key(&transaction.sender());
        if delegated && !replaces && account.map_or(0, length) >= most {
            return Err(Rejected::DelegatedLimit);
        }
        let authorities = transaction.authorities().iter().flatten();
        // What is promised must stay worth something, however little it is.
        let reserved = |authority: &Address| self.held.accounts.contains(authority);
        let crowded = |authority: &Address| self.accounts.get(authority).map_or(0, length) > most;
        let mut crowded = authorities.filter(|authority| reserved(authority) || crowded(authority));
        crowded.next().map_or(Ok(()), |authority| Err(Rejected::AuthorityReserved(*authority)))
    }

    /// Lets go of as many idle ones as `transaction` needs, or of none.
    fn make_room(&mut self, transaction: &Recovered, standing: Standing) -> Result<(), Rejected> {
        let account = self.accounts.get(&transaction.sender());
        let replaced = account.and_then(|account| account.waiting.get(&transaction.nonce()));
        let mut count = self.len() + usize::from(replaced.is_none());
        let mut bytes = self.bytes + size(transaction) - replaced.map_or(0, |waiting| size(&waiting.transaction));
        let over = |count: usize, bytes: usize| self.limits.are_passed_by(count, bytes);
        if !over(count, bytes) {
            return Ok(());
        }
        let becomes_ready = transaction.nonce() <= account.map_or(standing.nonce, |account| account.ready_until);
        let mut let_go = Vec::new();
        for (fee, _, sender, nonce) in &self.idle {
            if !over(count, bytes) || (!becomes_ready && *fee >= transaction.max_fee_per_gas()) {
                break;
            }
            if *sender == transaction.sender() {
                continue;
            }
            if let Some(waiting) = self.accounts.get(sender).and_then(|account| account.waiting.get(nonce)) {
                count -= 1;
                bytes -= size(&waiting.transaction);
                let_go.push((*sender, *nonce));
            }
        }
        if over(count, bytes) {
            return Err(Rejected::Full);
        }
        for (sender, nonce) in let_go {
            self.take_out(&sender, nonce);
            self.forget_if_empty(&sender);
        }
        Ok(())
    }

    /// Lets go of the cheapest idle ones until what is left is within the limits; how many went.
    pub(super) fn trim(&mut self) -> usize {
        let mut gone = 0;
        while self.limits.are_passed_by(self.len(), self.bytes)
            && let Some((_, _, sender, nonce)) = self.idle.first().copied()
        {
            self.take_out(&sender, nonce);
            self.forget_if_empty(&sender);
            gone += 1;
        }
        gone
    }

    /// The journal has it. Nothing happens if it is gone by now.
    pub(super) fn made_durable(&mut self, hash: &B256) {
        let Some((sender, nonce)) = self.by_hash.get(hash).copied() else { return };
        let waiting = self.accounts.get_mut(&sender).and_then(|account| account.waiting.get_mut(&nonce));
        if let Some(waiting) = waiting {
            waiting.durable = true;
        }
        self.note_ready(&sender);
    }

    /// Takes the transaction with this hash out.
    pub(super) fn remove(&mut self, hash: &B256) -> Option<Arc<Recovered>> {
        let (sender, nonce) = self.by_hash.get(hash).copied()?;
        let removed = self.take_out(&sender, nonce);
        self.forget_if_empty(&sender);
        removed
    }

    /// What a block made of an account. Returns the transactions that wait no longer: those whose nonce is used, and those
    /// that the account could not pay for even alone.
    pub(super) fn update(&mut self, address: &Address, standing: Standing) -> Vec<Arc<Recovered>> {
        let Some(account) = self.accounts.get_mut(address) else { return Vec::new() };
        let poorer = standing.balance < account.standing.balance;
        let used: Vec<u64> = account.waiting.range(..standing.nonce).map(|(nonce, _)| *nonce).collect();
        for nonce in &used {
            // A nonce may be used that nothing waited for.
            account.jump(*nonce);
            account.step(&mut self.idle);
        }
        account.jump(standing.nonce);
        account.standing = standing;
        while account.ready_cost > standing.balance && account.shrink(&mut self.idle) {}
        account.extend(&mut self.idle);
        let unpaid = account.waiting.values().filter(|waiting| waiting.transaction.max_cost() > standing.balance);
        let unpaid: Vec<u64> = unpaid.filter(|_| poorer).map(|waiting| waiting.transaction.nonce()).collect();
        let gone = used.into_iter().chain(unpaid);
        let removed = gone.filter_map(|nonce| self.take_out(address, nonce)).collect();
        self.forget_if_empty(address);
        removed
    }

    /// Takes one transaction out and keeps everything else in order, but for an account without transactions.
    fn take_out(&mut self, sender: &Address, nonce: u64) -> Option<Arc<Recovered>> {
        let account = self.accounts.get_mut(sender)?;
        if !account.waiting.contains_key(&nonce) {
            return None;
        }
        // What stands below the account's nonce was made idle when that passed it.
        let stands = nonce >= account.standing.nonce;
        while stands && nonce < account.ready_until && account.shrink(&mut self.idle) {}
        let waiting = account.waiting.remove(&nonce)?;
        self.idle.remove(&waiting.worth());
        let transaction = waiting.transaction.clone();
        account.cost = account.cost.saturating_sub(transaction.max_cost());
        account.bytes -= size(&transaction);
        self.bytes -= size(&transaction);
        self.by_hash.remove(&transaction.hash());
        for authority in transaction.authorities().iter().flatten() {
            if let Some(count) = self.authorities.get_mut(authority) {
                *count -= 1;
                if *count == 0 {
                    self.authorities.remove(authority);
                }
            }
        }
        self.forget_held(sender, nonce, &waiting);
        self.under_way.note_gone(&transaction);
        self.note_ready(sender);
        Some(transaction)
    }

    fn forget_if_empty(&mut self, sender: &Address) {
        if self.accounts.get(sender).is_some_and(|account| account.waiting.is_empty()) {
            self.accounts.remove(sender);
        }
        self.note_ready(sender);
    }

    fn note_ready(&mut self, sender: &Address) {
        if self.accounts.get(sender).is_some_and(Account::next_is_ready) {
            self.ready.insert(*sender);
        } else {
            self.ready.remove(sender);
        }
    }

    /// Takes as [`Self::take`] does, for a block that is under way from now on.
    pub(super) fn begin_block(&mut self, most: usize, base_fee: u64) -> (Vec<Arc<Recovered>>, usize) {
        let taken = self.take(most, base_fee);
        self.under_way.begin(taken.0.iter().map(|one| one.hash()));
        taken
    }

    /// The block that was begun is made, though not published, and left these accounts with these nonces: what it has of theirs is
    /// not taken again. The one before it is sealed.
    pub(super) fn block_made(&mut self, nonces: impl Iterator<Item = (Address, u64)>) {
        for (address, nonce) in nonces {
            if let Some(account) = self.accounts.get_mut(&address) {
                account.ahead = nonce;
                self.note_ready(&address);
            }
        }
        self.under_way.made();
    }

    /// There will be no block of what was taken last.
    pub(super) fn no_block_made(&mut self) {
        self.under_way.none_made();
    }

    /// The first of the blocks under way is sealed, and the queue knows what it made of the accounts.
    pub(super) fn block_sealed(&mut self) {
        self.under_way.sealed();
    }

    /// Up to `most` transactions that a block with this base fee can take, each account's in the order of nonces: first those
    /// that are held, and how many these are.
    ///
    /// The others go in rounds, one transaction of each account a round, so a long queue delays nobody but its own account. In a
    /// round the highest tips go first, and of equal ones the one that came first. They stay in the queue.
    pub(super) fn take(&self, most: usize, base_fee: u64) -> (Vec<Arc<Recovered>>, usize) {
        let (mut taken, begun) = self.take_held(most, base_fee);
        let held = taken.len();
        let mut accounts: Vec<Line<'_>> = self
            .ready
            .iter()
            .filter_map(|sender| {
                let account = self.accounts.get(sender)?;
                Some((account, begun.get(sender).copied().unwrap_or(account.first())))
            })
            .collect();
        let mut round = 0;
        while !accounts.is_empty() && taken.len() < most {
            let mut offers: Vec<(Reverse<u128>, u64, Line<'_>, &Waiting)> = accounts
                .iter()
                .filter_map(|(account, first)| {
                    let next = account.next_at(first + round)?;
                    let tip = next.transaction.effective_tip(base_fee)?;
                    Some((Reverse(tip), next.arrival, (*account, *first), next))
                })
                .collect();
            offers.sort_unstable_by_key(|(tip, arrival, ..)| (*tip, *arrival));
            accounts = offers.iter().map(|(_, _, account, _)| *account).collect();
            let fits = most - taken.len();
            taken.extend(offers.iter().take(fits).map(|(.., next)| next.transaction.clone()));
            round += 1;
        }
        (taken, held)
    }

    /// Those that are held, the account first whose first one came first; and for each account, the nonce after them.
    fn take_held(&self, most: usize, base_fee: u64) -> (Vec<Arc<Recovered>>, AddressMap<u64>) {
        let held = self.held.accounts.iter().filter_map(|sender| Some((*sender, self.accounts.get(sender)?)));
        let mut held: Vec<(Address, &Account)> = held.collect();
        held.sort_unstable_by_key(|(_, account)| account.waiting.values().next().map(|first| first.arrival));
        let (mut taken, mut begun) = (Vec::new(), AddressMap::with_capacity_and_hasher(held.len(), Default::default()));
        for (sender, account) in held {
            let mut nonce = account.first();
            while let Some(next) = account.next_at(nonce).filter(|next| next.held && taken.len() < most)
                && next.transaction.effective_tip(base_fee).is_some()
            {
                taken.push(next.transaction.clone());
                nonce += 1;
            }
            begun.insert(sender, nonce);
        }
        (taken, begun)
    }

    /// All transactions, durable or not, in the order in which they came, and by when they are promised.
    pub(super) fn all(&self) -> Vec<(Arc<Recovered>, Option<u64>)> {
        let mut all: Vec<&Waiting> = self.accounts.values().flat_map(|account| account.waiting.values()).collect();
        all.sort_unstable_by_key(|waiting| waiting.arrival);
        all.into_iter().map(|waiting| (waiting.transaction.clone(), waiting.promised)).collect()
    }
}

/// Whether `new` offers enough more than `known` to take its place: in both numbers, as geth has it.
fn check_replacement(known: &Recovered, new: &Recovered) -> Result<(), Rejected> {
    let more = |known: u128| {
        let percent = limits::POOL_REPLACEMENT_PERCENT;
        known / 100 * percent + known % 100 * percent / 100
    };
    let enough = |known: u128, new: u128| new > known && new - known >= more(known);
    if enough(known.max_fee_per_gas(), new.max_fee_per_gas()) && enough(tip(known), tip(new)) {
        return Ok(());
    }
    Err(Rejected::Underpriced { known: known.hash() })
}
