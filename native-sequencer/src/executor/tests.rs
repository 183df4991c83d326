//! What one block makes the EVM do is bounded, whatever waits for it.

mod forecast;
mod recent;
mod sequential;

use super::{
    layout::Layouts,
    speculate::{Speculation, Tried, speculate},
    *,
};
use crate::state::Codes;
use alloy_primitives::{Address, Bytes, TxKind, hex};
use ocelli_core::{
    genesis::GenesisAccount,
    lanes::{Footprint, Lanes, lanes},
};
use ocelli_tests::{
    chain::{TestChain, params},
    wallet::Wallet,
};
use std::{collections::BTreeMap, sync::Arc};

/// Runs until its gas is used up.
const ENDLESS: &[u8] = &hex!("5b 5f 56");
/// With calldata sets slot 0. Without, runs until its gas is used up if slot 0 is set.
const TRAP: &[u8] = &hex!(
    "36 600e 57"       // 00: with calldata go to 0e
    "5f 54 600a 57 00" // 04: if slot 0 is set go to 0a
    "5b 600a 56"       // 0a: stay there
    "5b 6001 5f 55 00" // 0e: set slot 0
);
/// With calldata sets slot 0. Without, sets the slot of the caller's address if slot 0 is set.
const SPREAD: &[u8] = &hex!(
    "36 6010 57"       // 00: with calldata go to 10
    "5f 54 600a 57 00" // 04: if slot 0 is set go to 0a
    "5b 6001 33 55 00" // 0a: set the caller's
    "5b 6001 5f 55 00" // 10: set slot 0
);
const BLOCK_GAS: u64 = 3_000_000;
const CALL_GAS: u64 = 1_000_000;

struct World {
    chain: TestChain,
    snapshot: Snapshot,
    wallets: Vec<Wallet>,
    contract: Address,
}

impl World {
    /// A contract with this code, and wallets.
    fn new(code: &'static [u8]) -> Self {
        let wallets: Vec<Wallet> = (0..20).map(Wallet::new).collect();
        let balance = U256::from(10).pow(U256::from(20));
        let rich = |wallet: &Wallet| (wallet.address(), GenesisAccount { balance, ..GenesisAccount::default() });
        let mut accounts: BTreeMap<Address, GenesisAccount> = wallets.iter().map(rich).collect();
        let contract = Address::repeat_byte(0xcc);
        let account = GenesisAccount { nonce: 1, code: Bytes::from_static(code), ..GenesisAccount::default() };
        accounts.insert(contract, account);
        let with_limit = |sequencer| ocelli_core::params::Params { gas_limit: BLOCK_GAS, ..params(sequencer) };
        let chain = TestChain::with_accounts(&accounts, with_limit);
        let codes = Codes::default();
        chain.state.codes.iter().for_each(|(hash, code)| codes.insert(*hash, code.clone()));
        let snapshot = Snapshot { tree: chain.state.tree.clone(), codes: Arc::new(codes) };
        Self { chain, snapshot, wallets, contract }
    }

    fn env(&self) -> Env<'_> {
        Env::after(&self.chain.config, &self.chain.head, self.chain.head.time_ms + 100)
    }

    /// A call of the contract by each wallet, several times over; the first has calldata.
    fn calls(&mut self, rounds: usize) -> Vec<Recovered> {
        let to = TxKind::Call(self.contract);
        let mut input = Bytes::from_static(&[1]);
        let mut calls = Vec::new();
        for _ in 0..rounds {
            for wallet in &mut self.wallets {
                calls.push(wallet.send(to, U256::ZERO, std::mem::take(&mut input), CALL_GAS));
            }
        }
        calls
    }
}

/// Senders and nonces of what is in a block.
fn included(block: &ExecutedBlock, calls: &[Recovered]) -> Vec<(Address, u64)> {
    let by_bytes = |bytes: &Bytes| calls.iter().find(|call| call.encoded() == bytes).expect("one of them");
    let transactions = block.rows.iter().flat_map(|row| &row.transactions);
    transactions.map(by_bytes).map(|call| (call.sender(), call.nonce())).collect()
}

/// What rows did, row by row.
fn effects(block: &ExecutedBlock) -> Vec<Vec<Access>> {
    block.rows.iter().map(|row| row.effects.accesses.clone()).collect()
}

/// What is found of transactions before anything is known of them.
fn try_all(world: &World, calls: &[Recovered]) -> Vec<Tried> {
    try_groups(world, &world.env(), calls, &Forecast::default().group(calls).groups)
}

/// What is found of transactions one after the other.
fn try_together(world: &World, env: &Env<'_>, calls: &[Recovered]) -> Vec<Tried> {
    let at_one_key = (0..calls.len()).map(|index| Footprint { index, keys: &[((), true)] });
    try_groups(world, env, calls, &lanes(&at_one_key.collect::<Vec<_>>()))
}

