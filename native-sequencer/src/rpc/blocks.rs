//! Blocks: by height and hash, their transaction counts, their receipts.

use super::{
    Rpc,
    at::Block,
    convert::{self, WireBlock},
    errors::RpcError,
    methods::{Arguments, Methods},
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bloom, U64};
use alloy_rpc_types_eth::TransactionReceipt;
use jsonrpsee::core::RegisterMethodError;

pub(super) fn register(methods: &mut Methods) -> Result<(), RegisterMethodError> {
    methods.quick("eth_blockNumber", 0, |rpc, _| Ok(U64::from(rpc.chain.head().header.height)))?;
    methods.read("eth_getBlockByNumber", 2, |rpc, arguments| by_id(rpc, by_number(arguments)?, arguments))?;
    methods.read("eth_getBlockByHash", 2, |rpc, arguments| by_id(rpc, by_hash(arguments)?, arguments))?;
    methods.read("eth_getBlockTransactionCountByNumber", 1, |rpc, arguments| count(rpc, by_number(arguments)?))?;
    methods.read("eth_getBlockTransactionCountByHash", 1, |rpc, arguments| count(rpc, by_hash(arguments)?))?;
    methods.read("eth_getUncleCountByBlockNumber", 1, |rpc, arguments| uncles(rpc, by_number(arguments)?))?;
    methods.read("eth_getUncleCountByBlockHash", 1, |rpc, arguments| uncles(rpc, by_hash(arguments)?))?;
    methods.heavy("eth_getBlockReceipts", 1, |rpc, arguments| receipts(rpc, arguments.required()?))
}

pub(super) fn by_number(arguments: &mut Arguments<'_>) -> Result<BlockId, RpcError> {
    Ok(BlockId::Number(arguments.required::<BlockNumberOrTag>()?))
}

pub(super) fn by_hash(arguments: &mut Arguments<'_>) -> Result<BlockId, RpcError> {
    Ok(BlockId::from(arguments.required::<B256>()?))
}

fn by_id(rpc: &Rpc, id: BlockId, arguments: &mut Arguments<'_>) -> Result<Option<WireBlock>, RpcError> {
    let full = arguments.optional()?.unwrap_or(false);
    let Some(block) = rpc.block_at(id)? else { return Ok(None) };
    convert::block(rpc.chain.config(), &block, rpc.bloom(&block), full).map(Some)
}

fn count(rpc: &Rpc, id: BlockId) -> Result<Option<U64>, RpcError> {
    let block = rpc.block_at(id)?;
    Ok(block.map(|block| U64::from(block.sealed().map_or(0, |sealed| sealed.transactions.len()))))
}

fn uncles(rpc: &Rpc, id: BlockId) -> Result<Option<U64>, RpcError> {
    Ok(rpc.height_at(id)?.map(|_| U64::ZERO))
}

fn receipts(rpc: &Rpc, id: BlockId) -> Result<Option<Vec<TransactionReceipt>>, RpcError> {
    let Some(block) = rpc.block_at(id)? else { return Ok(None) };
    let Some(sealed) = block.sealed() else { return Ok(Some(Vec::new())) };
    Ok(Some((0..sealed.transactions.len()).filter_map(|index| convert::receipt(sealed, index)).collect()))
}

impl Rpc {
    /// The bloom of all logs of a block.
    pub(super) fn bloom(&self, block: &Block) -> Bloom {
        block.sealed().map_or(Bloom::ZERO, |sealed| self.blooms.of(sealed))
    }
}
