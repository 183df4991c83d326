//! `eth_createAccessList`: what a transaction would use that it does not warm anyway.

use super::{Ran, Runner, request::to_call};
use crate::{
    limits,
    rpc::{Rpc, errors::RpcError, methods::Arguments},
};
use alloy_eips::eip2930::{AccessList, AccessListItem, AccessListResult};
use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::TransactionRequest;
use ocelli_core::key::Key;
use revm::{context::TxEnv, context_interface::either::Either};
use std::collections::{BTreeMap, BTreeSet};

/// Slots by address, so that entries have one order.
type Entries = BTreeMap<Address, BTreeSet<B256>>;

/// Runs the transaction with the keys that it used before, until it uses no others: what it uses can depend on its gas, and
/// its gas on what is listed.
pub(super) fn create_access_list(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<AccessListResult, RpcError> {
    let request: TransactionRequest = arguments.required()?;
    let mut runner = Runner::new(rpc, arguments.optional()?, true, arguments.optional()?, None)?;
    let gas = request.gas.unwrap_or(limits::CALL_GAS).min(limits::CALL_GAS);
    let mut call = to_call(request, runner.chain_id(), gas)?;
    if call.tx_type == 0 {
        call.tx_type = 1;
    }
    let warm = warm(&mut runner, &call)?;
    let mut entries: Entries = BTreeMap::new();
    for item in &call.access_list.0 {
        entries.entry(item.address).or_default().extend(&item.storage_keys);
    }
    for _ in 0..limits::ACCESS_LIST_RUNS {
        call.access_list = to_list(&entries);
        let ran = runner.run(call.clone())?;
        let before = entries.clone();
        extend(&mut entries, &ran, &warm);
        if entries == before {
            return Ok(result(ran, call.access_list));
        }
        if !runner.goes_on() {
            break;
        }
    }
    let (runs, gas) = (limits::ACCESS_LIST_RUNS, limits::CALL_GAS_ALL);
    Err(RpcError::TooMuch(format!("the access list did not settle in {runs} runs and {gas} gas")))
}

fn result(ran: Ran, access_list: AccessList) -> AccessListResult {
    let gas_used = U256::from(ran.result.tx_gas_used());
    AccessListResult { access_list, gas_used, error: ran.output().err().map(|error| error.to_string()) }
}

fn to_list(entries: &Entries) -> AccessList {
    let item = |(address, slots): (&Address, &BTreeSet<B256>)| AccessListItem {
        address: *address,
        storage_keys: slots.iter().copied().collect(),
    };
    AccessList(entries.iter().map(item).collect())
}

/// Adds what a run used; of `warm` addresses only their slots.
fn extend(entries: &mut Entries, ran: &Ran, warm: &BTreeSet<Address>) {
    for key in &ran.used {
        match key {
            Key::Account(address) if warm.contains(address) => {}
            Key::Account(address) => {
                entries.entry(*address).or_default();
            }
            Key::Slot(address, slot) => {
                entries.entry(*address).or_default().insert(B256::from(*slot));
            }
        }
    }
}

/// What is warm in every transaction (EIP-2929, EIP-3651, EIP-7702): sender, recipient or new contract, tip account,
/// precompiles, authorities.
fn warm(runner: &mut Runner, call: &TxEnv) -> Result<BTreeSet<Address>, RpcError> {
    let recipient = match call.kind.to() {
        Some(to) => *to,
        None => call.caller.create(runner.account(call.caller)?.map_or(0, |account| account.nonce)),
    };
    let mut warm = BTreeSet::from([call.caller, recipient, runner.evm.ctx.block.beneficiary]);
    warm.extend(runner.evm.precompiles.addresses());
    warm.extend(call.authorization_list.iter().filter_map(|authorization| match authorization {
        Either::Left(signed) => signed.recover_authority().ok(),
        Either::Right(recovered) => recovered.authority(),
    }));
    Ok(warm)
}
