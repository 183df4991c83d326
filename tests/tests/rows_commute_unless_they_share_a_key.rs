//! Rows of which neither writes what the other uses may be executed in any order; and replicas that received the same rows,
//! in whatever order and however often, hold the same state.

use ocelli_core::{
    key::Key,
    replica::{Applied, Replica, ReplicaLimits, RowDiff},
    row::ExecutedRow,
    transaction::Recovered,
    value::{Value, Version},
};
use ocelli_tests::{
    chain::{State, TestChain},
    programs::{Program, cut, programs, valid},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::collections::BTreeMap;

const DEEDS: usize = 12;

/// Whether neither of two rows writes what the other uses.
fn independent(one: &ExecutedRow, other: &ExecutedRow) -> bool {
    let writes = |row: &ExecutedRow, key: Key| {
        row.effects.accesses.iter().any(|access| access.key == key && access.after.is_some())
    };
    let untouched =
        |row: &ExecutedRow, by: &ExecutedRow| row.effects.accesses.iter().all(|access| !writes(by, access.key));
    untouched(one, other) && untouched(other, one)
}

/// Executes each transaction as a row of its own.
fn one_by_one(chain: &TestChain, transactions: &[Recovered]) -> (TestChain, Vec<ExecutedRow>) {
    let mut chain = chain.clone();
    let rows: Vec<&[Recovered]> = transactions.chunks(1).collect();
    let block = chain.block(&rows);
    assert_eq!(block.check(), Ok(None));
    (chain, block.rows)
}

fn state(state: &State) -> BTreeMap<Key, (Version, Value)> {
    state.tree.iter().map(|leaf| (leaf.key, (leaf.version, leaf.value))).collect()
}

/// The rows of two blocks of the program's transactions, and the chain before and after them.
fn two_blocks(program: &Program, ends: &[bool]) -> (TestChain, Vec<ExecutedRow>, TestChain) {
    let before = program.chain(8);
    let transactions = program.transactions();
    let mut chain = before.clone();
    let mut rows = Vec::new();
    for half in [&transactions[..transactions.len() / 2], &transactions[transactions.len() / 2..]] {
        let half = valid(&chain, half);
        rows.extend(chain.block(&cut(&half, ends)).rows);
    }
    (before, rows, chain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn executed_in_another_order(program in programs(DEEDS), swaps in vec(any::<Index>(), 0..40)) {
        let chain = program.chain(8);
        let mut transactions = valid(&chain, &program.transactions());
        prop_assume!(transactions.len() > 1);
        let (after, rows) = one_by_one(&chain, &transactions);
        // Rows of users stand between the opening and the closing row.
        let mut order: Vec<usize> = (1..rows.len() - 1).collect();
        for swap in swaps {
            let at = swap.index(order.len() - 1);
            if independent(&rows[order[at]], &rows[order[at + 1]]) {
                order.swap(at, at + 1);
                transactions.swap(at, at + 1);
            }
        }
        let (after_other, other) = one_by_one(&chain, &transactions);
        for (place, row) in order.iter().enumerate() {
            let (one, other) = (&rows[*row], &other[place + 1]);
            prop_assert_eq!(&one.effects.accesses, &other.effects.accesses);
            prop_assert_eq!(&one.receipts, &other.receipts);
            prop_assert_eq!(one.totals, other.totals);
        }
        // The versions too: the same rows wrote the same keys.
        prop_assert_eq!(after.state.tree.root(), after_other.state.tree.root());
    }

    #[test]
    fn applied_by_a_replica_in_any_order_and_several_times(
        program in programs(DEEDS),
        ends in vec(any::<bool>(), DEEDS),
        order in vec(any::<Index>(), 0..200),
    ) {
        let (before, rows, after) = two_blocks(&program, &ends);
        let diffs: Vec<RowDiff> =
            rows.iter().map(|row| RowDiff::of(&row.effects.accesses).expect("a row's writes")).collect();
        let genesis = before.state.tree.iter().map(|leaf| (leaf.key, leaf.version, leaf.value));
        let mut replica = Replica::of_state(ReplicaLimits::default(), genesis);
        // Some rows in any order, some of them again, and then all of them backwards.
        let random = order.iter().map(|at| at.index(diffs.len()));
        for at in random.chain((0..diffs.len()).rev()) {
            let applied = replica.apply(&diffs[at]);
            prop_assert!(!matches!(applied, Applied::Conflicting(_) | Applied::Full), "{applied:?}");
        }
        prop_assert_eq!(replica.waiting().count(), 0);
        let held: BTreeMap<Key, (Version, Value)> =
            replica.iter().map(|(key, version, value)| (*key, (version, *value))).collect();
        prop_assert_eq!(held, state(&after.state));
    }
}
