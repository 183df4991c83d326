//! The parameters of a chain: one document whose hash stands in every header.

use crate::{
    evm::work::WorkTable,
    fees::BaseFeeRule,
    hash::{Domain, Preimage},
    limits,
    verifiers::VerifierSet,
};
use alloy_primitives::{Address, B256};
use revm::primitives::hardfork::SpecId;
use serde::{Deserialize, Serialize};

/// The exact revm release that defines execution: major, minor, patch.
pub const REVM: [u16; 3] = [43, 0, 3];

/// The Ethereum fork whose rules a row runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fork {
    /// March 2024; for conformance tests.
    Cancun,
    /// May 2025; for conformance tests.
    Prague,
    /// December 2025; the chain's rules.
    Osaka,
}

impl Fork {
    /// The name that revm gives the fork.
    pub const fn spec(self) -> SpecId {
        match self {
            Self::Cancun => SpecId::CANCUN,
            Self::Prague => SpecId::PRAGUE,
            Self::Osaka => SpecId::OSAKA,
        }
    }

    /// Whether transactions of this EIP-2718 type exist: set code transactions (EIP-7702) came with Prague.
    pub(crate) const fn takes(self, kind: u8) -> bool {
        !matches!((self, kind), (Self::Cancun, 4))
    }

    /// Whether a transaction's gas limit is capped (EIP-7825).
    pub(crate) const fn caps_gas_limit(self) -> bool {
        matches!(self, Self::Osaka)
    }

    const fn number(self) -> u8 {
        match self {
            Self::Cancun => 0,
            Self::Prague => 1,
            Self::Osaka => 2,
        }
    }
}

/// How much one row or one column may hold. The defaults are the constants of [`crate::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLimits {
    /// Most transactions of a row.
    pub row_transactions: u32,
    /// Most gas of a row, before refunds.
    pub row_gas: u64,
    /// Most work of a row, in gas as the work table counts it.
    pub row_work: u64,
    /// Most bytes of a row's body.
    pub row_body_bytes: u32,
    /// Most bytes of code that a row asks for.
    pub row_code_bytes: u32,
    /// Most accesses of a column that holds more than one key.
    pub column_accesses: u32,
    /// Most bytes of the body of a column that holds more than one key.
    pub column_body_bytes: u32,
}

impl Default for TaskLimits {
    fn default() -> Self {
        Self {
            row_transactions: limits::ROW_TRANSACTIONS as u32,
            row_gas: limits::ROW_GAS,
            row_work: limits::ROW_WORK,
            row_body_bytes: limits::ROW_BODY_BYTES as u32,
            row_code_bytes: limits::ROW_CODE_BYTES as u32,
            column_accesses: limits::COLUMN_ACCESSES as u32,
            column_body_bytes: limits::COLUMN_BODY_BYTES as u32,
        }
    }
}

/// The parameters of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// The chain id of EIP-155 and EIP-712.
    pub chain_id: u64,
    /// The rules that rows run under.
    pub fork: Fork,
    /// The revm release that means those rules.
    pub revm: [u16; 3],
    /// Most gas of a block.
    pub gas_limit: u64,
    /// How the base fee follows use.
    pub base_fee: BaseFeeRule,
    /// How much a task may hold.
    pub limits: TaskLimits,
    /// What precompiles cost a tab.
    pub work: WorkTable,
    /// The key that signs headers.
    #[serde(with = "crate::wire::raw")]
    pub sequencer: Address,
    /// The account that tips are credited to: COINBASE.
    #[serde(with = "crate::wire::raw")]
    pub tips: Address,
    /// The account that base fees are credited to: the verifiers' pool.
    #[serde(with = "crate::wire::raw")]
    pub pool: Address,
    /// Blocks in an epoch, at least 1.
    pub epoch_blocks: u64,
    /// How many registered owners must have checked a task for it to be covered.
    pub redundancy: u16,
    /// Who may attest, with what weight.
    pub verifiers: VerifierSet,
}

/// Why parameters are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamsError {
    /// This build executes by another revm release than the parameters pin.
    OtherRevm,
    /// `epoch_blocks`, `redundancy` or `gas_limit` is zero, or the base fee rule has a target of zero or begins below its least.
    Zero,
    /// A task limit exceeds what the format can hold.
    AboveFormat,
    /// There are verifiers, and fewer than `redundancy`: nothing could ever be covered.
    TooRedundant,
}

impl core::fmt::Display for ParamsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::OtherRevm => "the parameters pin another revm release than this build executes with",
            Self::Zero => "epoch_blocks, redundancy, gas_limit and the base fee targets must not be zero",
            Self::AboveFormat => "a task limit exceeds what the format can hold",
            Self::TooRedundant => "there are fewer verifiers than redundancy says must check each task",
        })
    }
}

impl core::error::Error for ParamsError {}

impl Params {
    /// Checks what a chain's parameters must fulfil to be usable by this build.
    ///
    /// # Errors
    /// [`ParamsError`], by the first rule broken.
    pub fn validate(&self) -> Result<(), ParamsError> {
        if self.revm != REVM {
            return Err(ParamsError::OtherRevm);
        }
        if self.epoch_blocks == 0 || self.redundancy == 0 || self.gas_limit == 0 || !self.base_fee.is_usable() {
            return Err(ParamsError::Zero);
        }
        let above = self.limits.row_transactions as usize > limits::ROW_TRANSACTIONS_ANY
            || self.limits.row_body_bytes as usize > limits::ROW_BODY_BYTES_ANY
            || self.limits.row_code_bytes as usize > limits::ROW_CODE_BYTES
            || self.limits.column_accesses as usize > limits::COLUMN_ACCESSES_ANY
            || self.limits.column_body_bytes as usize > limits::COLUMN_BODY_BYTES_ANY;
        if above {
            return Err(ParamsError::AboveFormat);
        }
        let owners = self.verifiers.iter().count();
        if owners > 0 && owners < usize::from(self.redundancy) { Err(ParamsError::TooRedundant) } else { Ok(()) }
    }

    /// The hash that headers carry.
    pub fn hash(&self) -> B256 {
        let limits = &self.limits;
        let [major, minor, patch] = self.revm;
        let preimage = Preimage::of(Domain::Params, &B256::ZERO)
            .u64(self.chain_id)
            .u8(self.fork.number())
            .u16(major)
            .u16(minor)
            .u16(patch)
            .u64(self.gas_limit);
        let preimage = self
            .base_fee
            .append_to(preimage)
            .u32(limits.row_transactions)
            .u64(limits.row_gas)
            .u64(limits.row_work)
            .u32(limits.row_body_bytes)
            .u32(limits.row_code_bytes)
            .u32(limits.column_accesses)
            .u32(limits.column_body_bytes);
        self.work
            .append_to(preimage)
            .address(&self.sequencer)
            .address(&self.tips)
            .address(&self.pool)
            .u64(self.epoch_blocks)
            .u16(self.redundancy)
            .b256(&self.verifiers.hash())
            .hash()
    }
}
