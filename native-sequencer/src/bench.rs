//! Measuring the pipeline: signed bytes in, durable block with every body out, and what its tasks cost to check.
//!
//! Figures are medians over blocks. Nothing here is asserted: machines differ and are shared.

use crate::{
    block::{SealedBlock, StoredBlock},
    executor,
    genesis_file::Genesis,
    state::{Codes, Snapshot},
    store::{Store, StoreError},
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, Signature as AlloySignature, TxKind, U256, keccak256};
use ocelli_core::{
    block::{AssembledBlock, assemble},
    column::verify_column,
    evm::{Env, StateError},
    header::{Header, SignedHeader},
    merkle::Frontier,
    params::Params,
    row::verify_row,
    signature::SecretKey,
    transaction::{Recovered, Transaction, TransactionError},
};
use rayon::prelude::*;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How large a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Accounts in the state.
    pub accounts: u32,
    /// Transfers in a block.
    pub transfers: u32,
    /// Blocks measured, after one that is not.
    pub blocks: u32,
}

/// Measuring failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block did not execute or assemble, or a task did not check.
    #[error("the measured chain is not valid: {0}")]
    Invalid(&'static str),
    /// A transaction was not well formed.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The state lacks code.
    #[error(transparent)]
    State(#[from] StateError),
}

/// One figure.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// The median.
    pub ours: f64,
    /// Its unit.
    pub unit: &'static str,
}

/// The keys of the accounts that send; the others only receive.
const SENDERS: u32 = 4_096;

/// The key of benchmark account `index`.
///
/// # Errors
/// [`BenchError`]; cannot happen, since hashes are keys but for one in 2^128.
fn key(index: u32) -> Result<SecretKey, BenchError> {
    SecretKey::from_bytes(&keccak256(index.to_be_bytes()).0).map_err(|_| BenchError::Invalid("a hash that is no key"))
}

/// The address of benchmark account `index`: that of its key if it sends.
fn receiver(index: u32) -> Address {
    Address::from_slice(&keccak256([b"receiver".as_slice(), &index.to_be_bytes()].concat())[12..])
}

/// The accounts of a chain that [`run`] can measure: `size.accounts` of them, rich.
///
/// # Errors
/// [`BenchError`]; cannot happen.
pub fn accounts(size: Size) -> Result<Vec<Address>, BenchError> {
    let senders = SENDERS.min(size.accounts);
    let sending = (0..senders).map(|index| key(index).map(|key| key.address()));
    sending.chain((senders..size.accounts).map(|index| Ok(receiver(index)))).collect()
}

/// Wall time of each stage of one block.
#[derive(Clone, Copy, Debug, Default)]
struct Stages {
    recover: Duration,
    execute: Duration,
    assemble: Duration,
    store: Duration,
}

impl Stages {
    fn total(&self) -> Duration {
        self.recover + self.execute + self.assemble + self.store
    }
}

/// The chain that is measured.
struct Bench<'a> {
    genesis: &'a Genesis,
    store: &'a Store,
    key: &'a SecretKey,
    accounts: &'a [Address],
    senders: Vec<SecretKey>,
    head: Header,
    ancestors: Frontier,
    snapshot: Snapshot,
    sent: u64,
}

/// Measures `size` on a new chain that `genesis` begins, whose accounts are [`accounts`], and that `store` holds.
///
/// # Errors
/// [`BenchError`].
pub fn run(
    size: Size,
    genesis: &Genesis,
    accounts: &[Address],
    store: &Store,
    key: &SecretKey,
    mut progress: impl FnMut(u32),
) -> Result<Vec<Figure>, BenchError> {
    let mut bench = Bench::new(size, genesis, accounts, store, key)?;
    let mut stages = Vec::new();
    let mut last = None;
    for block in 0..=size.blocks {
        let raw = bench.transfers(size)?;
        let (took, sealed, assembled) = bench.block(&raw)?;
        if block > 0 {
            stages.push(took);
        }
        last = Some((sealed, assembled));
        progress(block);
    }
    let (sealed, assembled) = last.ok_or(BenchError::Invalid("no block"))?;
    let mut figures = throughput(size, &stages);
    figures.extend(bench.tasks(&sealed, &assembled, size)?);
    Ok(figures)
}

