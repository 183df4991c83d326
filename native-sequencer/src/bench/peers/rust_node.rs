//! The stack that today's Rust nodes are made of: alloy's decoding, libsecp256k1 on all threads, revm in order over an
//! in-memory database, and the keccak Merkle-Patricia root of the state after each block.
//!
//! It keeps nothing on disk, makes no receipts or roots of them, and proves nothing: what it is measured at is less than
//! such a node does.

use super::{
    super::{
        BenchError,
        line::{RECOVERED_AT_ONCE, RawBlock, in_gaps},
        pipeline::PeerStages,
    },
    patricia::Trie,
    signatures,
};
use crate::{dev, genesis_file::GenesisFile};
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use rayon::prelude::*;
use revm::{
    Context, DatabaseCommit, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv},
    database::{CacheDB, EmptyDB},
    primitives::hardfork::SpecId,
    state::{AccountInfo, EvmState},
};
use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

/// The name of the peer.
pub const NAME: &str = "rust-node-stack";

/// Transactions with their senders.
pub type Senders = Vec<(TxEnvelope, Address)>;

/// A node's state.
#[derive(Debug)]
pub struct RustNode {
    database: CacheDB<EmptyDB>,
    accounts: Trie,
    storages: HashMap<Address, Trie>,
    block: BlockEnv,
}

impl RustNode {
    /// A node whose chain begins as `file` says.
    pub fn new(file: &GenesisFile) -> Self {
        let block = BlockEnv {
            gas_limit: file.gas_limit,
            basefee: file.base_fee.initial,
            beneficiary: file.tips,
            timestamp: U256::from(file.time_ms / 1_000),
            prevrandao: Some(B256::ZERO),
            ..BlockEnv::default()
        };
        let mut node = Self {
            database: CacheDB::new(EmptyDB::default()),
            accounts: Trie::default(),
            storages: HashMap::new(),
            block,
        };
        for (address, entry) in &file.accounts {
            let code = Bytecode::new_raw(entry.code.clone());
            let info = AccountInfo { balance: entry.balance, nonce: entry.nonce, ..AccountInfo::default() };
            let info = if entry.code.is_empty() { info } else { info.with_code(code) };
            node.database.insert_account_info(*address, info);
            for (slot, word) in &entry.storage {
                // The database has no error: it is a map.
                let Ok(()) = node.database.insert_account_storage(*address, *slot, *word);
                node.write_slot(*address, *slot, *word);
            }
            node.write_account(*address);
        }
        node.accounts.root();
        node
    }

    /// Executes a block of `raw`, one stage after the other.
    ///
    /// # Errors
    /// [`BenchError::Peer`] if a transaction does not succeed.
    pub fn block(&mut self, raw: &[Bytes]) -> Result<Option<PeerStages>, BenchError> {
        let started = Instant::now();
        let recovered = recover(raw)?;
        let recover = started.elapsed();
        Ok(Some(PeerStages { recover, ..self.make(&recovered)? }))
    }

    /// Executes a block of `ready`, or of none at the beginning, and of each of `raws` but the last, while the senders of those after
    /// it are recovered where that leaves a core without work; gives those of the last.
    ///
    /// # Errors
    /// [`BenchError::Peer`] as for [`Self::block`].
    pub fn run(&mut self, ready: Senders, raws: &[RawBlock]) -> Result<Senders, BenchError> {
        in_gaps(ready, raws, recover_chunk, |ready| {
            self.make(&ready)?;
            // Our blocks are dropped beside as well.
            rayon::spawn(move || drop(ready));
            Ok(())
        })
    }

    fn make(&mut self, recovered: &Senders) -> Result<PeerStages, BenchError> {
        self.block.number += U256::from(1);
        self.block.timestamp += U256::from(1);
        let mut stages = PeerStages::default();

        let started = Instant::now();
        let touched = self.execute(recovered)?;
        stages.execute = started.elapsed();

        let started = Instant::now();
        self.update(touched);
        stages.root = started.elapsed();
        Ok(stages)
    }

