//! The chain that is measured: blocks made by the sequencer's own functions, a stage at a time.

use super::{
    BenchError,
    line::{RECOVERED_AT_ONCE, RawBlock, in_gaps},
};
use crate::{
    block::SealedBlock,
    chain::Head,
    dev,
    executor::{self, ExecutedBlock, Forecast, Recent},
    genesis_file::{Genesis, GenesisFile},
    state::{Codes, Snapshot},
    store::Store,
    threads::AllThreads,
};
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    block::{AssembledBlock, assemble_by},
    evm::Env,
    header::{Header, SignedHeader},
    merkle::Frontier,
    params::Params,
    signature::SecretKey,
    transaction::{Recovered, Transaction, TransactionError},
};
use rayon::prelude::*;
use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Wall time of each stage of one block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stages {
    /// Decoding, and recovering the senders.
    pub recover: Duration,
    /// Learning the keys, planning lanes and rows, executing them.
    pub execute: Duration,
    /// Columns, roots and all bodies; the signed header.
    pub assemble: Duration,
    /// The block as it is served, and the durable log.
    pub store: Duration,
}

/// A block that was just made and stored.
#[derive(Debug)]
pub struct MadeBlock {
    /// How long its stages took.
    pub stages: Stages,
    /// The header of its parent.
    pub parent: Header,
    /// The block as it is stored and served.
    pub sealed: SealedBlock,
    /// The block as it was assembled.
    pub assembled: AssembledBlock,
    /// Bytes by which the log grew.
    pub logged: u64,
}

/// A block that is executed, assembled and signed, and not stored yet.
#[derive(Debug)]
struct UnsealedBlock {
    stages: Stages,
    parent: Header,
    signed: SignedHeader,
    parent_ancestors: Frontier,
    executed: ExecutedBlock,
    assembled: AssembledBlock,
    recovered: Vec<Recovered>,
}

/// A chain whose blocks are measured.
#[derive(Debug)]
pub struct MeasuredChain {
    /// Where it begins.
    pub genesis: Genesis,
    store: Arc<Store>,
    key: SecretKey,
    head: Header,
    ancestors: Frontier,
    snapshot: Snapshot,
    forecast: Forecast,
    recent: Recent,
}

impl MeasuredChain {
    /// A new chain that begins as `file` says, kept in the folder `dir`.
    ///
    /// # Errors
    /// [`BenchError`], if there is a chain in the folder.
    pub fn new(file: &GenesisFile, dir: &Path) -> Result<Self, BenchError> {
        let genesis = file.open()?;
        let (store, recovered) = Store::open(dir, &genesis.config, &genesis.state, &genesis.codes)?;
        if recovered.head.header.height > 0 {
            return Err(BenchError::Invalid("its folder holds a chain already"));
        }
        let codes = Arc::new(Codes::default());
        for (hash, code) in &genesis.codes {
            codes.insert(*hash, code.clone());
        }
        Ok(Self {
            key: dev::key(dev::Purpose::Sequencer, 0).map_err(|_| BenchError::Invalid("a fixed key is none"))?,
            head: genesis.config.genesis_header(),
            ancestors: Frontier::default(),
            snapshot: Snapshot { tree: genesis.state.clone(), codes },
            forecast: Forecast::default(),
            recent: Recent::default(),
            genesis,
            store: Arc::new(store),
        })
    }

    /// Makes a block of what a world needs before its first transaction, if it needs anything.
    ///
    /// # Errors
    /// [`BenchError`], as for [`Self::block`].
    pub fn set_up(&mut self, raw: &[Bytes]) -> Result<(), BenchError> {
        if raw.is_empty() { Ok(()) } else { self.block(raw).map(drop) }
    }

    /// All code that rows may ask for.
    pub fn code(&self, hash: &B256) -> Option<Bytes> {
        self.snapshot.codes.get(hash).map(|code| code.original_bytes())
    }

    /// Blocks since the newest snapshot, when that is written; `None` if there is none.
    ///
    /// # Errors
    /// [`BenchError`] if the folder cannot be read.
    pub fn since_snapshot(&self) -> Result<Option<u64>, BenchError> {
        Ok(self.store.newest_snapshot()?.map(|height| self.head.height.saturating_sub(height)))
    }

