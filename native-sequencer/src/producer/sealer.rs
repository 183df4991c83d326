//! Sealing: a block that was made becomes durable and is published, while the next one is made.
//!
//! One block at a time, on a thread of its own. It keeps off the executor's threads: they have the next block to make.

use super::ProducerError;
use crate::{
    block::SealedBlock,
    chain::{Chain, Head},
    executor::ExecutedBlock,
    pool::Pool,
    store::Store,
};
use alloy_primitives::B256;
use ocelli_core::{
    block::AssembledBlock,
    evm::Refused,
    header::{Header, SignedHeader},
    merkle::Frontier,
    transaction::Recovered,
    tree::Leaf,
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Transactions that no block will take, by their hashes, and why.
pub(super) type RefusedOnes = Vec<(B256, Refused)>;

/// A block that is executed, assembled and signed; nobody has seen it.
#[derive(Debug)]
pub(super) struct MadeBlock {
    pub(super) signed: SignedHeader,
    pub(super) parent_ancestors: Frontier,
    pub(super) assembled: AssembledBlock,
    pub(super) executed: ExecutedBlock,
    /// What was executed.
    pub(super) transactions: Vec<Recovered>,
    /// The end of the chain once it is published.
    pub(super) head: Arc<Head>,
    /// What it would not take, which stays in the pool until it is durable why.
    pub(super) refused: RefusedOnes,
    /// When it was begun, and how long it took to make.
    pub(super) started: Instant,
    pub(super) made: Duration,
}

impl MadeBlock {
    pub(super) const fn header(&self) -> &Header {
        &self.signed.header
    }

    pub(super) fn writes(&self) -> &[Leaf] {
        &self.assembled.writes
    }
}

type Sealed = Result<Arc<SealedBlock>, ProducerError>;

/// The thread that seals.
#[derive(Debug)]
pub(super) struct Sealer {
    /// `None` when it is to end.
    blocks: Option<SyncSender<MadeBlock>>,
    sealed: Receiver<Sealed>,
    /// What the end of the chain will be once the block is published that is being sealed, if one is.
    ahead: Option<Arc<Head>>,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    pub(super) fn start(chain: Arc<Chain>, pool: Arc<Pool>, store: Arc<Store>) -> std::io::Result<Self> {
        // One at a time, so that neither side waits to hand something over.
        let (blocks, made) = sync_channel::<MadeBlock>(1);
        let (to_producer, sealed) = sync_channel(1);
        let thread = std::thread::Builder::new().name("sealer".to_owned()).spawn(move || {
            while let Ok(block) = made.recv()
                && to_producer.send(seal(&chain, &pool, &store, block)).is_ok()
            {}
        })?;
        Ok(Self { blocks: Some(blocks), sealed, ahead: None, thread: Some(thread) })
    }

    /// What the end of the chain will be, if a block is being sealed.
    pub(super) fn ahead(&self) -> Option<Arc<Head>> {
        self.ahead.clone()
    }

    /// Begins to seal a block. None must be under way.
    pub(super) fn begin(&mut self, block: MadeBlock) -> Result<(), ProducerError> {
        self.ahead = Some(block.head.clone());
        let is_sent = self.blocks.as_ref().is_some_and(|blocks| blocks.send(block).is_ok());
        if is_sent { Ok(()) } else { Err(ProducerError::SealerEnded) }
    }

    /// Waits for the block that is being sealed, if there is one. After an error nothing is sealed any more.
    pub(super) fn wait(&mut self) -> Result<Option<Arc<SealedBlock>>, ProducerError> {
        if self.ahead.take().is_none() {
            return Ok(None);
        }
        let sealed = self.sealed.recv().unwrap_or(Err(ProducerError::SealerEnded));
        if sealed.is_err() {
            self.blocks = None;
        }
        sealed.map(Some)
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            // The log says where it panicked.
            let _ = thread.join();
        }
    }
}

/// Makes a block durable, then visible.
fn seal(chain: &Chain, pool: &Pool, store: &Store, block: MadeBlock) -> Sealed {
    let MadeBlock { signed, parent_ancestors, assembled, executed, transactions, head, refused, started, made } = block;
    let order = (executed.lanes, executed.surprises, executed.ran_twice);
    let block = Arc::new(SealedBlock::made(signed, parent_ancestors, &assembled, executed, transactions)?);
    store.append(&block, &assembled.writes)?;
    chain.publish(block.clone(), head);
    pool.sealed(&block, &assembled.writes);
    refused.iter().for_each(|(hash, why)| pool.drop_refused(hash, why));
    report(&block, order, made, started.elapsed());
    Ok(block)
}

fn report(block: &SealedBlock, (lanes, surprises, ran_twice): (usize, usize, usize), made: Duration, sealed: Duration) {
    let header = block.header();
    metrics::counter!("ocelli_transactions_total").increment(block.transactions.len() as u64);
    metrics::gauge!("ocelli_height").set(header.height as f64);
    metrics::histogram!("ocelli_block_seconds").record(sealed.as_secs_f64());
    tracing::info!(
        height = header.height,
        transactions = block.transactions.len(),
        gas = header.gas_used,
        lanes,
        rows = block.stored.manifest.rows.len(),
        columns = block.stored.manifest.columns.len(),
        surprises,
        ran_twice,
        made_ms = made.as_millis() as u64,
        sealed_ms = sealed.as_millis() as u64,
        hash = %block.hash,
        "sealed"
    );
}
