//! State and block as a call wants them to be, instead of as they are.

use crate::{limits, rpc::errors::RpcError, state::Snapshot};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rpc_types_eth::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};
use ocelli_core::{
    evm::{Code, Source, StateError, rules},
    key::Key,
    value::{Value, Version},
};
use revm::context::BlockEnv;
use std::collections::{HashMap, HashSet};

/// A snapshot with some keys holding something else.
#[derive(Debug)]
pub(in crate::rpc) struct Overridden {
    snapshot: Snapshot,
    values: HashMap<Key, Value>,
    codes: HashMap<B256, Code>,
    /// Addresses whose storage is only what `values` has.
    emptied: HashSet<Address>,
}

impl Overridden {
    /// `snapshot` with these overrides.
    pub(super) fn new(snapshot: Snapshot, accounts: StateOverride, block: &BlockOverrides) -> Result<Self, RpcError> {
        let mut overridden = Self { snapshot, values: HashMap::new(), codes: HashMap::new(), emptied: HashSet::new() };
        let slots = |account: &AccountOverride| {
            account.state.as_ref().map_or(0, |slots| slots.len())
                + account.state_diff.as_ref().map_or(0, |slots| slots.len())
        };
        let hashes = block.block_hash.iter().flatten();
        let count = accounts.values().map(|account| 1 + slots(account)).sum::<usize>() + hashes.clone().count();
        if count > limits::CALL_OVERRIDES {
            return Err(RpcError::TooMuch(format!("more than {} overrides", limits::CALL_OVERRIDES)));
        }
        for (address, account) in accounts {
            overridden.put(address, account)?;
        }
        // BLOCKHASH reads the history contract.
        for (number, hash) in hashes {
            let (address, slot) = rules::history_slot(*number);
            overridden.values.insert(Key::Slot(address, slot), Value::Slot(U256::from_be_bytes(hash.0)));
        }
        Ok(overridden)
    }

    fn put(&mut self, address: Address, wanted: AccountOverride) -> Result<(), RpcError> {
        if wanted.move_precompile_to.is_some() {
            return Err(RpcError::InvalidParams("movePrecompileToAddress is not supported".to_owned()));
        }
        if wanted.state.is_some() && wanted.state_diff.is_some() {
            return Err(RpcError::InvalidParams(format!("account {address} has both \"state\" and \"stateDiff\"")));
        }
        let key = Key::Account(address);
        let Ok((_, Value::Account(mut account))) = self.snapshot.load(&key) else { return Err(RpcError::Internal) };
        account.balance = wanted.balance.unwrap_or(account.balance);
        account.nonce = wanted.nonce.unwrap_or(account.nonce);
        if let Some(code) = wanted.code {
            account.code_hash = if code.is_empty() { B256::ZERO } else { keccak256(&code) };
            let code = Code::new_raw_checked(code)
                .map_err(|error| RpcError::InvalidParams(format!("code of account {address}: {error}")))?;
            self.codes.insert(account.code_hash, code);
        }
        self.values.insert(key, Value::Account(account));
        if wanted.state.is_some() {
            self.emptied.insert(address);
        }
        for (slot, word) in wanted.state.or(wanted.state_diff).into_iter().flatten() {
            let word = Value::Slot(U256::from_be_bytes(word.0));
            self.values.insert(Key::Slot(address, U256::from_be_bytes(slot.0)), word);
        }
        Ok(())
    }
}

impl Source for Overridden {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        if let Some(value) = self.values.get(key) {
            return Ok((0, *value));
        }
        if matches!(key, Key::Slot(address, _) if self.emptied.contains(address)) {
            return Ok((0, Value::absent(key)));
        }
        self.snapshot.load(key)
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        self.codes.get(hash).map_or_else(|| self.snapshot.code(hash), |code| Ok(code.clone()))
    }
}

/// Sets what `wanted` names.
pub(super) fn apply_to_block(block: &mut BlockEnv, wanted: &BlockOverrides) -> Result<(), RpcError> {
    block.number = wanted.number.unwrap_or(block.number);
    block.timestamp = wanted.time.map_or(block.timestamp, U256::from);
    block.gas_limit = wanted.gas_limit.unwrap_or(block.gas_limit);
    block.beneficiary = wanted.coinbase.unwrap_or(block.beneficiary);
    block.prevrandao = wanted.random.or(block.prevrandao);
    if let Some(base_fee) = wanted.base_fee {
        let narrow = u64::try_from(base_fee);
        block.basefee = narrow.map_err(|_| RpcError::InvalidParams("baseFeePerGas is above 2^64".to_owned()))?;
    }
    Ok(())
}