    /// Closes the chain and opens it again from its folder `dir`; how long opening took.
    ///
    /// # Errors
    /// [`BenchError`] if it does not open.
    pub fn reopen(self, dir: &Path) -> Result<(Self, Duration), BenchError> {
        let Self { genesis, store, key, snapshot, .. } = self;
        // As in a process that begins, nothing is there of the state but the first one.
        drop((store, snapshot));
        let started = Instant::now();
        let (store, recovered) = Store::open(dir, &genesis.config, &genesis.state, &genesis.codes)?;
        let took = started.elapsed();
        let Head { header: head, state: tree, ancestors, .. } = recovered.head;
        let snapshot = Snapshot { tree, codes: recovered.codes };
        let store = Arc::new(store);
        let (forecast, recent) = (Forecast::default(), Recent::default());
        Ok((Self { genesis, store, key, head, ancestors, snapshot, forecast, recent }, took))
    }

    /// Makes the next block of all of `raw`, one stage after the other.
    ///
    /// # Errors
    /// [`BenchError`] if a transaction is refused, or whatever else keeps it from a block.
    pub fn block(&mut self, raw: &[Bytes]) -> Result<MadeBlock, BenchError> {
        let started = Instant::now();
        let recovered = self.recover(raw)?;
        let recover = started.elapsed();
        let mut made = self.make(recovered)?;
        made.stages.recover = recover;
        seal(&self.store, made)
    }

    /// Blocks of which different ones are in different stages at the same time: of `first`, made, and of `second`, recovered.
    ///
    /// # Errors
    /// As [`Self::block`].
    pub fn line(&mut self, [first, second]: &[RawBlock; 2]) -> Result<Line<'_>, BenchError> {
        let (first, ready) = (self.recover(first)?, self.recover(second)?);
        Ok(Line { made: self.make(first)?, ready, chain: self })
    }

    /// Decodes transactions and recovers who sent them.
    ///
    /// # Errors
    /// [`BenchError`] if one is none.
    pub fn recover(&self, raw: &[Bytes]) -> Result<Vec<Recovered>, BenchError> {
        Ok(recover(raw, self.genesis.config.params_at(self.head.height + 1))?)
    }

    /// Executes transactions as the next block, of which nothing is kept, nor learned.
    ///
    /// # Errors
    /// As [`Self::block`].
    pub fn execute(&self, recovered: &[Recovered]) -> Result<ExecutedBlock, BenchError> {
        self.execute_by(recovered, &mut self.forecast.clone())
    }

    fn execute_by(&self, recovered: &[Recovered], forecast: &mut Forecast) -> Result<ExecutedBlock, BenchError> {
        let env = Env::after(&self.genesis.config, &self.head, self.next_time_ms());
        let executed = executor::execute(&env, &self.snapshot, recovered, 0, forecast, &self.recent)?;
        if executed.refused.is_empty() { Ok(executed) } else { Err(BenchError::Invalid("a transaction was refused")) }
    }

    const fn next_time_ms(&self) -> u64 {
        self.head.time_ms + 1_000
    }

    /// Makes the next block of transactions whose senders are known.
    fn make(&mut self, recovered: Vec<Recovered>) -> Result<UnsealedBlock, BenchError> {
        let mut stages = Stages::default();
        let started = Instant::now();
        let mut forecast = std::mem::take(&mut self.forecast);
        let executed = self.execute_by(&recovered, &mut forecast)?;
        self.forecast = forecast;
        stages.execute = started.elapsed();

        let started = Instant::now();
        let parent_ancestors = self.ancestors.clone();
        let moment = (self.next_time_ms(), self.head.term);
        let (head, ancestors, tree) = (&self.head, &mut self.ancestors, &self.snapshot.tree);
        let assembled = assemble_by(&AllThreads, &self.genesis.config, head, ancestors, moment, tree, &executed.rows)
            .map_err(|_| BenchError::Invalid("too many columns"))?;
        let signature = self.key.sign(&assembled.header.hash());
        let signed = SignedHeader { header: assembled.header.clone(), signature };
        stages.assemble = started.elapsed();

        for (hash, code) in executed.rows.iter().flat_map(|row| &row.effects.codes_made) {
            self.snapshot.codes.insert(*hash, code.clone());
        }
        let roots = (self.snapshot.tree.root(), assembled.state.root());
        self.recent.go_on(roots, &executed.used, &assembled.writes);
        self.snapshot.tree = assembled.state.clone();
        let parent = std::mem::replace(&mut self.head, assembled.header.clone());
        Ok(UnsealedBlock { stages, parent, signed, parent_ancestors, executed, assembled, recovered })
    }
}

