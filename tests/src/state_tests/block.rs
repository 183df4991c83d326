//! The block that a case is: what its environment says, as parameters and a header, over its state.

use super::case::{Environment, StateTest};
use crate::{
    chain::{State, TestBlock, params},
    wallet::Wallet,
};
use alloy_primitives::{Address, B256, U256, address, keccak256};
use ocelli_core::{
    block::assemble,
    evm::{
        Env,
        rules::{history_slot, predeployed},
    },
    fees::BaseFeeRule,
    genesis::ChainConfig,
    header::{Header, SignedHeader},
    key::Key,
    limits,
    merkle::Frontier,
    params::{Fork, Params, TaskLimits},
    row::{ExecutedRow, execute_closing},
    tree::{Leaf, Tree},
    value::{Account, Value},
};
use std::sync::Arc;

/// The chain that the vectors are for.
pub const CHAIN_ID: u64 = 1;
/// Where base fees go; no vector knows this account.
const POOL: Address = address!("00006f63656c6c6920636f6e666f726d616e6365");
/// How far back BLOCKHASH reaches.
const BLOCK_HASHES: u64 = 256;

/// The state and the block that the cases of one test start from, under one fork.
#[derive(Debug)]
pub struct Beginning {
    config: ChainConfig,
    key: Arc<ocelli_core::signature::SecretKey>,
    parent: Header,
    time_ms: u64,
    random: B256,
    /// The state before.
    pub state: State,
}

impl Beginning {
    /// Where the cases of `test` under `fork` start. None if its environment has numbers that a header cannot hold.
    pub fn new(test: &StateTest, fork: Fork) -> Option<Self> {
        let env = &test.env;
        let key = Wallet::new(u64::MAX).key;
        let number = u64::try_from(env.current_number).ok()?;
        let time_ms = u64::try_from(env.current_timestamp).ok()?.checked_mul(1_000)?;
        let state = state_before(test, number)?;
        let params = case_params(env, fork, key.address())?;
        let config = ChainConfig { params, state_root: state.tree.root(), time_ms: 0 };
        let parent = Header {
            height: number.checked_sub(1)?,
            time_ms: time_ms.checked_sub(1)?,
            state_root: state.tree.root().0,
            ..config.genesis_header()
        };
        Some(Self { config, key, parent, time_ms, random: env.current_random, state })
    }

    /// The environment of the block.
    pub fn env(&self) -> Env<'_> {
        Env {
            params: &self.config.params,
            height: self.parent.height + 1,
            time_ms: self.time_ms,
            parent: self.random,
            base_fee: self.config.params.base_fee.initial,
        }
    }

    /// The block of `row` and the closing row.
    pub fn block(&self, row: ExecutedRow) -> TestBlock {
        let mut state = self.state.clone();
        state.apply(&row);
        let closing =
            execute_closing(&self.env(), &state, row.totals.base_fees, row.totals.tips).expect("a state has every key");
        state.apply(&closing);

        let rows = vec![row, closing];
        let mut ancestors = Frontier::default();
        let mut assembled =
            assemble(&self.config, &self.parent, &mut ancestors, (self.time_ms, 0), &self.state.tree, &rows)
                .expect("splits into columns");
        assembled.header.parent = self.random;
        let header = assembled.header.clone();
        let signed = SignedHeader { signature: self.key.sign(&header.hash()), header };
        TestBlock {
            config: self.config.clone(),
            key: Arc::clone(&self.key),
            parent: self.parent.clone(),
            parent_ancestors: Frontier::default(),
            before: self.state.clone(),
            rows,
            assembled,
            signed,
            codes: state.codes,
        }
    }

    /// Accounts that Ethereum's state does not have.
    pub fn not_ethereums() -> Vec<Address> {
        predeployed().into_iter().map(|(address, ..)| address).chain([POOL]).collect()
    }
}

fn case_params(env: &Environment, fork: Fork, sequencer: Address) -> Option<Params> {
    let base_fee = u64::try_from(env.current_base_fee).ok()?;
    let params = Params {
        chain_id: CHAIN_ID,
        fork,
        gas_limit: u64::try_from(env.current_gas_limit).ok()?,
        // It stays where it is, whatever the parent was.
        base_fee: BaseFeeRule { initial: base_fee, minimum: base_fee, target_gas_per_second: 1 },
        limits: TaskLimits {
            row_gas: u64::MAX,
            row_work: u64::MAX,
            row_body_bytes: limits::ROW_BODY_BYTES_ANY as u32,
            ..TaskLimits::default()
        },
        tips: env.current_coinbase,
        pool: POOL,
        ..params(sequencer)
    };
    params.validate().ok().map(|()| params)
}

/// The state of the test, with the history contract. None if it has numbers that an account cannot hold, or accounts that
/// are not Ethereum's.
fn state_before(test: &StateTest, number: u64) -> Option<State> {
    let mut leaves = Vec::new();
    let mut state = State { tree: Tree::new(), codes: Default::default() };
    let mut account = |address: Address, nonce: u64, balance: U256, code: &alloy_primitives::Bytes| {
        let code_hash = if code.is_empty() { B256::ZERO } else { keccak256(code) };
        if !code.is_empty() {
            state.codes.insert(code_hash, code.clone());
        }
        (Key::Account(address), Value::Account(Account { nonce, balance, code_hash }))
    };
    for (address, before) in &test.pre {
        if Beginning::not_ethereums().contains(address) {
            return None;
        }
        leaves.push(account(*address, u64::try_from(before.nonce).ok()?, before.balance, &before.code));
        let slots = before.storage.iter();
        leaves.extend(slots.map(|(slot, word)| (Key::Slot(*address, *slot), Value::Slot(*word))));
    }
    for (address, nonce, code) in predeployed() {
        leaves.push(account(address, nonce, U256::ZERO, &code));
    }
    for block in number.saturating_sub(BLOCK_HASHES)..number {
        let (address, slot) = history_slot(block);
        let hash = keccak256(block.to_string());
        leaves.push((Key::Slot(address, slot), Value::Slot(hash.into())));
    }
    let written = leaves.into_iter().filter(|(_, value)| !value.is_absent());
    let mut leaves: Vec<Leaf> = written.map(|(key, value)| Leaf::new(key, 1, value)).collect();
    leaves.sort_unstable_by_key(|leaf| leaf.path);
    state.tree.update(leaves);
    Some(state)
}
