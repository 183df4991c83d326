//! A run of blocks in which everything happens that a lie could be told about.
//!
//! Transfers of every type; contracts that store, log, revert, run out of gas, create and destroy; precompiles; delegations
//! (EIP-7702); keys that many rows share; many rows and, since a column may hold few accesses here, many columns.

use crate::{
    bytecode::{Code, op},
    chain::{TestBlock, TestChain, params},
    wallet::{MAX_FEE, TIP, Wallet},
};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use ocelli_core::{
    genesis::GenesisAccount,
    params::{Params, TaskLimits},
    transaction::Recovered,
};

/// Accesses of a column at most, so that blocks of a few dozen accesses have several columns.
pub const COLUMN_ACCESSES: u32 = 6;

/// Adds calldata's second word to the slot that its first word names, and logs it: a token's balance.
fn ledger() -> Vec<u8> {
    let add = Code::new().calldata(32).calldata(0).op(op::SLOAD).op(op::ADD).calldata(0).op(op::SSTORE);
    add.calldata(32).number(0).op(op::MSTORE).calldata(0).op(op::CALLER).number(32).number(0).op(op::LOG2).bytes()
}

/// Creates one contract that stays and one that destroys itself while it is created, remembers the first and logs.
fn factory() -> Vec<u8> {
    // SSTORE(0, 42), then one byte of code.
    let child = Code::new().number(42).store(0).number(1).number(0).op(op::RETURN).bytes();
    let short_lived = Code::new().op(op::CALLER).op(op::SELFDESTRUCT).bytes();
    let code = Code::new().create(&child, 0, None).store(0).create(&short_lived, 1, Some(7)).store(1);
    code.number(32).number(0).op(op::LOG0).bytes()
}

/// Writes, calls precompiles and others, reads what a block offers, and keeps all of it.
fn reader(ledger: Address) -> Vec<u8> {
    let mut code = Code::new().number(5).number(0).op(op::MSTORE);
    for precompile in [1, 2, 4] {
        code = code.call(op::STATICCALL, Address::with_last_byte(precompile), 0, 32, 10_000).op(op::POP);
    }
    code = code.call(op::CALL, ledger, 0, 64, 100_000).op(op::POP);
    code = code.number(1).op(op::NUMBER).op(op::BLOCKHASH).op(op::ADD).store(1);
    code = code.op(op::COINBASE).op(op::BALANCE).store(2).address(ledger).op(op::EXTCODESIZE).store(3);
    code.number(9).number(0).op(op::TSTORE).number(0).op(op::TLOAD).store(4).op(op::CALLER).op(op::BALANCE).bytes()
}

/// Stores and reverts.
fn reverter() -> Vec<u8> {
    Code::new().number(1).store(0).number(0).number(0).op(op::REVERT).bytes()
}

/// Stores and stops at an invalid instruction.
fn breaker() -> Vec<u8> {
    Code::new().number(1).store(0).op(op::INVALID).bytes()
}

struct World {
    wallets: Vec<Wallet>,
    ledger: Address,
    factory: Address,
    reader: Address,
    reverter: Address,
    breaker: Address,
}

impl World {
    fn call(&mut self, from: usize, to: Address, words: &[u64]) -> Recovered {
        let input: Vec<u8> = words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect();
        self.wallets[from].send(TxKind::Call(to), U256::ZERO, input.into(), 400_000)
    }

    fn transfer(&mut self, from: usize, to: usize) -> Recovered {
        // One more than there are wallets: some accounts only ever receive.
        let to = Wallet::new(to as u64).address();
        let wallet = &mut self.wallets[from];
        match from % 3 {
            0 => wallet.transfer(to, 1_000),
            1 => wallet.transfer_legacy(to, 7),
            _ => wallet.transfer_2930(to, 5),
        }
    }

    /// A call with an access list (EIP-2930): some of what it lists is used, some is not.
    fn call_with_list(&mut self, from: usize) -> Recovered {
        let slots = [0_u64, 1, 77].map(|slot| B256::from(U256::from(slot))).to_vec();
        let listed = [self.ledger, Address::repeat_byte(0xdd)];
        let items = listed.map(|address| AccessListItem { address, storage_keys: slots.clone() });
        let wallet = &mut self.wallets[from];
        wallet.nonce += 1;
        wallet.sign(TxEip1559 {
            chain_id: crate::wallet::CHAIN_ID,
            nonce: wallet.nonce - 1,
            gas_limit: 400_000,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to: TxKind::Call(self.ledger),
            value: U256::ZERO,
            access_list: AccessList(items.to_vec()),
            input: Bytes::from(U256::from(1).to_be_bytes::<32>().to_vec()),
        })
    }
}