fn try_groups(world: &World, env: &Env<'_>, calls: &[Recovered], groups: &Lanes) -> Vec<Tried> {
    let recent = Recent::default();
    let base = Overlay::new(Remembered::new(&world.snapshot, &recent));
    let limits = calls.iter().map(|call| call.gas_limit()).fold(0, u64::saturating_add);
    let Speculation { guesses, refused, .. } = speculate(env, &base, calls, groups, limits, &Layouts::default());
    let why = |at| refused.iter().find(|(refused, _)| *refused == at).map(|(_, why)| why.clone()).expect("tried");
    guesses.into_iter().enumerate().map(|(at, guess)| guess.into_inner().ok_or_else(|| why(at))).collect()
}

#[test]
fn no_more_is_tried_than_fills_a_block() {
    let mut world = World::new(ENDLESS);
    let calls = world.calls(2);
    let tried = try_all(&world, &calls).len() as u64;
    assert!(tried <= BLOCK_GAS / CALL_GAS + 1, "{tried}");
    let block = execute(&world.env(), &world.snapshot, &calls, 0, &mut Forecast::default(), &Recent::default())
        .expect("executes");
    assert_eq!(block.gas_used(), BLOCK_GAS);
}

#[test]
fn what_no_row_can_hold_leaves_nothing_to_those_behind_it() {
    // Adds one to slot 0: the first time for more gas than a row has here, and later for less.
    let mut world = World::new(&hex!("5f 54 6001 01 5f 55 00"));
    let calls = world.calls(1);
    let mut params = world.chain.config.params.clone();
    params.limits.row_gas = 40_000;
    let env = Env { params: &params, ..world.env() };
    let guesses = try_together(&world, &env, &calls);
    assert!(guesses.iter().all(|guess| *guess == Err(Refused::RowGas)), "{guesses:?}");
}

#[test]
fn rounds_go_on_where_groups_were_left() {
    // Each sees what those before it left, though a round has gas for few of them.
    let mut world = World::new(&hex!("5f 54 6001 01 5f 55 00"));
    let calls = world.calls(2);
    let guesses = try_together(&world, &world.env(), &calls);
    let counted = |guess: &Tried| {
        guess.as_ref().ok()?.did.accesses.iter().find_map(|access| match access.after? {
            ocelli_core::value::Value::Slot(count) => Some(count),
            ocelli_core::value::Value::Account(_) => None,
        })
    };
    let counts: Vec<Option<U256>> = guesses.iter().map(counted).collect();
    assert_eq!(counts, (1..=calls.len()).map(|count| Some(U256::from(count))).collect::<Vec<_>>());
}

#[test]
fn gas_that_is_set_aside_and_not_spent_is_no_waste() {
    // Limits are far above what these spend, so they are tried a few at a time; and each sender's second follows on its first.
    let mut world = World::new(&[]);
    let calls = world.calls(2);
    assert!(calls.len() as u64 * CALL_GAS > 10 * BLOCK_GAS);
    let guesses = try_all(&world, &calls);
    assert_eq!(guesses.iter().filter(|guess| guess.is_ok()).count(), calls.len());
    let block = execute(&world.env(), &world.snapshot, &calls, 0, &mut Forecast::default(), &Recent::default())
        .expect("executes");
    assert!(included(&block, &calls).len() > 20, "{}", included(&block, &calls).len());
    assert_eq!(block.refused, []);
}

#[test]
fn transactions_that_spend_more_than_expected_wait_for_the_next_block() {
    let mut world = World::new(TRAP);
    let calls = world.calls(2);
    let block = execute(&world.env(), &world.snapshot, &calls, 0, &mut Forecast::default(), &Recent::default())
        .expect("executes");
    assert!(block.gas_used() <= BLOCK_GAS, "{}", block.gas_used());
    assert_eq!(block.refused, []);
    // What is left out of each sender's is what comes last.
    let included = included(&block, &calls);
    assert!(!included.is_empty() && included.len() < calls.len(), "{included:?}");
    for (at, (sender, nonce)) in included.iter().enumerate() {
        assert_eq!(included[..at].iter().filter(|(earlier, _)| earlier == sender).count() as u64, *nonce);
    }
}

#[test]
fn what_is_promised_finds_gas_though_it_surprises() {
    let mut world = World::new(SPREAD);
    // The second uses another slot than expected, so it runs behind all others, which together leave less than its gas limit.
    let mut calls = world.calls(1);
    calls.truncate(2);
    let filler = &mut world.wallets[2];
    filler.nonce = 0;
    calls.extend((0..110).map(|_| filler.transfer(Address::repeat_byte(0xaa), 1)));
    let block = execute(&world.env(), &world.snapshot, &calls, 2, &mut Forecast::default(), &Recent::default())
        .expect("executes");
    assert_eq!(block.surprises, 1);
    let included = included(&block, &calls);
    for promised in &calls[..2] {
        assert!(included.contains(&(promised.sender(), promised.nonce())), "{included:?}");
    }
    assert!(included.len() > 2);
}
