//! `eth_estimateGas`: the least gas limit, within 1.5 %, with which a transaction does what it does with all the gas it can have.

use super::{Ran, Runner, request::to_call};
use crate::rpc::{Rpc, errors::RpcError, methods::Arguments};
use alloy_primitives::{U64, U256};
use alloy_rpc_types_eth::TransactionRequest;
use revm::{
    context::{
        TxEnv,
        result::{ExecutionResult, HaltReason, InvalidTransaction},
    },
    primitives::eip7825::TX_GAS_LIMIT_CAP,
};

/// Gas of a transfer to an account without code.
const TRANSFER_GAS: u64 = 21_000;
/// What a call that sends value gives its callee for free: it can be given back, so what was used is not enough to have.
const CALL_STIPEND: u64 = 2_300;

/// The transaction will be in a block after the last one, so it runs in the environment of that block unless an earlier one
/// is named.
pub(super) fn estimate_gas(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<U64, RpcError> {
    let request: TransactionRequest = arguments.required()?;
    let id = arguments.optional()?;
    let (state, block) = (arguments.optional()?, arguments.optional()?);
    let mut runner = Runner::new(rpc, id, true, state, block)?;
    let params = &rpc.chain.config().params;
    let most = params.gas_limit.min(params.limits.row_gas).min(TX_GAS_LIMIT_CAP);
    let asked = request.gas.filter(|gas| *gas >= TRANSFER_GAS).map_or(most, |gas| gas.min(most));
    let call = to_call(request, runner.chain_id(), asked)?;
    estimate(&mut runner, call).map(U64::from)
}

fn estimate(runner: &mut Runner, mut call: TxEnv) -> Result<u64, RpcError> {
    call.gas_limit = call.gas_limit.min(affordable(runner, &call)?);
    if is_transfer(runner, &call)? && call.gas_limit >= TRANSFER_GAS && enough(runner, &call, TRANSFER_GAS)? {
        return Ok(TRANSFER_GAS);
    }
    let most = call.gas_limit;
    let result = match runner.run(call.clone()) {
        Err(RpcError::Invalid(invalid)) if lacks_gas(&invalid) => return Err(exceeds(most)),
        ran => ran?.result,
    };
    let gas = *result.gas();
    match result {
        ExecutionResult::Success { .. } => {}
        ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => return Err(exceeds(most)),
        failed => return Err(Ran { result: failed, used: Vec::new() }.output().err().unwrap_or(RpcError::Internal)),
    }
    search(runner, &call, gas.tx_gas_used().saturating_sub(1), most, gas.total_gas_spent())
}

/// Between `too_little` and `enough_for_all`, knowing that the run with the latter spent `spent` before refunds.
fn search(
    runner: &mut Runner,
    call: &TxEnv,
    too_little: u64,
    enough_for_all: u64,
    spent: u64,
) -> Result<u64, RpcError> {
    let (mut low, mut high) = (too_little, enough_for_all);
    // Every frame keeps a 64th of its gas from the frames below (EIP-150).
    let likely = (spent + CALL_STIPEND) * 64 / 63;
    if likely < high {
        if enough(runner, call, likely)? { high = likely } else { low = low.max(likely) }
    }
    // What has been found is enough, if not the least, when the work that an estimate is worth is done.
    while low + 1 < high && (high - low) * 1_000 > high * 15 && runner.goes_on() {
        // What is needed is mostly near what was used, so never go far above it at once.
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2).max(TRANSFER_GAS));
        if enough(runner, call, middle)? { high = middle } else { low = middle }
    }
    Ok(high)
}

/// Whether the call succeeds with this much gas.
fn enough(runner: &mut Runner, call: &TxEnv, gas: u64) -> Result<bool, RpcError> {
    match runner.run(TxEnv { gas_limit: gas, ..call.clone() }) {
        Ok(ran) => Ok(ran.result.is_success()),
        Err(RpcError::Invalid(invalid)) if lacks_gas(&invalid) => Ok(false),
        Err(error) => Err(error),
    }
}

const fn lacks_gas(invalid: &InvalidTransaction) -> bool {
    matches!(
        invalid,
        InvalidTransaction::CallGasCostMoreThanGasLimit { .. } | InvalidTransaction::GasFloorMoreThanGasLimit { .. }
    )
}

fn exceeds(most: u64) -> RpcError {
    RpcError::Failed(format!("gas required exceeds allowance ({most})"))
}

/// How much gas the sender can pay at the fee that the call names.
fn affordable(runner: &mut Runner, call: &TxEnv) -> Result<u64, RpcError> {
    if call.gas_price == 0 {
        return Ok(u64::MAX);
    }
    let balance = runner.account(call.caller)?.map_or(U256::ZERO, |account| account.balance);
    let left = balance.checked_sub(call.value).ok_or_else(|| {
        let (fee, balance) = (Box::new(call.value), Box::new(balance));
        RpcError::Invalid(InvalidTransaction::LackOfFundForMaxFee { fee, balance })
    })?;
    Ok(u64::try_from(left / U256::from(call.gas_price)).unwrap_or(u64::MAX))
}

fn is_transfer(runner: &mut Runner, call: &TxEnv) -> Result<bool, RpcError> {
    let Some(to) = call.kind.to() else { return Ok(false) };
    let plain = call.data.is_empty() && call.access_list.is_empty() && call.authorization_list.is_empty();
    Ok(plain && runner.account(*to)?.is_none_or(|account| account.is_empty_code_hash()))
}
