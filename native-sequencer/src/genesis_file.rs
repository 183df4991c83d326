//! The genesis file: a chain's parameters and first accounts, as an operator writes them (JSON).

use alloy_primitives::B256;
use alloy_primitives::{Address, Bytes, U256};
use ocelli_core::{
    evm::work::WorkTable,
    fees::BaseFeeRule,
    genesis::{ChainConfig, GenesisAccount, GenesisError, genesis_state},
    params::{Fork, Params, ParamsError, REVM, TaskLimits},
    tree::Tree,
    verifiers::{Registered, VerifierSet, VerifierSetError},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A genesis file is wrong.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not JSON of the right shape.
    #[error("{path}: {source}. docs/operating.md describes the fields")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The parameters cannot be used.
    #[error("genesis parameters: {0}")]
    Params(#[from] ParamsError),
    /// The verifiers are no set.
    #[error("genesis verifiers: {0}")]
    Verifiers(#[from] VerifierSetError),
    /// The accounts cannot be used.
    #[error(transparent)]
    Accounts(#[from] GenesisError),
}

/// How the base fee follows use; see `ocelli_core::fees`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BaseFee {
    /// The first block's, in wei.
    pub initial: u64,
    /// The lowest, in wei.
    pub minimum: u64,
    /// The gas a second at which it stays.
    pub target_gas_per_second: u64,
}

/// A verifier and its weight.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verifier {
    /// The owner's address.
    pub owner: Address,
    /// Its weight.
    pub weight: u64,
}

/// An account of the first state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountEntry {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// Runtime code.
    pub code: Bytes,
    /// Storage, by slot.
    pub storage: BTreeMap<U256, U256>,
}

/// A genesis file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisFile {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Unix milliseconds.
    pub time_ms: u64,
    /// Most gas of a block.
    pub gas_limit: u64,
    /// The base fee's rule.
    pub base_fee: BaseFee,
    /// Address of the key that signs headers.
    pub sequencer: Address,
    /// Who gets the tips: COINBASE.
    pub tips: Address,
    /// Who gets the base fees.
    pub pool: Address,
    /// Blocks in an epoch.
    pub epoch_blocks: u64,
    /// How many registered owners must have checked each task.
    pub redundancy: u16,
    /// Who attests.
    pub verifiers: Vec<Verifier>,
    /// The first accounts.
    pub accounts: BTreeMap<Address, AccountEntry>,
}

/// A chain's beginning, ready to use.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// What names the chain.
    pub config: ChainConfig,
    /// The first state.
    pub state: Tree,
    /// The code that it refers to.
    pub codes: Vec<(B256, Bytes)>,
}

impl GenesisFile {
    /// Reads a genesis file.
    ///
    /// # Errors
    /// [`GenesisFileError`], which names the file.
    pub fn read(path: &Path) -> Result<Self, GenesisFileError> {
        let io = |source| GenesisFileError::Io { path: path.to_owned(), source };
        let text = std::fs::read(path).map_err(io)?;
        serde_json::from_slice(&text).map_err(|source| GenesisFileError::Json { path: path.to_owned(), source })
    }

    /// Writes the file, all of it or nothing.
    ///
    /// # Errors
    /// [`GenesisFileError`], which names the file.
    pub fn write(&self, path: &Path) -> Result<(), GenesisFileError> {
        let io = |source| GenesisFileError::Io { path: path.to_owned(), source };
        let json = |source| GenesisFileError::Json { path: path.to_owned(), source };
        let text = serde_json::to_vec_pretty(self).map_err(json)?;
        let unfinished = path.with_extension("json.unfinished");
        std::fs::write(&unfinished, text).map_err(io)?;
        std::fs::File::open(&unfinished).and_then(|file| file.sync_all()).map_err(io)?;
        std::fs::rename(&unfinished, path).map_err(io)
    }

    /// The chain that the file describes.
    ///
    /// # Errors
    /// [`GenesisFileError`] if the parameters, verifiers or accounts cannot be used.
    pub fn open(&self) -> Result<Genesis, GenesisFileError> {
        let accounts = self.accounts.iter().map(|(address, entry)| (*address, entry.account())).collect();
        let (state, codes) = genesis_state(&accounts)?;
        let params = self.params()?;
        params.validate()?;
        Ok(Genesis { config: ChainConfig { params, state_root: state.root(), time_ms: self.time_ms }, state, codes })
    }

    fn params(&self) -> Result<Params, VerifierSetError> {
        let mut verifiers: Vec<Registered> =
            self.verifiers.iter().map(|entry| Registered { owner: entry.owner, weight: entry.weight }).collect();
        verifiers.sort_unstable_by_key(|verifier| verifier.owner);
        Ok(Params {
            chain_id: self.chain_id,
            fork: Fork::Osaka,
            revm: REVM,
            gas_limit: self.gas_limit,
            base_fee: BaseFeeRule {
                initial: self.base_fee.initial,
                minimum: self.base_fee.minimum,
                target_gas_per_second: self.base_fee.target_gas_per_second,
            },
            limits: TaskLimits::default(),
            work: WorkTable::default(),
            sequencer: self.sequencer,
            tips: self.tips,
            pool: self.pool,
            epoch_blocks: self.epoch_blocks,
            redundancy: self.redundancy,
            verifiers: VerifierSet::try_from(verifiers)?,
        })
    }
}

impl AccountEntry {
    fn account(&self) -> GenesisAccount {
        GenesisAccount {
            nonce: self.nonce,
            balance: self.balance,
            code: self.code.clone(),
            slots: self.storage.clone(),
        }
    }
}
