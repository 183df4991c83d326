//! Transactions and their receipts, by hash and by place.

use super::{
    Rpc,
    blocks::{by_hash, by_number},
    convert::{self, WireTransaction},
    errors::RpcError,
    methods::Methods,
};
use crate::block::SealedBlock;
use alloy_eips::BlockId;
use alloy_primitives::B256;
use alloy_rpc_types_eth::{Index, TransactionReceipt};
use jsonrpsee::core::RegisterMethodError;
use std::sync::Arc;

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.read("eth_getTransactionByHash", 1, |rpc, arguments| by_transaction_hash(rpc, arguments.required()?))?;
    methods.read("eth_getTransactionByBlockHashAndIndex", 2, |rpc, arguments| {
        by_place(rpc, by_hash(arguments)?, arguments.required()?)
    })?;
    methods.read("eth_getTransactionByBlockNumberAndIndex", 2, |rpc, arguments| {
        by_place(rpc, by_number(arguments)?, arguments.required()?)
    })?;
    methods.read("eth_getTransactionReceipt", 1, |rpc, arguments| receipt(rpc, arguments.required()?))
}

fn by_transaction_hash(rpc: &Rpc, hash: B256) -> Result<Option<WireTransaction>, RpcError> {
    // The chain first: the pool hears of a block a little after everyone else. And once more at the end, because between two
    // looks a transaction can move from the pool into a block.
    let sealed =
        |found: Option<(Arc<SealedBlock>, usize)>| found.and_then(|(block, index)| convert::transaction(&block, index));
    if let Some(found) = sealed(rpc.find(&hash)?) {
        return found.map(Some);
    }
    if let Some(pending) = rpc.pool.get(&hash) {
        return convert::pending_transaction(&pending, pending.sender()).map(Some);
    }
    sealed(rpc.find(&hash)?).transpose()
}

fn by_place(rpc: &Rpc, id: BlockId, index: Index) -> Result<Option<WireTransaction>, RpcError> {
    let Some(block) = rpc.block_at(id)? else { return Ok(None) };
    block.sealed().and_then(|sealed| convert::transaction(sealed, index.0)).transpose()
}

fn receipt(rpc: &Rpc, hash: B256) -> Result<Option<TransactionReceipt>, RpcError> {
    Ok(rpc.find(&hash)?.and_then(|(block, index)| convert::receipt(&block, index)))
}

impl Rpc {
    /// The block that has this transaction, and the transaction's index in it.
    pub(super) fn find(&self, hash: &B256) -> Result<Option<(Arc<SealedBlock>, usize)>, RpcError> {
        let Some(place) = self.chain.place_of(hash)? else { return Ok(None) };
        let Some(block) = self.chain.block(place.height)? else { return Ok(None) };
        let index = block.transactions.binary_search_by_key(&(place.row, place.index), |sealed| sealed.place);
        Ok(index.ok().map(|index| (block, index)))
    }
}
