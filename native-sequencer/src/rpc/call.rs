//! Running what is no transaction of a block: `eth_call`, `eth_estimateGas`, `eth_createAccessList`.
//!
//! It is the EVM of rows, with the rules in `ocelli_core::evm::rules`, over a state that nothing is written to. What a block checks
//! and a call does not: the nonce, whether the sender has code (EIP-3607), the gas limits, and, if the call names no fee,
//! the base fee, which is then zero for BASEFEE too. The value, and the fee if one is named, must be in the sender's balance.

mod access_list;
mod estimate;
mod overrides;
mod request;

use super::{
    Rpc,
    at::View,
    errors::RpcError,
    methods::{Arguments, Methods},
};
use crate::{clock::now_ms, limits};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, Bytes};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use jsonrpsee::core::RegisterMethodError;
use ocelli_core::{
    evm::{
        Env, RowState, StateError,
        rules::{self, RowEvm},
    },
    genesis::ChainConfig,
    key::Key,
};
use overrides::Overridden;
use revm::{
    Database,
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, HaltReason},
    },
    state::AccountInfo,
};

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.heavy("eth_call", 4, eth_call)?;
    methods.heavy("eth_estimateGas", 4, estimate::estimate_gas)?;
    methods.heavy("eth_createAccessList", 3, access_list::create_access_list)
}

fn eth_call(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<Bytes, RpcError> {
    let request: TransactionRequest = arguments.required()?;
    let id = arguments.optional()?;
    let (state, block) = (arguments.optional()?, arguments.optional()?);
    let mut runner = Runner::new(rpc, id, false, state, block)?;
    let gas = request.gas.unwrap_or(limits::CALL_GAS).min(limits::CALL_GAS);
    let call = request::to_call(request, runner.chain_id(), gas)?;
    runner.run(call)?.output()
}

/// An EVM on the state after some block.
pub(super) struct Runner {
    evm: RowEvm<Overridden>,
    /// Gas that its runs may still take, all together.
    left: u64,
}

impl Runner {
    /// On the state after the block meant, in that block's environment; `in_next` in that of the block that comes after it
    /// if it is the last one, as `pending` does.
    pub(super) fn new(
        rpc: &Rpc,
        id: Option<BlockId>,
        in_next: bool,
        state: Option<StateOverride>,
        block: Option<BlockOverrides>,
    ) -> Result<Self, RpcError> {
        let config = rpc.chain.config();
        let View { header, snapshot } = rpc.view_at(id)?;
        let pending = matches!(id, Some(BlockId::Number(BlockNumberOrTag::Pending)));
        let last = header.height == rpc.chain.head().header.height;
        let env = if (in_next && last) || pending { next_env(config, &header) } else { Env::of(config, &header) };
        let block = block.unwrap_or_default();
        let source = Overridden::new(snapshot, state.unwrap_or_default(), &block)?;
        let mut evm = rules::evm(&env, RowState::new(source));
        let cfg = &mut evm.ctx.cfg;
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        overrides::apply_to_block(&mut evm.ctx.block, &block)?;
        Ok(Self { evm, left: limits::CALL_GAS_ALL })
    }

    pub(super) const fn chain_id(&self) -> u64 {
        self.evm.ctx.cfg.chain_id
    }

    /// Runs one call; what it does is forgotten.
    pub(super) fn run(&mut self, call: TxEnv) -> Result<Ran, RpcError> {
        let free = call.gas_price == 0 && call.gas_priority_fee.unwrap_or_default() == 0;
        let base_fee = self.evm.ctx.block.basefee;
        if free {
            self.evm.ctx.block.basefee = 0;
        }
        let (result, used) = rules::dry_run(&mut self.evm, call);
        self.evm.ctx.block.basefee = base_fee;
        let result = result.map_err(refusal)?;
        self.left = self.left.saturating_sub(result.gas().total_gas_spent());
        Ok(Ran { result, used })
    }

    /// Whether it may run on.
    pub(super) const fn goes_on(&self) -> bool {
        self.left > 0
    }

    /// What the EVM sees at `address`.
    pub(super) fn account(&mut self, address: Address) -> Result<Option<AccountInfo>, RpcError> {
        self.evm.ctx.journaled_state.database.basic(address).map_err(|error| refusal(EVMError::Database(error)))
    }
}

/// What a call did.
#[derive(Debug)]
pub(super) struct Ran {
    result: ExecutionResult,
    /// The keys it asked for.
    used: Vec<Key>,
}

impl Ran {
    fn output(self) -> Result<Bytes, RpcError> {
        match self.result {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            ExecutionResult::Revert { output, .. } => Err(RpcError::Reverted(output)),
            ExecutionResult::Halt { reason, .. } => Err(RpcError::Failed(halted(&reason))),
        }
    }
}

fn refusal(error: EVMError<StateError>) -> RpcError {
    match error {
        EVMError::Transaction(invalid) => RpcError::Invalid(invalid),
        other => {
            tracing::error!(error = %other, "a call could not run");
            RpcError::Internal
        }
    }
}

/// geth's words for how execution ends, where libraries look for them.
fn halted(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas".to_owned(),
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode => "invalid opcode".to_owned(),
        HaltReason::StateChangeDuringStaticCall => "write protection".to_owned(),
        HaltReason::CreateCollision => "contract address collision".to_owned(),
        HaltReason::CreateContractSizeLimit => "max code size exceeded".to_owned(),
        other => other.to_string(),
    }
}

/// The environment of a block sealed now.
pub(super) fn next_env<'a>(config: &'a ChainConfig, head: &ocelli_core::header::Header) -> Env<'a> {
    Env::after(config, head, now_ms().max(head.time_ms.saturating_add(1)))
}