/// Blocks in different stages.
#[derive(Debug)]
pub struct Line<'a> {
    chain: &'a mut MeasuredChain,
    made: UnsealedBlock,
    ready: Vec<Recovered>,
}

impl Line<'_> {
    /// Takes blocks on, as many as there are `raws`: while one becomes durable, the next one is made, as the sequencer does it, and
    /// the senders of those after that, in the end of `raws`, are recovered where that leaves a core without work. Gives the last
    /// one that is durable, and the line.
    ///
    /// # Errors
    /// As [`MeasuredChain::block`].
    pub fn run(self, raws: &[RawBlock]) -> Result<(MadeBlock, Self), BenchError> {
        let Self { chain, made, ready } = self;
        let (store, params) = (chain.store.clone(), chain.genesis.config.params_at(chain.head.height + 1).clone());
        let recover = move |chunk: &[Bytes]| Ok(recover_chunk(chunk, &params)?);
        thread::scope(|scope| {
            // As the sequencer has it, a block waits for the one before to be durable. Sealing asks nothing of rayon's threads, one of
            // which waits here.
            let (to_seal, blocks) = mpsc::sync_channel(0);
            let sealing = scope.spawn(move || {
                let mut last = None;
                for block in blocks {
                    last = Some(seal(&store, block)?);
                }
                last.ok_or(NOT_SEALED)
            });
            let mut unsealed = Some(made);
            let ready = in_gaps(ready, raws, recover, |ready| {
                let before = unsealed.take().ok_or(NOT_SEALED)?;
                to_seal.send(before).map_err(|_| NOT_SEALED)?;
                unsealed = Some(chain.make(ready)?);
                Ok(())
            });
            drop(to_seal);
            let sealed = sealing.join().unwrap_or(Err(NOT_SEALED))?;
            let (ready, made) = (ready?, unsealed.ok_or(NOT_SEALED)?);
            Ok((sealed, Self { chain, made, ready }))
        })
    }

    /// Makes what is left durable; the last block.
    ///
    /// # Errors
    /// As [`MeasuredChain::block`].
    pub fn finish(self) -> Result<MadeBlock, BenchError> {
        seal(&self.chain.store, self.made)?;
        let last = self.chain.make(self.ready)?;
        seal(&self.chain.store, last)
    }
}

const NOT_SEALED: BenchError = BenchError::Invalid("a block was not sealed");

/// Makes a block as it is served, and durable.
fn seal(store: &Store, made: UnsealedBlock) -> Result<MadeBlock, BenchError> {
    let UnsealedBlock { mut stages, parent, signed, parent_ancestors, executed, assembled, recovered } = made;
    let started = Instant::now();
    let sealed = SealedBlock::made(signed, parent_ancestors, &assembled, executed, recovered)
        .map_err(|_| BenchError::Invalid("the parts of the block do not fit together"))?;
    let logged = store.log_bytes();
    store.append(&sealed, &assembled.writes)?;
    let logged = store.log_bytes() - logged;
    store.offer_state(assembled.header.height, &assembled.state);
    stages.store = started.elapsed();
    if !sealed.receipts().all(|receipt| receipt.success) {
        return Err(BenchError::Invalid("a transaction did not succeed"));
    }
    Ok(MadeBlock { stages, parent, sealed, assembled, logged })
}

fn recover(raw: &[Bytes], params: &Params) -> Result<Vec<Recovered>, TransactionError> {
    let chunks = raw.par_chunks(RECOVERED_AT_ONCE).map(|chunk| recover_chunk(chunk, params));
    Ok(chunks.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn recover_chunk(chunk: &[Bytes], params: &Params) -> Result<Vec<Recovered>, TransactionError> {
    let bytes = chunk.iter().map(AsRef::as_ref);
    let decoded = Transaction::decode_many(bytes, params.chain_id, params.fork).into_iter();
    let decoded = decoded.collect::<Result<Vec<_>, _>>()?;
    Recovered::recover_many(decoded).into_iter().collect()
}
