//! How much one block may have the EVM do.
//!
//! A transaction's gas limit is set aside before it runs, and what it left is given back, so chains of rows that run in
//! parallel stay below the block's gas limit together. What ran for nothing (it surprised, or no row can take it) costs the
//! block no gas but the computer as much, so it is bounded by as much again. What finds no gas waits for the next block.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The gas that is left for rows, and for what runs for nothing.
#[derive(Debug)]
pub(super) struct Budget {
    rows: AtomicU64,
    nothing: AtomicU64,
}

impl Budget {
    /// That of a block with this gas limit.
    pub(super) const fn new(gas_limit: u64) -> Self {
        Self { rows: AtomicU64::new(gas_limit), nothing: AtomicU64::new(gas_limit) }
    }

    /// Sets aside the gas limit of a transaction; false if there is not so much, and then it must not run.
    pub(super) fn set_aside(&self, gas_limit: u64) -> bool {
        self.nothing.load(Relaxed) > 0
            && self.rows.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(gas_limit)).is_ok()
    }

    /// What was set aside for a transaction that is in a row now and spent so much of it.
    pub(super) fn spent(&self, gas_limit: u64, spent: u64) {
        self.rows.fetch_add(gas_limit.saturating_sub(spent), Relaxed);
    }

    /// What was set aside for a transaction that did not run, having been invalid before it began.
    pub(super) fn unused(&self, gas_limit: u64) {
        self.spent(gas_limit, 0);
    }

    /// What was set aside for a transaction that ran and is in no row.
    pub(super) fn wasted(&self, gas_limit: u64) {
        self.unused(gas_limit);
        // The update always has a value.
        let _ = self.nothing.fetch_update(Relaxed, Relaxed, |left| Some(left.saturating_sub(gas_limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_set_aside_than_there_is() {
        let budget = Budget::new(100);
        assert!(budget.set_aside(60));
        assert!(!budget.set_aside(41));
        budget.spent(60, 20);
        assert!(budget.set_aside(80));
        budget.unused(80);
        assert!(budget.set_aside(80));
    }

    #[test]
    fn what_runs_for_nothing_is_bounded_too() {
        let budget = Budget::new(100);
        for _ in 0..2 {
            assert!(budget.set_aside(60));
            budget.wasted(60);
        }
        assert!(!budget.set_aside(1));
    }
}
