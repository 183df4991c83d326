//! The block under way: what was taken for it may be in it, whatever becomes of the queue meanwhile.
//!
//! As long as what was taken waits, the queue counts with it: its nonce, its cost, its authorizations. If it leaves, because
//! another takes its place or it was refused in a first try, nobody knows before the block is sealed whether it was in. The
//! accounts that it would change are uncertain until then, and nothing of theirs is promised.

use alloy_primitives::{
    Address, B256,
    map::{AddressSet, B256Set},
};
use ocelli_core::transaction::Recovered;

/// What was taken for the block under way; empty if there is none.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    taken: B256Set,
    /// Senders and authorities of those of `taken` that wait no longer.
    uncertain: AddressSet,
}

impl UnderWay {
    /// A block is begun with these.
    pub(super) fn begin(&mut self, taken: impl Iterator<Item = B256>) {
        self.end();
        self.taken.extend(taken);
    }

    /// It is sealed, or there will be none.
    pub(super) fn end(&mut self) {
        self.taken.clear();
        self.uncertain.clear();
    }

    /// Whether the block may have this transaction.
    pub(super) fn has(&self, hash: &B256) -> bool {
        self.taken.contains(hash)
    }

    /// A transaction waits no longer.
    pub(super) fn note_gone(&mut self, transaction: &Recovered) {
        if self.has(&transaction.hash()) {
            self.uncertain.insert(transaction.sender());
            self.uncertain.extend(transaction.authorities().iter().flatten());
        }
    }

    /// Whether the block may change what the queue believes of an account in a way that the queue does not count with.
    pub(super) fn is_uncertain(&self, account: &Address) -> bool {
        self.uncertain.contains(account)
    }
}
