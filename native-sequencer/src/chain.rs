//! The chain as everyone who reads sees it: the head, recent blocks and states, and what happens next.
//!
//! Guaranteed: what can be read here is durable, but for code, which its hash names. The producer publishes a block only after the
//! store has it.

mod columns;
mod old;

use crate::{
    block::{Damaged, SealedBlock},
    limits,
    state::{Codes, Snapshot},
    store::{Place, Store, StoreError},
};
use alloy_primitives::{B256, Bytes};
use columns::Rebuilding;
use ocelli_core::{
    certificate::Certificate,
    genesis::ChainConfig,
    header::{Header, SignedHeader},
    merkle::Frontier,
    tree::Tree,
};
use old::OldBlocks;
use parking_lot::{Mutex, RwLock};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::broadcast;

/// Something that happened, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A block was sealed: it is signed, durable, and its bodies can be fetched.
    Sealed(Arc<SealedBlock>),
    /// A certificate was formed.
    Attested(Arc<Certificate>),
    /// An attestation was accepted: someone checked these tasks.
    Checked(Arc<ocelli_core::attestation::SignedAttestation>),
    /// Someone brought evidence of a fault, and it was confirmed.
    Fault(Arc<ProvenFault>),
}

/// A confirmed fault.
#[derive(Clone, Debug)]
pub struct ProvenFault {
    /// The height of the faulty block.
    pub height: u64,
    /// What is wrong, in words.
    pub description: String,
    /// The encoded evidence.
    pub evidence: Bytes,
}

/// The end of the chain.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its header.
    pub header: Header,
    /// The header's hash.
    pub hash: B256,
    /// The state after it.
    pub state: Tree,
    /// The log of ancestors that `header.ancestors` is the root of.
    pub ancestors: Frontier,
}

/// What was kept of one recent block.
#[derive(Clone, Debug)]
struct Recent {
    block: Option<Arc<SealedBlock>>,
    height: u64,
    state: Tree,
}

/// Reading a block failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds something that does not fit together.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The columns of the block at this height, or what a row's task takes of them, are not kept, and cannot be made again.
    #[error("the columns of block {0} are not kept")]
    NotKept(u64),
    /// Too many wait for columns that have to be made again.
    #[error("too much is being made again")]
    Busy,
}

/// The read side of the chain; shared by all servers.
#[derive(Debug)]
pub struct Chain {
    config: ChainConfig,
    store: Arc<Store>,
    codes: Arc<Codes>,
    head: RwLock<Arc<Head>>,
    recent: RwLock<VecDeque<Recent>>,
    old: OldBlocks,
    rebuilding: Rebuilding,
    attested: RwLock<Option<Arc<Certificate>>>,
    faults: Mutex<Vec<Arc<ProvenFault>>>,
    events: broadcast::Sender<Event>,
}

impl Chain {
    /// The chain that `store` holds, from what it recovered: states from oldest to newest (each with its block, which genesis
    /// has none of), the last of which is the head's.
    pub fn new(
        config: ChainConfig,
        store: Arc<Store>,
        codes: Arc<Codes>,
        head: Head,
        states: Vec<(u64, Option<Arc<SealedBlock>>, Tree)>,
        attested: Option<Arc<Certificate>>,
    ) -> Self {
        let recent = states.into_iter().map(|(height, block, state)| Recent { block, height, state });
        let mut recent: VecDeque<_> = recent.collect();
        bound(&mut recent);
        Self {
            config,
            store,
            codes,
            head: RwLock::new(Arc::new(head)),
            recent: RwLock::new(recent),
            old: OldBlocks::default(),
            rebuilding: Rebuilding::default(),
            attested: RwLock::new(attested),
            faults: Mutex::default(),
            events: broadcast::channel(limits::EVENT_QUEUE).0,
        }
    }

    /// What names the chain.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The end of the chain.
    pub fn head(&self) -> Arc<Head> {
        self.head.read().clone()
    }

    /// The greatest height that a certificate covers; 0 if none does.
    pub fn attested_height(&self) -> u64 {
        self.attested.read().as_ref().map_or(0, |certificate| certificate.height)
    }

    /// The first certificate that covers the block at `height`, if any does.
    ///
    /// # Errors
    /// [`ReadError`] if the store fails.
    pub fn certificate_covering(&self, height: u64) -> Result<Option<Certificate>, ReadError> {
        Ok(self.store.certificate_at_or_after(height)?)
    }

