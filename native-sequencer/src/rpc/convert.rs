//! Ocelli's blocks, transactions and receipts in the shapes of Ethereum's JSON-RPC, field by field as geth writes them.
//!
//! What Ocelli has no counterpart for: `transactionsRoot` and `receiptsRoot` are both the header's `manifest_root`, which
//! commits to every row's transactions and receipts; `hash` and `parentHash` are Ocelli's header hashes, not the Keccak-256 of
//! an Ethereum header; `mixHash` is PREVRANDAO, the parent's hash; `size` counts the manifest and all bodies; there are no
//! withdrawals, uncles or blobs.

use super::{at::Block, blooms, errors::RpcError};
use crate::block::{SealedBlock, SealedTransaction};
use alloy_consensus::{
    Eip658Value, EthereumTxEnvelope, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxEip4844, TxType, constants,
    transaction::Recovered,
};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, Bloom, LogData, U256};
use alloy_rpc_types_eth as wire;
use ocelli_core::{genesis::ChainConfig, header::Header, transaction::Transaction};

/// A transaction as the JSON-RPC knows it.
pub(super) type WireTransaction = wire::Transaction<EthereumTxEnvelope<TxEip4844>>;
/// A block as the JSON-RPC knows it.
pub(super) type WireBlock = wire::Block<WireTransaction>;

/// The header of `block`, whose logs have this bloom.
pub(super) fn header(config: &ChainConfig, block: &Block, logs_bloom: Bloom) -> wire::Header {
    let header = block.header();
    let params = config.params_at(header.height);
    let inner = alloy_consensus::Header {
        parent_hash: header.parent,
        ommers_hash: constants::EMPTY_OMMER_ROOT_HASH,
        beneficiary: params.tips,
        state_root: header.state_root,
        transactions_root: header.manifest_root,
        receipts_root: header.manifest_root,
        logs_bloom,
        number: header.height,
        gas_limit: params.gas_limit,
        gas_used: header.gas_used,
        timestamp: timestamp(header),
        mix_hash: header.parent,
        base_fee_per_gas: Some(header.base_fee),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        ..alloy_consensus::Header::default()
    };
    wire::Header { hash: block.hash(), inner, total_difficulty: None, size: Some(size(block)) }
}

/// TIMESTAMP: whole seconds.
pub(super) const fn timestamp(header: &Header) -> u64 {
    header.time_ms / 1_000
}

fn size(block: &Block) -> U256 {
    let Some(block) = block.sealed() else { return U256::ZERO };
    let bodies = block.stored.row_bodies.iter().map(|body| body.len());
    U256::from(block.manifest_bytes.len() + bodies.sum::<usize>())
}

/// The block with its transactions, or their hashes.
pub(super) fn block(config: &ChainConfig, block: &Block, logs_bloom: Bloom, full: bool) -> Result<WireBlock, RpcError> {
    let sealed = block.sealed();
    let all = sealed.map_or(&[][..], |sealed| &sealed.transactions);
    let transactions = if let (true, Some(sealed)) = (full, sealed) {
        let full: Result<Vec<_>, _> = (0..all.len()).filter_map(|index| transaction(sealed, index)).collect();
        wire::BlockTransactions::Full(full?)
    } else {
        wire::BlockTransactions::Hashes(all.iter().map(|transaction| transaction.hash).collect())
    };
    Ok(wire::Block { header: header(config, block, logs_bloom), uncles: Vec::new(), transactions, withdrawals: None })
}

/// The transaction at `index` of the block's row order, if there is one.
pub(super) fn transaction(block: &SealedBlock, index: usize) -> Option<Result<WireTransaction, RpcError>> {
    let sealed = block.transactions.get(index)?;
    let header = block.header();
    Some(envelope(&sealed.transaction, sealed.sender).map(|inner| wire::Transaction {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(header.height),
        transaction_index: Some(index as u64),
        effective_gas_price: Some(sealed.transaction.effective_gas_price(header.base_fee)),
        block_timestamp: None,
    }))
}

/// A transaction that is in no block yet.
pub(super) fn pending_transaction(transaction: &Transaction, sender: Address) -> Result<WireTransaction, RpcError> {
    Ok(wire::Transaction {
        inner: envelope(transaction, sender)?,
        block_hash: None,
        block_number: None,
        transaction_index: None,
        effective_gas_price: None,
        block_timestamp: None,
    })
}

fn envelope(transaction: &Transaction, sender: Address) -> Result<Recovered<EthereumTxEnvelope<TxEip4844>>, RpcError> {
    let envelope = EthereumTxEnvelope::decode_2718_exact(transaction.encoded()).map_err(|error| {
        tracing::error!(hash = %transaction.hash(), %error, "a transaction of the chain does not decode");
        RpcError::Internal
    })?;
    Ok(Recovered::new_unchecked(envelope, sender))
}

/// The receipt of the transaction at `index` of the block's row order, if there is one.
pub(super) fn receipt(block: &SealedBlock, index: usize) -> Option<wire::TransactionReceipt> {
    let sealed = block.transactions.get(index)?;
    let (transaction, of_it) = (&sealed.transaction, block.receipt(sealed)?);
    let receipt = ReceiptWithBloom {
        receipt: Receipt {
            status: Eip658Value::Eip658(of_it.success),
            cumulative_gas_used: sealed.cumulative_gas_used,
            logs: (0..of_it.logs.len()).filter_map(|at| log(block, sealed, index, at)).collect(),
        },
        logs_bloom: blooms::of_logs(&of_it.logs),
    };
    let to = transaction.to().to().copied();
    Some(wire::TransactionReceipt {
        inner: typed(transaction.kind(), receipt),
        transaction_hash: sealed.hash,
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.header().height),
        gas_used: of_it.gas_used,
        effective_gas_price: transaction.effective_gas_price(block.header().base_fee),
        blob_gas_used: None,
        blob_gas_price: None,
        from: sealed.sender,
        to,
        contract_address: to.is_none().then(|| sealed.sender.create(transaction.nonce())),
    })
}

fn typed(kind: u8, receipt: ReceiptWithBloom<Receipt<wire::Log>>) -> ReceiptEnvelope<wire::Log> {
    match TxType::try_from(kind) {
        Ok(TxType::Eip2930) => ReceiptEnvelope::Eip2930(receipt),
        Ok(TxType::Eip1559) => ReceiptEnvelope::Eip1559(receipt),
        Ok(TxType::Eip7702) => ReceiptEnvelope::Eip7702(receipt),
        // Blob transactions do not exist here, and an unknown type was never decoded.
        _ => ReceiptEnvelope::Legacy(receipt),
    }
}

/// The log at `at` of the transaction `sealed`, the one at `index` of the block's row order.
pub(super) fn log(block: &SealedBlock, sealed: &SealedTransaction, index: usize, at: usize) -> Option<wire::Log> {
    let log = block.receipt(sealed)?.logs.get(at)?;
    let data = LogData::new_unchecked(log.topics.clone(), log.data.clone());
    Some(wire::Log {
        inner: alloy_primitives::Log { address: log.address, data },
        block_hash: Some(block.hash),
        block_number: Some(block.header().height),
        block_timestamp: Some(timestamp(block.header())),
        transaction_hash: Some(sealed.hash),
        transaction_index: Some(index as u64),
        log_index: Some(sealed.first_log + at as u64),
        removed: false,
    })
}
