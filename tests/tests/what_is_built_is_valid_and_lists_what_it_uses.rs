//! Random programs, built into blocks, pass every check; and of the keys and codes that their rows list, none can be left
//! out and none added.

use alloy_primitives::{B256, Bytes, U256};
use ocelli_core::{
    evm::StateError,
    key::Key,
    manifest::RowKind,
    refusal::Refusal,
    row::{
        CodeRef, RowBody, RowFault,
        body::{AddressKeys, SlotBefore},
        verify_row,
    },
    value::Account,
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

fn keys(body: &RowBody) -> Vec<Key> {
    let of = |entry: &AddressKeys| {
        let account = entry.account.is_some().then_some(Key::Account(entry.address));
        let slots = entry.slots.iter().map(|slot| Key::Slot(entry.address, slot.slot));
        account.into_iter().chain(slots).collect::<Vec<_>>()
    };
    body.keys.iter().flat_map(of).collect()
}

fn without(body: &RowBody, key: Key) -> RowBody {
    let mut body = body.clone();
    for entry in body.keys.iter_mut().filter(|entry| entry.address == key.address()) {
        match key {
            Key::Account(_) => entry.account = None,
            Key::Slot(_, slot) => entry.slots.retain(|listed| listed.slot != slot),
        }
    }
    body.keys.retain(|entry| entry.account.is_some() || !entry.slots.is_empty());
    body
}

/// The body with a key more, never written or written already.
fn with(body: &RowBody, key: Key, version: u64) -> RowBody {
    let mut body = body.clone();
    let at = body.keys.partition_point(|entry| entry.address < key.address());
    if body.keys.get(at).is_none_or(|entry| entry.address != key.address()) {
        body.keys.insert(at, AddressKeys { address: key.address(), account: None, slots: vec![] });
    }
    let entry = &mut body.keys[at];
    match key {
        Key::Account(_) => entry.account = Some((version, Account::default())),
        Key::Slot(_, slot) => {
            let at = entry.slots.partition_point(|listed| listed.slot < slot);
            entry.slots.insert(at, SlotBefore { slot, version, word: U256::ZERO });
        }
    }
    body
}

/// Every row, with each of its keys and codes left out.
fn check_left_out(block: &TestBlock) -> Result<(), TestCaseError> {
    for index in 0..block.rows.len() {
        let body = body(block, index);
        for key in keys(&body) {
            let fault = verdict(block, index, &without(&body, key));
            let named = matches!(fault, Some(RowFault::NotListed(_, StateError::KeyNotListed(named))) if named == key);
            prop_assert!(named, "row {index} without {key:?}: {fault:?}");
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

/// Every row, with keys that other rows use and keys that nobody does, and with the codes of other rows.
fn check_added(block: &TestBlock, slot: U256) -> Result<(), TestCaseError> {
    let all: Vec<Key> = (0..block.rows.len()).flat_map(|index| keys(&body(block, index))).collect();
    let strangers = all.iter().map(|key| Key::Slot(key.address(), slot));
    let candidates: Vec<Key> = all.iter().copied().chain(strangers).collect();
    for index in 0..block.rows.len() {
        let body = body(block, index);
        let listed = keys(&body);
        for (at, key) in candidates.iter().filter(|key| !listed.contains(key)).enumerate() {
            let fault = verdict(block, index, &with(&body, *key, at as u64 % 2));
            prop_assert_eq!(fault, Some(RowFault::KeyNotUsed(*key)), "row {} with {:?}", index, key);
        }
        for (hash, code) in &block.codes {
            check_code_added(block, index, &body, (*hash, code))?;
        }
    }
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
    fn of_random_programs(program in programs(DEEDS), ends in vec(any::<bool>(), DEEDS), slot in any::<u64>()) {
        let mut chain = program.chain(6);
        let transactions = valid(&chain, &program.transactions());
        let block = chain.block(&cut(&transactions, &ends));
        prop_assert_eq!(block.check(), Ok(None));
        prop_assert_eq!(block.rows.iter().filter(|row| row.kind != RowKind::User).count(), 2);
        check_left_out(&block)?;
        check_added(&block, U256::from(slot) + U256::from(100))?;
    }
}
