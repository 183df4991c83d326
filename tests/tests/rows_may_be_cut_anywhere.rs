//! The same transactions in the same order do the same, however they are cut into rows.
//!
//! Versions are the one thing that tells cuts apart: they count the rows that wrote a key, so the state roots differ in them
//! and in nothing else.

use alloy_primitives::U256;
use ocelli_core::{key::Key, receipt::Receipt, row::RowTotals};
use ocelli_tests::{
    chain::TestBlock,
    programs::{cut, ether, programs, valid, values},
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

const DEEDS: usize = 14;

fn receipts(block: &TestBlock) -> Vec<&Receipt> {
    block.rows.iter().flat_map(|row| &row.receipts).collect()
}

fn keys(block: &TestBlock) -> BTreeSet<Key> {
    block.rows.iter().flat_map(|row| &row.effects.accesses).map(|access| access.key).collect()
}

fn totals(block: &TestBlock) -> RowTotals {
    block.rows.iter().fold(RowTotals::default(), |sum, row| RowTotals {
        gas_used: sum.gas_used + row.totals.gas_used,
        work: sum.work + row.totals.work,
        base_fees: sum.base_fees + row.totals.base_fees,
        tips: sum.tips + row.totals.tips,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn of_random_programs(program in programs(DEEDS), ends in [vec(any::<bool>(), DEEDS), vec(any::<bool>(), DEEDS)]) {
        let chain = program.chain(8);
        let transactions = valid(&chain, &program.transactions());
        let [one, other] = ends.map(|ends| {
            let mut chain = chain.clone();
            let block = chain.block(&cut(&transactions, &ends));
            (block, chain.state)
        });
        prop_assert_eq!(values(&one.1.tree), values(&other.1.tree));
        prop_assert_eq!(one.1.codes, other.1.codes);
        prop_assert_eq!(receipts(&one.0), receipts(&other.0));
        prop_assert_eq!(keys(&one.0), keys(&other.0));
        prop_assert_eq!(totals(&one.0), totals(&other.0));
        prop_assert_eq!(one.0.check(), Ok(None));
        prop_assert_eq!(other.0.check(), Ok(None));

        let (before, after) = (ether(&chain.state.tree), ether(&one.1.tree));
        let burnt = before.checked_sub(after);
        prop_assert!(burnt.is_some(), "ether out of nothing");
        prop_assert!(program.may_burn() || burnt == Some(U256::ZERO), "{burnt:?} wei lost");
    }
}