fn throughput(size: Size, stages: &[Stages]) -> Vec<Figure> {
    let per_second = |of: fn(&Stages) -> Duration| {
        f64::from(size.transfers) / median(stages.iter().map(|stage| of(stage).as_secs_f64()))
    };
    let figure = |name, ours| Figure { name, ours, unit: "tx/s" };
    vec![
        figure("pipeline: raw bytes to durable block", per_second(Stages::total)),
        figure("decode and recover", per_second(|stage| stage.recover)),
        figure("plan and execute", per_second(|stage| stage.execute)),
        figure("columns, roots, bodies", per_second(|stage| stage.assemble)),
        figure("open and append durably", per_second(|stage| stage.store)),
    ]
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl<'a> Bench<'a> {
    fn new(
        size: Size,
        genesis: &'a Genesis,
        accounts: &'a [Address],
        store: &'a Store,
        key_of_chain: &'a SecretKey,
    ) -> Result<Self, BenchError> {
        let senders = (0..SENDERS.min(size.accounts)).map(key).collect::<Result<_, _>>()?;
        let codes = Arc::new(Codes::default());
        for (hash, code) in &genesis.codes {
            codes.insert(*hash, code.clone());
        }
        Ok(Self {
            genesis,
            store,
            key: key_of_chain,
            accounts,
            senders,
            head: genesis.config.genesis_header(),
            ancestors: Frontier::default(),
            snapshot: Snapshot { tree: genesis.state.clone(), codes },
            sent: 0,
        })
    }

    /// Signed transfers between accounts that a fixed sequence picks, each sender's nonces in order.
    fn transfers(&mut self, size: Size) -> Result<Vec<Bytes>, BenchError> {
        let first = self.sent;
        self.sent += u64::from(size.transfers);
        (first..self.sent).into_par_iter().map(|number| self.transfer(number)).collect()
    }

    fn transfer(&self, number: u64) -> Result<Bytes, BenchError> {
        let senders = self.senders.len() as u64;
        let sender = &self.senders[(number % senders) as usize];
        // A full-period step through the accounts: an odd multiplier of a 64-bit counter, high bits.
        let pick = (u128::from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * self.accounts.len() as u128) >> 64;
        let transaction = TxEip1559 {
            chain_id: self.genesis.config.params.chain_id,
            nonce: number / senders,
            gas_limit: 21_000,
            max_fee_per_gas: u128::from(u64::MAX),
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(self.accounts[pick as usize]),
            value: U256::from(number + 1),
            access_list: Default::default(),
            input: Bytes::new(),
        };
        let signature = sender.sign(&transaction.signature_hash());
        let (r, s) = (U256::from_be_bytes(signature.r().0), U256::from_be_bytes(signature.s().0));
        let signed = transaction.into_signed(AlloySignature::new(r, s, signature.y_odd()));
        Ok(TxEnvelope::from(signed).encoded_2718().into())
    }

    fn block(&mut self, raw: &[Bytes]) -> Result<(Stages, SealedBlock, AssembledBlock), BenchError> {
        let config = &self.genesis.config;
        let env = Env::after(config, &self.head, self.head.time_ms + 1_000);
        let mut stages = Stages::default();

        let started = Instant::now();
        let recovered = recover(raw, env.params)?;
        stages.recover = started.elapsed();

        let started = Instant::now();
        let executed = executor::execute(&env, &self.snapshot, &recovered)?;
        if !executed.refused.is_empty() {
            return Err(BenchError::Invalid("a transfer was refused"));
        }
        stages.execute = started.elapsed();

        let started = Instant::now();
        let parent_ancestors = self.ancestors.clone();
        let (rows, senders): (Vec<_>, Vec<_>) = executed.rows.into_iter().map(|sent| (sent.row, sent.senders)).unzip();
        let moment = (env.time_ms, 0);
        let assembled = assemble(config, &self.head, &mut self.ancestors, moment, &self.snapshot.tree, &rows)
            .map_err(|_| BenchError::Invalid("too many columns"))?;
        let signature = self.key.sign(&assembled.header.hash());
        let signed = SignedHeader { header: assembled.header.clone(), signature };
        let stored = StoredBlock::new(signed, parent_ancestors, &assembled, rows, senders);
        stages.assemble = started.elapsed();

        let started = Instant::now();
        let sealed =
            SealedBlock::open(stored, env.params).map_err(|_| BenchError::Invalid("the stored block does not open"))?;
        self.store.append(&sealed)?;
        stages.store = started.elapsed();

        self.head = assembled.header.clone();
        self.snapshot.tree = assembled.state.clone();
        Ok((stages, sealed, assembled))
    }

    /// What the tasks of one block cost to check here, one thread, and how long their bodies are.
    fn tasks(&self, sealed: &SealedBlock, assembled: &AssembledBlock, size: Size) -> Result<Vec<Figure>, BenchError> {
        let env = Env::of(&self.genesis.config, sealed.header());
        let manifest = &assembled.manifest;
        let (mut row_ms, mut column_ms) = (Vec::new(), Vec::new());
        for index in 1..manifest.rows.len().saturating_sub(1) {
            let task = sealed.row_task(index).ok_or(BenchError::Invalid("no such row"))?;
            let started = Instant::now();
            verify_row(&env, manifest, index, &task, |_| None).map_err(|_| BenchError::Invalid("a row is refused"))?;
            row_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
        for (index, body) in assembled.column_bodies.iter().enumerate() {
            let started = Instant::now();
            verify_column(&env, manifest, index, body).map_err(|_| BenchError::Invalid("a column is refused"))?;
            column_ms.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let bytes =
            |bodies: &[Bytes]| bodies.iter().map(|body| body.len()).sum::<usize>() as f64 / f64::from(size.transfers);
        let accesses: u32 = manifest.columns.iter().map(|column| column.access_count).sum();
        let of_a_column = f64::from(accesses) / manifest.columns.len() as f64;
        let log = sealed.stored.encode().len() as f64 / f64::from(size.transfers);
        let figure = |name, ours, unit| Figure { name, ours, unit };
        Ok(vec![
            figure("row check, 256 transfers, native", median(row_ms.into_iter()), "ms"),
            figure("column check, native", median(column_ms.into_iter()), "ms"),
            figure("accesses of a column", of_a_column, ""),
            figure("row body", bytes(&assembled.row_bodies), "bytes/tx"),
            figure("column body", bytes(&assembled.column_bodies), "bytes/tx"),
            figure("durable log", log, "bytes/tx"),
        ])
    }
}

fn recover(raw: &[Bytes], params: &Params) -> Result<Vec<Recovered>, BenchError> {
    let chunks: Vec<Vec<Recovered>> = raw
        .par_chunks(256)
        .map(|chunk| {
            let decoded = chunk.iter().map(|bytes| Transaction::decode(bytes, params.chain_id, params.fork));
            let decoded = decoded.collect::<Result<Vec<_>, _>>()?;
            Recovered::recover_many(decoded).into_iter().collect::<Result<Vec<_>, _>>()
        })
        .collect::<Result<_, TransactionError>>()?;
    Ok(chunks.into_iter().flatten().collect())
}