    /// The newest certificate.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.attested.read().clone()
    }

    /// Faults that were confirmed since the start.
    pub fn faults(&self) -> Vec<Arc<ProvenFault>> {
        self.faults.lock().clone()
    }

    /// What happens from now on. A receiver that falls behind by [`limits::EVENT_QUEUE`] events is told so and has to start
    /// over from what it can read.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// All code.
    pub fn codes(&self) -> Arc<Codes> {
        self.codes.clone()
    }

    /// The state at the head.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { tree: self.head().state.clone(), codes: self.codes.clone() }
    }

    /// The state after block `height`, if that is among the last [`limits::HISTORY_BLOCKS`].
    pub fn snapshot_at(&self, height: u64) -> Option<Snapshot> {
        let recent = self.recent.read();
        let at = recent.binary_search_by_key(&height, |recent| recent.height).ok()?;
        Some(Snapshot { tree: recent.get(at)?.state.clone(), codes: self.codes.clone() })
    }

    /// The header of block `height`.
    ///
    /// # Errors
    /// [`ReadError`] if the store fails.
    pub fn header(&self, height: u64) -> Result<Option<Header>, ReadError> {
        if height == 0 {
            return Ok(Some(self.config.genesis_header()));
        }
        Ok(self.signed_header(height)?.map(|signed| signed.header))
    }

    /// The block with this height; genesis is none.
    ///
    /// # Errors
    /// [`ReadError`] if the store fails.
    pub fn block(&self, height: u64) -> Result<Option<Arc<SealedBlock>>, ReadError> {
        if let Some(block) = self.recent_block(height) {
            return Ok(Some(block));
        }
        if height > self.head().header.height {
            return Ok(None);
        }
        self.old.get(height, || {
            let Some((stored, written)) = self.store.block(height)? else { return Ok(None) };
            Ok(Some(Arc::new(SealedBlock::open(stored, &written, self.config.params_at(height))?)))
        })
    }

    fn recent_block(&self, height: u64) -> Option<Arc<SealedBlock>> {
        let recent = self.recent.read();
        let at = recent.binary_search_by_key(&height, |recent| recent.height).ok()?;
        recent.get(at)?.block.clone()
    }

    /// The height of the block with this hash.
    ///
    /// # Errors
    /// [`ReadError`] if the store fails.
    pub fn height_of(&self, hash: &B256) -> Result<Option<u64>, ReadError> {
        if *hash == self.config.genesis_header().hash() {
            return Ok(Some(0));
        }
        Ok(self.store.height_of(hash)?.filter(|height| *height <= self.head().header.height))
    }

    /// Where the transaction with this hash is.
    ///
    /// # Errors
    /// [`ReadError`] if the store fails.
    pub fn place_of(&self, transaction: &B256) -> Result<Option<Place>, ReadError> {
        Ok(self.store.place_of(transaction)?.filter(|place| place.height <= self.head().header.height))
    }

    /// The code with this hash.
    pub fn code(&self, hash: &B256) -> Option<Bytes> {
        self.codes.get(hash).map(|code| code.original_bytes())
    }

    /// Makes a durable block visible: the end of the chain from now on.
    pub(crate) fn publish(&self, block: Arc<SealedBlock>, head: impl Into<Arc<Head>>) {
        let head = head.into();
        for (hash, code) in &block.stored.codes {
            self.codes.insert(*hash, code.clone());
        }
        self.store.offer_state(head.header.height, &head.state);
        let mut recent = self.recent.write();
        let state = head.state.clone();
        recent.push_back(Recent { block: Some(block.clone()), height: head.header.height, state });
        bound(&mut recent);
        *self.head.write() = head;
        drop(recent);
        // Nobody listening is no error.
        let _ = self.events.send(Event::Sealed(block));
    }

    /// Makes a durable certificate visible.
    pub(crate) fn publish_certificate(&self, certificate: Arc<Certificate>) {
        *self.attested.write() = Some(certificate.clone());
        let _ = self.events.send(Event::Attested(certificate));
    }

    /// Tells everyone that an attestation was accepted.
    pub(crate) fn publish_attestation(&self, attestation: Arc<ocelli_core::attestation::SignedAttestation>) {
        let _ = self.events.send(Event::Checked(attestation));
    }

    /// Tells everyone of a confirmed fault.
    pub(crate) fn publish_fault(&self, fault: Arc<ProvenFault>) {
        self.faults.lock().push(fault.clone());
        let _ = self.events.send(Event::Fault(fault));
    }

    /// The signed header of block `height`; genesis has none.
    ///
    /// # Errors
    /// [`ReadError`] if the store fails.
    pub fn signed_header(&self, height: u64) -> Result<Option<SignedHeader>, ReadError> {
        if let Some(block) = self.recent_block(height) {
            return Ok(Some(block.stored.signed.clone()));
        }
        if height > self.head().header.height {
            return Ok(None);
        }
        Ok(self.store.signed_header(height)?)
    }
}

/// Keeps the states of so many blocks, and of these the last blocks that fit into so many bytes.
fn bound(recent: &mut VecDeque<Recent>) {
    while recent.len() as u64 > limits::HISTORY_BLOCKS {
        recent.pop_front();
    }
    let mut bytes = 0_usize;
    for (above, recent) in recent.iter_mut().rev().enumerate() {
        bytes = bytes.saturating_add(recent.block.as_ref().map_or(0, |block| block.bytes()));
        if above >= limits::RECENT_BLOCKS && bytes > limits::RECENT_BYTES {
            recent.block = None;
        }
    }
}
