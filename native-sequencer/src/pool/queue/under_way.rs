//! Blocks under way: what was taken for one may be in it, whatever becomes of the queue meanwhile.
//!
//! Two may be: one that was made and is not published yet, and the next one, which is being made.
//!
//! As long as what was taken waits, the queue counts with it: its nonce, its cost, its authorizations. If it leaves, because
//! another takes its place or it was refused in a first try, nobody knows before the block is sealed whether it was in. The
//! accounts that it would change are uncertain until then, and nothing of theirs is promised.

use alloy_primitives::{
    Address, B256,
    map::{AddressSet, B256Set},
};
use ocelli_core::transaction::Recovered;

/// What was taken for the blocks under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// The block that was made and is not published yet; empty if there is none.
    made: Taken,
    /// The block that is being made; empty if there is none.
    making: Taken,
}

/// What was taken for a block.
#[derive(Debug, Default)]
struct Taken {
    taken: B256Set,
    /// Senders and authorities of those of `taken` that wait no longer.
    uncertain: AddressSet,
}

impl UnderWay {
    /// A block is begun with these; what was begun before and not made, there will not be.
    pub(super) fn begin(&mut self, taken: impl Iterator<Item = B256>) {
        self.making = Taken { taken: taken.collect(), uncertain: AddressSet::default() };
    }

    /// The block that was begun is made, and the one before it is sealed.
    pub(super) fn made(&mut self) {
        self.made = std::mem::take(&mut self.making);
    }

    /// There will be no block of what was taken last.
    pub(super) fn none_made(&mut self) {
        self.making = Taken::default();
    }

    /// The first of the blocks under way is sealed.
    pub(super) fn sealed(&mut self) {
        let first = if self.made.taken.is_empty() { &mut self.making } else { &mut self.made };
        *first = Taken::default();
    }

    /// Whether a block may have this transaction.
    pub(super) fn has(&self, hash: &B256) -> bool {
        self.made.taken.contains(hash) || self.making.taken.contains(hash)
    }

    /// A transaction waits no longer.
    pub(super) fn note_gone(&mut self, transaction: &Recovered) {
        for block in [&mut self.made, &mut self.making] {
            if block.taken.contains(&transaction.hash()) {
                block.uncertain.insert(transaction.sender());
                block.uncertain.extend(transaction.authorities().iter().flatten());
            }
        }
    }

    /// Whether a block may change what the queue believes of an account in a way that the queue does not count with.
    pub(super) fn is_uncertain(&self, account: &Address) -> bool {
        self.made.uncertain.contains(account) || self.making.uncertain.contains(account)
    }
}
