//! Random programs, built into blocks, pass every check; and of what their rows list, nothing can be left out and nothing
//! added, whether or not it would be used.

use alloy_primitives::{B256, Bytes, U256};
use ocelli_core::{
    evm::StateError,
    manifest::RowKind,
    refusal::Refusal,
    row::{
        CodeRef, RowBody, RowFault,
        body::{AccountBefore, SlotBefore},
        verify_row,
    },
    wire,
};
use ocelli_tests::{
    chain::TestBlock,
    programs::{cut, programs, valid},
};
use proptest::{collection::vec, prelude::*};

const DEEDS: usize = 10;

/// How row `index` is checked with `body` in the place of its body, committed to.
fn verdict(block: &TestBlock, index: usize, body: &RowBody) -> Option<RowFault> {
    let mut manifest = block.assembled.manifest.clone();
    let bytes: Bytes = wire::encode(body).into();
    manifest.rows[index].body_hash = wire::body_hash(&bytes);
    let task = ocelli_core::row::RowTask { body: bytes, ..block.row_task(index) };
    match verify_row(&block.env(), &manifest, index, &task, |hash| block.codes.get(hash).cloned()) {
        Ok(_) => None,
        Err(Refusal::Fault(fault)) => Some(fault),
        Err(Refusal::NotCommitted(reason)) => panic!("{reason}"),
    }
}

fn body(block: &TestBlock, index: usize) -> RowBody {
    wire::decode(&block.assembled.row_bodies[index], usize::MAX).expect("a body")
}

/// Every row, with each of its accounts, slots and codes left out. Those listed behind what is left out take its place; so it
/// shows in some fault, and if nothing stands behind it, in this one.
fn check_left_out(block: &TestBlock) -> Result<(), TestCaseError> {
    for index in 0..block.rows.len() {
        let body = body(block, index);
        for at in 0..body.accounts.len() {
            let mut fewer = body.clone();
            fewer.accounts.remove(at);
            check_fewer(verdict(block, index, &fewer), at == fewer.accounts.len())?;
        }
        for at in 0..body.slots.len() {
            let mut fewer = body.clone();
            fewer.slots.remove(at);
            check_fewer(verdict(block, index, &fewer), at == fewer.slots.len())?;
        }
        for at in 0..body.codes.len() {
            let mut fewer = body.clone();
            let code = fewer.codes.remove(at);
            let fault = verdict(block, index, &fewer);
            let named =
                matches!(fault, Some(RowFault::NotListed(_, StateError::CodeNotListed(named))) if named == code.hash);
            prop_assert!(named, "row {index} without {code:?}: {fault:?}");
        }
    }
    Ok(())
}

fn check_fewer(fault: Option<RowFault>, last: bool) -> Result<(), TestCaseError> {
    let named = matches!(fault, Some(RowFault::NotListed(_, StateError::KeyNotListed(_))));
    prop_assert!(if last { named } else { fault.is_some() }, "{fault:?}");
    Ok(())
}

/// Every row, with an account and a slot more at every place of its lists, and with the codes of other rows.
fn check_added(block: &TestBlock, word: U256) -> Result<(), TestCaseError> {
    for index in 0..block.rows.len() {
        let body = body(block, index);
        for (at, version) in (0..=body.accounts.len()).zip([0, 1].into_iter().cycle()) {
            let mut more = body.clone();
            more.accounts.insert(at, AccountBefore { version, ..AccountBefore::default() });
            check_more(verdict(block, index, &more), at == body.accounts.len())?;
        }
        for at in 0..=body.slots.len() {
            let mut more = body.clone();
            more.slots.insert(at, SlotBefore { version: 1, word });
            check_more(verdict(block, index, &more), at == body.slots.len())?;
        }
        for (hash, code) in &block.codes {
            check_code_added(block, index, &body, (*hash, code))?;
        }
    }
    Ok(())
}

fn check_more(fault: Option<RowFault>, last: bool) -> Result<(), TestCaseError> {
    prop_assert!(if last { fault == Some(RowFault::BeforeNotUsed) } else { fault.is_some() }, "{fault:?}");
    Ok(())
}

fn check_code_added(
    block: &TestBlock,
    index: usize,
    body: &RowBody,
    (hash, code): (B256, &Bytes),
) -> Result<(), TestCaseError> {
    if body.codes.iter().any(|listed| listed.hash == hash) {
        return Ok(());
    }
    let mut more = body.clone();
    let at = more.codes.partition_point(|listed| listed.hash < hash);
    more.codes.insert(at, CodeRef { hash, length: code.len() as u32 });
    let fault = verdict(block, index, &more);
    prop_assert_eq!(fault, Some(RowFault::CodeNotUsed(hash)), "row {}", index);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn of_random_programs(program in programs(DEEDS), ends in vec(any::<bool>(), DEEDS), word in any::<u64>()) {
        let mut chain = program.chain(6);
        let transactions = valid(&chain, &program.transactions());
        let block = chain.block(&cut(&transactions, &ends));
        prop_assert_eq!(block.check(), Ok(None));
        prop_assert_eq!(block.rows.iter().filter(|row| row.kind != RowKind::User).count(), 2);
        check_left_out(&block)?;
        check_added(&block, U256::from(word) + U256::from(100))?;
    }
}
