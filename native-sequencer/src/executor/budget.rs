//! How much one block may have the EVM do.
//!
//! A transaction's gas limit is set aside before it runs, and what it left is given back, so chains of rows that run in
//! parallel stay below the block's gas limit together. What ran for nothing (it surprised, or no row can take it) costs the
//! block no gas but the computer as much, so it is bounded by as much again. What finds no gas waits for the next block.
//!
//! The first transactions of the list may be promised. Their gas limits are set aside from the start, so others leave them room
//! however late they run.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The gas that is left for rows, and for what runs for nothing.
#[derive(Debug)]
pub(super) struct Budget {
    /// How many are promised.
    promised: usize,
    /// What is left for these.
    kept: AtomicU64,
    rows: AtomicU64,
    nothing: AtomicU64,
}

impl Budget {
    /// That of a block with this gas limit, of whose transactions the first have these gas limits and are promised.
    pub(super) fn new(gas_limit: u64, promised: impl ExactSizeIterator<Item = u64>) -> Self {
        let count = promised.len();
        let kept = promised.fold(0, u64::saturating_add).min(gas_limit);
        let (rows, nothing) = (AtomicU64::new(gas_limit - kept), AtomicU64::new(gas_limit));
        Self { promised: count, kept: AtomicU64::new(kept), rows, nothing }
    }

    /// Whether the transaction at this place of the list is promised.
    pub(super) const fn is_promised(&self, at: usize) -> bool {
        at < self.promised
    }

    /// Sets aside the gas limit of the transaction at a place; false if there is not so much, and then it must not run.
    pub(super) fn set_aside(&self, at: usize, gas_limit: u64) -> bool {
        let from = if self.is_promised(at) { &self.kept } else { &self.rows };
        (self.is_promised(at) || self.nothing.load(Relaxed) > 0)
            && from.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(gas_limit)).is_ok()
    }

    /// What was set aside for a transaction that is in a row now and spent so much of it.
    pub(super) fn spent(&self, gas_limit: u64, spent: u64) {
        self.rows.fetch_add(gas_limit.saturating_sub(spent), Relaxed);
    }

    /// What was set aside for a transaction that did not run, having been invalid before it began.
    pub(super) fn unused(&self, gas_limit: u64) {
        self.spent(gas_limit, 0);
    }

    /// What was set aside for the transaction at a place, which ran and is in no row. One that is promised may run again.
    pub(super) fn wasted(&self, at: usize, gas_limit: u64) {
        let from = if self.is_promised(at) { &self.kept } else { &self.rows };
        from.fetch_add(gas_limit, Relaxed);
        // The update always has a value.
        let _ = self.nothing.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(gas_limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpromised(gas_limit: u64) -> Budget {
        Budget::new(gas_limit, [].into_iter())
    }

    #[test]
    fn no_more_is_set_aside_than_there_is() {
        let budget = unpromised(100);
        assert!(budget.set_aside(0, 60));
        assert!(!budget.set_aside(1, 41));
        budget.spent(60, 20);
        assert!(budget.set_aside(1, 80));
        budget.unused(80);
        assert!(budget.set_aside(2, 80));
    }

    #[test]
    fn what_runs_for_nothing_is_bounded_too() {
        let budget = unpromised(100);
        for at in 0..2 {
            assert!(budget.set_aside(at, 60));
            budget.wasted(at, 60);
        }
        assert!(!budget.set_aside(2, 1));
    }

    #[test]
    fn what_is_promised_finds_gas_whatever_the_others_use() {
        let budget = Budget::new(100, [30, 20].into_iter());
        assert!(!budget.set_aside(2, 51));
        assert!(budget.set_aside(0, 30));
        budget.wasted(0, 30);
        assert!(budget.set_aside(2, 50));
        budget.wasted(2, 50);
        assert!(budget.set_aside(3, 50));
        budget.wasted(3, 50);
        assert!(!budget.set_aside(4, 1), "so much has run for nothing");
        assert!(budget.set_aside(0, 30) && budget.set_aside(1, 20));
        assert!(!budget.set_aside(0, 1));
    }

    #[test]
    fn what_promised_ones_do_not_spend_is_for_the_others() {
        let budget = Budget::new(100, [50].into_iter());
        assert!(budget.set_aside(0, 50));
        budget.spent(50, 10);
        assert!(budget.set_aside(1, 90) && !budget.set_aside(2, 1));
    }
}
