//! Where a chain begins: its parameters, its first state and its time, and the header that follows from them.

use crate::{
    evm::{Code, rules},
    hash::{Domain, Preimage, keccak256},
    header::{Epoch, Header, L1, PROTOCOL_VERSION},
    key::Key,
    manifest::Manifest,
    merkle,
    params::Params,
    tree::{Leaf, NodeHash, Tree},
    value::{Account, Value},
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

/// All that a verifier has to trust: who has this knows the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainConfig {
    /// The parameters in force from the first block.
    pub params: Params,
    /// The root of the first state.
    pub state_root: NodeHash,
    /// The time of genesis, Unix milliseconds.
    pub time_ms: u64,
}

impl ChainConfig {
    /// The genesis hash, which names the chain in everything that is signed.
    pub fn genesis_hash(&self) -> B256 {
        Preimage::of(Domain::Genesis, &B256::ZERO)
            .b256(&self.params.hash())
            .b256(&self.state_root.0)
            .u64(self.time_ms)
            .hash()
    }

    /// The parameters in force at `height`. Parameters change by height; so far no change is scheduled anywhere.
    pub const fn params_at(&self, _height: u64) -> &Params {
        &self.params
    }

    /// The header with height 0. Nobody signs it: it follows from the configuration.
    pub fn genesis_header(&self) -> Header {
        let genesis = self.genesis_hash();
        let set_hash = self.params.verifiers.hash();
        Header {
            version: PROTOCOL_VERSION,
            genesis,
            params_hash: self.params.hash(),
            height: 0,
            term: 0,
            parent: B256::ZERO,
            time_ms: self.time_ms,
            state_root: self.state_root.0,
            manifest_root: Manifest::default().root(),
            ancestors: merkle::root(&[]),
            epoch: Epoch {
                number: 0,
                seed: Preimage::of(Domain::Seed, &genesis).hash(),
                set_hash,
                next_set_hash: set_hash,
            },
            l1: L1::default(),
            gas_used: 0,
            base_fee: self.params.base_fee.initial,
            sequencer: self.params.sequencer,
        }
    }
}

/// An account that genesis makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisAccount {
    /// Nonce.
    pub nonce: u64,
    /// Balance in wei.
    #[serde(with = "crate::wire::compact")]
    pub balance: U256,
    /// Code; empty for none.
    pub code: Bytes,
    /// Storage, by slot.
    pub slots: BTreeMap<U256, U256>,
}

/// Why a genesis state is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GenesisError {
    /// An account has storage but neither nonce nor code: creating a contract there would find it (EIP-7610).
    StorageWithoutAccount(Address),
    /// An account's code begins like a delegation (EIP-7702) and is none.
    NotCode(Address),
}

impl core::fmt::Display for GenesisError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::StorageWithoutAccount(address) => {
                write!(f, "genesis account {address} has storage but neither a nonce nor code")
            }
            Self::NotCode(address) => {
                write!(f, "the code of genesis account {address} begins with 0xef01 and is no delegation")
            }
        }
    }
}

impl core::error::Error for GenesisError {}

/// The first state, with the contracts that the rules need, and the code it refers to.
///
/// # Errors
/// [`GenesisError`].
pub fn genesis_state(accounts: &BTreeMap<Address, GenesisAccount>) -> Result<(Tree, Vec<(B256, Bytes)>), GenesisError> {
    let mut all = accounts.clone();
    for (address, nonce, code) in rules::predeployed() {
        all.entry(address).or_insert(GenesisAccount { nonce, code, ..GenesisAccount::default() });
    }
    let mut leaves = Vec::new();
    let mut codes = Vec::new();
    for (address, account) in &all {
        if account.nonce == 0 && account.code.is_empty() && !account.slots.is_empty() {
            return Err(GenesisError::StorageWithoutAccount(*address));
        }
        if Code::new_raw_checked(account.code.clone()).is_err() {
            return Err(GenesisError::NotCode(*address));
        }
        let code_hash = if account.code.is_empty() { B256::ZERO } else { keccak256(&account.code) };
        if !account.code.is_empty() {
            codes.push((code_hash, account.code.clone()));
        }
        let value = Account { nonce: account.nonce, balance: account.balance, code_hash };
        let account_leaf = (Key::Account(*address), Value::Account(value));
        let slot_leaves = account.slots.iter().map(|(slot, word)| (Key::Slot(*address, *slot), Value::Slot(*word)));
        let written = core::iter::once(account_leaf).chain(slot_leaves).filter(|(_, value)| !value.is_absent());
        leaves.extend(written.map(|(key, value)| Leaf::new(key, 1, value)));
    }
    leaves.sort_unstable_by_key(|leaf| leaf.path);
    codes.sort_unstable_by_key(|(hash, _)| *hash);
    codes.dedup_by_key(|(hash, _)| *hash);
    let mut tree = Tree::new();
    tree.update(leaves);
    Ok((tree, codes))
}
