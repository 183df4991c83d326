//! A sequencer commits to whatever it likes; the checks answer, without a panic and within bounded work.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use ocelli_core::{
    evidence::{Claim, Fault},
    evm::StateError,
    genesis::{GenesisAccount, GenesisError, genesis_state},
    key::Key,
    refusal::Refusal,
    row::{CodeRef, RowBody, RowFault, verify_row},
    wire,
};
use ocelli_tests::{
    chain::{TestBlock, TestChain},
    wallet::Wallet,
};

/// The row that the tests below rewrite.
const ROW: usize = 1;

/// A block with one row of one transfer.
fn block() -> TestBlock {
    let mut wallet = Wallet::new(0);
    let transfer = wallet.transfer(Address::repeat_byte(9), 1);
    TestChain::new([&wallet]).block(&[&[transfer]])
}

/// Rewrites the body of [`ROW`] and commits to it.
fn rewrite(block: &mut TestBlock, edit: impl FnOnce(&mut RowBody)) {
    let mut body: RowBody = wire::decode(&block.assembled.row_bodies[ROW], usize::MAX).expect("a body");
    edit(&mut body);
    let bytes = wire::encode(&body);
    block.assembled.manifest.rows[ROW].body_hash = wire::body_hash(&bytes);
    block.assembled.row_bodies[ROW] = bytes.into();
    block.commit();
}

fn verify(block: &TestBlock) -> Refusal<RowFault> {
    let code = |hash: &B256| block.codes.get(hash).cloned();
    verify_row(&block.env(), &block.assembled.manifest, ROW, &block.row_task(ROW), code).expect_err("a lie")
}

#[test]
fn code_that_only_looks_like_a_delegation() {
    // 0xef01 begins a delegation (EIP-7702): a version of zero and an address follow, 23 bytes in all.
    let cut_short = vec![0xef, 0x01];
    let without_address = vec![0xef, 0x01, 0x00];
    let too_long = [vec![0xef, 0x01], vec![0; 22]].concat();
    let other_version = [vec![0xef, 0x01, 0x01], vec![0; 20]].concat();
    for code in [cut_short, without_address, too_long, other_version] {
        let (hash, code) = (keccak256(&code), Bytes::from(code));
        let mut block = block();
        rewrite(&mut block, |body| body.codes = vec![CodeRef { hash, length: code.len() as u32 }]);
        block.codes.insert(hash, code.clone());
        assert_eq!(verify(&block), Refusal::Fault(RowFault::NotCode(hash)));
        let claim = Claim::Row { index: ROW as u32, task: block.row_task(ROW), codes: vec![code] };
        let fault = Fault::Row { index: ROW as u32, fault: RowFault::NotCode(hash) };
        assert_eq!(block.evidence(claim).check(&block.config), Ok(fault));
    }
}

#[test]
fn of_several_keys_left_out_always_the_same_is_named() {
    // A constructor that writes slots 1 to 8 without reading them: SSTORE(n, n), then no code.
    let initcode: Vec<u8> = (1..=8).flat_map(|slot| [0x60, slot, 0x80, 0x55]).collect();
    let mut wallet = Wallet::new(0);
    let create = wallet.send(TxKind::Create, U256::ZERO, initcode.into(), 1_000_000);
    let mut block = TestChain::new([&wallet]).block(&[&[create]]);
    rewrite(&mut block, |body| {
        for entry in &mut body.keys {
            entry.slots.clear();
        }
    });
    let first = Key::Slot(wallet.address().create(0), U256::ONE);
    for _ in 0..32 {
        let fault = RowFault::NotListed(Some(0), StateError::KeyNotListed(first));
        assert_eq!(verify(&block), Refusal::Fault(fault));
    }
}

#[test]
fn genesis_code_that_only_looks_like_a_delegation() {
    let address = Address::repeat_byte(1);
    let account = GenesisAccount { code: Bytes::from_static(&[0xef, 0x01]), ..Default::default() };
    assert_eq!(genesis_state(&[(address, account)].into()).err(), Some(GenesisError::NotCode(address)));
}