/// A chain of eight rich wallets whose columns hold few accesses, and the wallets.
pub fn chain_of_narrow_columns() -> (TestChain, Vec<Wallet>) {
    let wallets: Vec<Wallet> = (0..8).map(Wallet::new).collect();
    let rich = GenesisAccount { balance: U256::from(10).pow(U256::from(22)), ..GenesisAccount::default() };
    let accounts = wallets.iter().map(|wallet| (wallet.address(), rich.clone())).collect();
    let narrow = |sequencer| Params {
        limits: TaskLimits { column_accesses: COLUMN_ACCESSES, ..TaskLimits::default() },
        ..params(sequencer)
    };
    let mut chain = TestChain::with_accounts(&accounts, narrow);
    chain.term = 1;
    (chain, wallets)
}

/// The blocks of the run, each the next one's parent, and the chain after them.
pub fn blocks() -> (Vec<TestBlock>, TestChain) {
    let (mut chain, mut wallets) = chain_of_narrow_columns();
    let (deploy_ledger, ledger) = wallets[0].deploy(&ledger());
    let (deploy_factory, factory) = wallets[1].deploy(&factory());
    let (deploy_reader, reader) = wallets[2].deploy(&reader(ledger));
    let (deploy_reverter, reverter) = wallets[3].deploy(&reverter());
    let (deploy_breaker, breaker) = wallets[3].deploy(&breaker());
    let mut world = World { wallets, ledger, factory, reader, reverter, breaker };
    let fund = world.wallets[4].send(TxKind::Call(factory), U256::from(1_000), Bytes::new(), 400_000);
    let mut blocks = vec![
        chain.block(&[&[deploy_ledger, deploy_factory], &[deploy_reader, deploy_reverter, deploy_breaker]]),
        chain.block(&[&[fund]]),
    ];
    blocks.push(chain.block(&[]));
    for round in 0..4 {
        let transfers: Vec<_> = (0..8).map(|from| world.transfer(from, from + 1 + round)).collect();
        blocks.push(chain.block(&[&transfers[..3], &transfers[3..4], &transfers[4..]]));
        let calls = calls(&mut world, round as u64);
        let rows: Vec<&[Recovered]> = calls.chunks(2 + round).collect();
        blocks.push(chain.block(&rows));
    }
    let (one, others) = world.wallets.split_at_mut(1);
    let delegate = one[0].delegate(&mut others[0], reader);
    let call_delegated = world.call(2, world.wallets[1].address(), &[]);
    let undelegated = world.transfer(1, 5);
    blocks.push(chain.block(&[&[delegate], &[call_delegated, undelegated]]));
    (blocks, chain)
}

fn calls(world: &mut World, round: u64) -> Vec<Recovered> {
    let (ledger, factory, reader) = (world.ledger, world.factory, world.reader);
    let mut calls = vec![
        world.call(0, ledger, &[1, 5 + round]),
        world.call(1, ledger, &[1, 7]),
        world.call(2, factory, &[]),
        world.call(3, world.reverter, &[]),
        world.call(4, world.breaker, &[]),
        world.call(5, reader, &[]),
        world.call_with_list(6),
        world.call(7, ledger, &[2 + round, 1]),
        world.transfer(0, 9),
    ];
    calls.push(world.call(1, ledger, &[1, 1]));
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_happens_and_every_check_passes() {
        let (blocks, _) = blocks();
        for block in &blocks {
            assert_eq!(block.check(), Ok(None), "block {}", block.signed.header.height);
        }
        let receipts = || blocks.iter().flat_map(|block| &block.rows).flat_map(|row| &row.receipts);
        assert!(receipts().any(|receipt| !receipt.success));
        assert!(receipts().any(|receipt| receipt.logs.len() == 1));
        assert!(blocks.iter().any(|block| block.assembled.manifest.rows.len() > 6));
        assert!(blocks.iter().any(|block| block.assembled.manifest.columns.len() > 6));
        let tasks: u32 = blocks.iter().map(|block| block.assembled.manifest.task_count()).sum();
        assert!(tasks > 100, "{tasks} tasks");
        let deployed = |block: &TestBlock| block.rows.iter().any(|row| row.effects.codes_made.len() > 1);
        assert!(blocks.iter().filter(|block| deployed(block)).count() > 0);
    }
}