    /// Executes in order, commits each to the database; the accounts and slots that were touched.
    fn execute(
        &mut self,
        transactions: &[(TxEnvelope, Address)],
    ) -> Result<HashMap<Address, HashSet<U256>>, BenchError> {
        let mut touched: HashMap<Address, HashSet<U256>> = HashMap::new();
        let context = Context::mainnet().with_db(&mut self.database).with_block(self.block.clone());
        let mut evm = context
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = dev::CHAIN_ID;
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            })
            .build_mainnet();
        for (transaction, sender) in transactions {
            let done =
                evm.transact(environment(transaction, *sender)).map_err(|error| failed(&format!("{error:?}")))?;
            if !done.result.is_success() {
                return Err(failed("a transaction did not succeed"));
            }
            note(&mut touched, &done.state);
            evm.ctx.journaled_state.database.commit(done.state);
        }
        Ok(touched)
    }

    fn update(&mut self, touched: HashMap<Address, HashSet<U256>>) {
        for (address, slots) in touched {
            for slot in slots {
                let word = self.database.cache.accounts.get(&address).and_then(|account| account.storage.get(&slot));
                self.write_slot(address, slot, word.copied().unwrap_or_default());
            }
            self.write_account(address);
        }
        self.accounts.root();
    }

    fn write_slot(&mut self, address: Address, slot: U256, word: U256) {
        let mut encoded = Vec::with_capacity(33);
        word.encode(&mut encoded);
        self.storages.entry(address).or_default().insert(&keccak256(slot.to_be_bytes::<32>()), encoded);
    }

    fn write_account(&mut self, address: Address) {
        let Some(account) = self.database.cache.accounts.get(&address) else { return };
        let info = &account.info;
        let account = TrieAccount {
            nonce: info.nonce,
            balance: info.balance,
            storage_root: self.storages.get_mut(&address).map_or(EMPTY_ROOT_HASH, Trie::root),
            code_hash: info.code_hash,
        };
        self.accounts.insert(&keccak256(address), alloy_rlp::encode(account));
    }
}

fn recover(raw: &[Bytes]) -> Result<Senders, BenchError> {
    let chunks = raw.par_chunks(RECOVERED_AT_ONCE).map(recover_chunk);
    Ok(chunks.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn recover_chunk(chunk: &[Bytes]) -> Result<Senders, BenchError> {
    let one = |bytes: &Bytes| {
        let transaction = TxEnvelope::decode_2718(&mut bytes.as_ref()).ok()?;
        let sender = signatures::recover(&transaction.signature_hash(), transaction.signature())?;
        Some((transaction, sender))
    };
    let senders: Option<Senders> = chunk.iter().map(one).collect();
    senders.ok_or_else(|| failed("a transaction does not decode or recover"))
}

fn environment(transaction: &TxEnvelope, sender: Address) -> TxEnv {
    TxEnv {
        tx_type: transaction.tx_type() as u8,
        caller: sender,
        gas_limit: transaction.gas_limit(),
        gas_price: transaction.max_fee_per_gas(),
        kind: transaction.to().map_or(TxKind::Create, TxKind::Call),
        value: transaction.value(),
        data: transaction.input().clone(),
        nonce: transaction.nonce(),
        chain_id: transaction.chain_id(),
        gas_priority_fee: transaction.max_priority_fee_per_gas(),
        ..TxEnv::default()
    }
}

/// The accounts and slots whose values a transaction may have changed.
fn note(touched: &mut HashMap<Address, HashSet<U256>>, state: &EvmState) {
    for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
        let slots = touched.entry(*address).or_default();
        slots.extend(account.storage.iter().filter(|(_, slot)| slot.is_changed()).map(|(slot, _)| *slot));
    }
}

fn failed(reason: &str) -> BenchError {
    BenchError::Peer { name: NAME, reason: reason.to_owned() }
}
