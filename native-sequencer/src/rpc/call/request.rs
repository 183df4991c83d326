//! A call as wallets describe it becomes a call as the EVM takes it.

use crate::rpc::errors::RpcError;
use alloy_primitives::{TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;
use revm::{context::TxEnv, context_interface::either::Either};

/// The call that `request` describes, with this much gas.
pub(super) fn to_call(request: TransactionRequest, chain_id: u64, gas_limit: u64) -> Result<TxEnv, RpcError> {
    let blobs = request.max_fee_per_blob_gas.is_some()
        || request.sidecar.is_some()
        || request.blob_versioned_hashes.as_ref().is_some_and(|hashes| !hashes.is_empty());
    if blobs {
        return Err(invalid("blob transactions are not supported"));
    }
    let dynamic = request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some();
    if dynamic && request.gas_price.is_some() {
        return Err(invalid("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
    }
    let kind = request.to.unwrap_or(TxKind::Create);
    let authorizations = request.authorization_list.unwrap_or_default();
    if !authorizations.is_empty() && kind.is_create() {
        return Err(invalid("a set code transaction cannot create a contract"));
    }
    let data = request.input.try_into_unique_input();
    let data = data.map_err(|_| invalid("both \"data\" and \"input\" are set and not equal"))?;
    let priority_fee = request.max_priority_fee_per_gas;
    Ok(TxEnv {
        tx_type: match (authorizations.is_empty(), dynamic, request.access_list.is_some()) {
            (false, ..) => 4,
            (true, true, _) => 2,
            (true, false, true) => 1,
            (true, false, false) => 0,
        },
        caller: request.from.unwrap_or_default(),
        gas_limit,
        // A tip alone is paid at whatever the fee is.
        gas_price: request.gas_price.or(request.max_fee_per_gas).or(priority_fee).unwrap_or_default(),
        kind,
        value: request.value.unwrap_or(U256::ZERO),
        data: data.unwrap_or_default(),
        nonce: request.nonce.unwrap_or_default(),
        chain_id: Some(request.chain_id.unwrap_or(chain_id)),
        access_list: request.access_list.unwrap_or_default(),
        gas_priority_fee: if dynamic { Some(priority_fee.unwrap_or_default()) } else { None },
        authorization_list: authorizations.into_iter().map(Either::Left).collect(),
        ..TxEnv::default()
    })
}

fn invalid(message: &str) -> RpcError {
    RpcError::InvalidParams(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<TxEnv, RpcError> {
        to_call(serde_json::from_str(json).unwrap(), 7, 100)
    }

    #[test]
    fn the_type_follows_from_the_fields() {
        assert_eq!(parsed(r#"{"gasPrice": "0x1"}"#).unwrap().tx_type, 0);
        assert_eq!(parsed(r#"{"accessList": []}"#).unwrap().tx_type, 1);
        assert_eq!(parsed(r#"{"maxFeePerGas": "0x2"}"#).unwrap().tx_type, 2);
    }

    #[test]
    fn without_a_recipient_it_creates() {
        assert!(parsed(r#"{"data": "0x00"}"#).unwrap().kind.is_create());
    }

    #[test]
    fn contradictions_are_refused() {
        assert_eq!(parsed(r#"{"gasPrice": "0x1", "maxFeePerGas": "0x1"}"#).unwrap_err().code(), -32602);
        assert_eq!(parsed(r#"{"data": "0x00", "input": "0x01"}"#).unwrap_err().code(), -32602);
        assert_eq!(parsed(r#"{"maxFeePerBlobGas": "0x1"}"#).unwrap_err().code(), -32602);
        assert!(parsed(r#"{"data": "0x01", "input": "0x01"}"#).is_ok());
    }
}
