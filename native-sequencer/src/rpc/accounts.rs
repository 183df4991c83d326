//! Accounts and their storage, as they were after a block.

use super::{
    Rpc,
    at::View,
    errors::RpcError,
    methods::{Arguments, Methods},
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use jsonrpsee::core::RegisterMethodError;
use ocelli_core::{
    evm::Source,
    key::Key,
    value::{Account, Value},
};

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.read("eth_getBalance", 2, get_balance)?;
    methods.read("eth_getTransactionCount", 2, get_transaction_count)?;
    methods.read("eth_getCode", 2, get_code)?;
    methods.read("eth_getStorageAt", 3, get_storage_at)
}

fn get_balance(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<U256, RpcError> {
    let address = arguments.required()?;
    Ok(rpc.view_at(arguments.optional()?)?.account(address)?.balance)
}

fn get_transaction_count(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<U64, RpcError> {
    let address = arguments.required()?;
    let id: Option<BlockId> = arguments.optional()?;
    if id == Some(BlockId::Number(BlockNumberOrTag::Pending)) {
        return Ok(U64::from(rpc.pool.next_nonce(&address)));
    }
    Ok(U64::from(rpc.view_at(id)?.account(address)?.nonce))
}

fn get_code(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<Bytes, RpcError> {
    let address = arguments.required()?;
    let hash = rpc.view_at(arguments.optional()?)?.account(address)?.code_hash;
    if hash.is_zero() {
        return Ok(Bytes::new());
    }
    rpc.chain.code(&hash).ok_or(RpcError::Internal)
}

fn get_storage_at(rpc: &Rpc, arguments: &mut Arguments<'_>) -> Result<B256, RpcError> {
    let address = arguments.required()?;
    // A quantity or 32 bytes of data: libraries send both.
    let slot: U256 = arguments.required()?;
    let view = rpc.view_at(arguments.optional()?)?;
    Ok(B256::from(view.slot(address, slot)?))
}

impl View {
    pub(super) fn account(&self, address: Address) -> Result<Account, RpcError> {
        match self.snapshot.load(&Key::Account(address)) {
            Ok((_, Value::Account(account))) => Ok(account),
            _ => Err(RpcError::Internal),
        }
    }

    fn slot(&self, address: Address, slot: U256) -> Result<U256, RpcError> {
        match self.snapshot.load(&Key::Slot(address, slot)) {
            Ok((_, Value::Slot(word))) => Ok(word),
            _ => Err(RpcError::Internal),
        }
    }
}
