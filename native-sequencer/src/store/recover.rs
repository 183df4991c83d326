//! Opening a store: from snapshot and log to the head and the states before it.

use super::{
    error::{Failure, StoreError},
    log::{Found, Log, Part},
    segments::{Batch, Entry, Last, Segments},
    snapshot::{Since, Snapshots},
    tables::CERTIFICATES,
};
use crate::{
    block::{SealedBlock, StoredBlock, StoredLeaf, columns::are_bodies},
    chain::Head,
    limits,
    state::Codes,
};
use ocelli_core::{
    certificate::Certificate,
    genesis::ChainConfig,
    header::{Header, SignedHeader},
    key::Key,
    merkle::{self, Frontier},
    tree::{Leaf, Tree},
    wire,
};
use rayon::prelude::*;
use redb::{ReadTransaction, ReadableTable};
use std::{
    ops::RangeInclusive,
    sync::{Arc, atomic::AtomicBool, mpsc::sync_channel},
    thread,
    time::Instant,
};

/// What a store held when it was opened: what [`Chain::new`](crate::chain::Chain::new) goes on from.
#[derive(Debug)]
pub struct Recovered {
    /// The states that were kept, by height, from the oldest to the head's, each with its block, if that was read; genesis has
    /// none.
    pub states: Vec<(u64, Option<Arc<SealedBlock>>, Tree)>,
    /// The end of the chain.
    pub head: Head,
    /// All code.
    pub codes: Arc<Codes>,
    /// The newest certificate.
    pub certificate: Option<Arc<Certificate>>,
}

/// Levels of segments that are merged while an index is made again, from 0 on.
const MERGED_AT_ONCE: u8 = 2;

fn not_merged(error: &StoreError) -> bool {
    tracing::warn!(%error, "segments of the index cannot be merged yet");
    false
}

/// Puts the blocks that were `found` in the log into the index, and their code to the others'.
pub(super) fn catch_up(
    segments: &Segments,
    log: &Log,
    config: &ChainConfig,
    found: &[Found],
    codes: &Codes,
) -> Result<(), StoreError> {
    let (mut batch, go_on) = (Batch::default(), AtomicBool::new(false));
    for (done, blocks) in found.chunks(limits::RECOVERY_BATCH).enumerate() {
        let entry = |found: &Found| Ok(Entry::new(&read_block(log, config, *found)?, found.at));
        let entries = blocks.par_iter().map(entry).collect::<Result<Vec<Entry>, StoreError>>()?;
        for entry in entries {
            entry.codes.iter().for_each(|(hash, code)| codes.insert(*hash, code.clone()));
            batch.add(entry);
        }
        let is_last = (done + 1) * limits::RECOVERY_BATCH >= found.len();
        if batch.is_full() || is_last {
            segments.add(&std::mem::take(&mut batch))?;
            // The index merges them in its own time. Here only what would be very many files are made fewer, and what hinders that
            // hinders no opening.
            while !is_last && segments.merge(MERGED_AT_ONCE, &go_on).unwrap_or_else(|error| not_merged(&error)) {}
            let (height, of) = (blocks.last().map(|last| last.height), found.last().map(|last| last.height));
            if found.len() > limits::INDEX_BLOCKS {
                tracing::info!(height, of, "making the index again");
            }
        }
    }
    Ok(())
}

/// Checks that the last block in the index is the log's.
pub(super) fn check_known(segments: &Segments, log: &Log, known: Option<Last>) -> Result<(), StoreError> {
    let Some(Last { found: Found { height, at }, hash }) = known else { return Ok(()) };
    let signed = decode_header(log, height, &log.read(height, at, Part::Header)?)?;
    if signed.header.hash() == hash {
        return Ok(());
    }
    Err(segments.damaged(format!("it has another block {height} than the log")))
}

/// What is read to go on. The index has all blocks of the log.
pub(super) struct Files<'a> {
    pub(super) segments: &'a Segments,
    pub(super) snapshots: &'a Snapshots,
    pub(super) log: &'a Log,
    pub(super) config: &'a ChainConfig,
    pub(super) genesis: &'a Tree,
}

/// Reads and checks everything that is needed to go on. `codes` is all code.
pub(super) fn recover(
    files: &Files<'_>,
    codes: Arc<Codes>,
    certificate: Option<Certificate>,
) -> Result<Recovered, StoreError> {
    let Files { segments, log, config, .. } = *files;
    let last = segments.last()?.map_or(0, |last| last.found.height);
    let recent = files.blocks(last.saturating_sub(limits::HISTORY_BLOCKS) + 1..=last)?;
    let first = last - one_by_one(log, &recent)? as u64;
    // The block that the first of the states is after, and those that follow.
    let kept = files.blocks(first.max(1)..=last)?;
    let headers = read_headers(log, config, &kept)?;
    let states = restore(files, &kept, &headers, first)?;
    let opened = open_last(log, config, &kept)?;
    let head = head(log, config, &headers, opened.last(), &states)?;
    if let Some(certificate) = &certificate {
        check_certified(log, files.block(certificate.height)?, certificate)?;
    }
    let certificate = certificate.map(Arc::new);

    let without_block = states.len() - opened.len();
    let opened = std::iter::repeat_n(None, without_block).chain(opened.into_iter().map(Some));
    let states = states.into_iter().zip(opened).map(|((height, tree), block)| (height, block, tree)).collect();
    Ok(Recovered { states, head, codes, certificate })
}

/// The headers of these blocks, which have to follow on each other; genesis' if there is none.
fn read_headers(log: &Log, config: &ChainConfig, blocks: &[Found]) -> Result<Vec<Header>, StoreError> {
    let read = |block: &Found| {
        let encoded = log.read(block.height, block.at, Part::Header)?;
        Ok(decode_header(log, block.height, &encoded)?.header)
    };
    let headers = blocks.iter().map(read).collect::<Result<Vec<Header>, StoreError>>()?;
    let genesis = config.genesis_header();
    for pair in headers.windows(2) {
        if let [parent, child] = pair
            && child.parent != parent.hash()
        {
            return Err(log.damaged(format!("block {} is not the child of the one before it", child.height)));
        }
    }
    Ok(if headers.is_empty() { vec![genesis] } else { headers })
}

impl Files<'_> {
    fn block(&self, height: u64) -> Result<Found, StoreError> {
        let at = self.segments.frame(height)?;
        let at = at.ok_or_else(|| self.segments.damaged(format!("it lacks block {height}")))?;
        Ok(Found { height, at })
    }

    fn blocks(&self, heights: RangeInclusive<u64>) -> Result<Vec<Found>, StoreError> {
        heights.map(|height| self.block(height)).collect()
    }

    /// The state after the newest block up to `height` that there is a snapshot of; the first state if there is none.
    fn base(&self, height: u64) -> Result<(u64, Tree), StoreError> {
        for found in self.snapshots.heights()?.into_iter().filter(|found| *found <= height) {
            if let Some(tree) = self.snapshot(found)? {
                return Ok((found, tree));
            }
            tracing::warn!(height = found, "the snapshot of the state is damaged, and an earlier one is taken");
            self.snapshots.remove(found)?;
        }
        Ok((0, self.genesis.clone()))
    }

    /// `None` if it is not what the block at `height` left.
    fn snapshot(&self, height: u64) -> Result<Option<Tree>, StoreError> {
        let Some(batches) = self.snapshots.read(height)? else { return Ok(None) };
        let mut tree = Tree::new();
        match grow(&mut tree, batches) {
            Err(StoreError::DamagedIndex { .. }) => return Ok(None),
            grown => grown?,
        }
        let block = self.block(height)?;
        let signed = decode_header(self.log, height, &self.log.read(height, block.at, Part::Header)?)?;
        Ok((tree.root().0 == signed.header.state_root).then_some(tree))
    }

    /// What the block at `height` wrote, which is counted in `since` if the block is above `newest`.
    fn writes(&self, height: u64, since: &mut Since, newest: u64) -> Result<Vec<Leaf>, StoreError> {
        let block = self.block(height)?;
        let writes = StoredLeaf::with_paths(&self.log.writes(height, block.at)?);
        if height > newest {
            since.writes += writes.len() as u64;
            since.blocks += 1;
        }
        Ok(writes)
    }
}

/// The last states, by height, from the one after block `first` to the head's. `blocks` are those from `first` on.
fn restore(
    files: &Files<'_>,
    blocks: &[Found],
    headers: &[Header],
    first: u64,
) -> Result<Vec<(u64, Tree)>, StoreError> {
    let header = |height: u64| headers.iter().find(|header| header.height == height);
    let check = |height: u64, tree: &Tree| {
        let (expected, found) = (header(height).map(|header| header.state_root), tree.root().0);
        if expected == Some(found) || height == 0 {
            return Ok(());
        }
        let expected = expected.unwrap_or_default();
        Err(files.log.damaged(format!("the state after block {height} has root {found}, not {expected}")))
    };
    let newest = files.snapshots.heights()?.first().copied().unwrap_or_default();
    let started = Instant::now();
    let (base, mut tree) = files.base(first)?;
    let read = started.elapsed();
    let mut since = Since::default();
    let heights = &mut (base + 1..=first);
    let batches = std::iter::from_fn(|| batch_of_writes(files, heights, &mut since, newest).transpose());
    grow(&mut tree, batches)?;
    check(first, &tree)?;
    tracing::debug!(base, first, writes = since.writes, ?read, all = ?started.elapsed(), "restored the first state that is kept");
    let mut states = vec![(first, tree)];
    for block in blocks.iter().filter(|block| block.height > first) {
        let Some(mut tree) = states.last().map(|(_, tree)| tree.clone()) else { break };
        tree.update(files.writes(block.height, &mut since, newest)?);
        check(block.height, &tree)?;
        states.push((block.height, tree));
    }
    tracing::debug!(writes = since.writes, all = ?started.elapsed(), "restored all states that are kept");
    files.snapshots.set_since(since);
    Ok(states)
}

/// What the next of these blocks wrote, as many as go onto a state at once: ascending by path, the last of each key.
fn batch_of_writes(
    files: &Files<'_>,
    heights: &mut RangeInclusive<u64>,
    since: &mut Since,
    newest: u64,
) -> Result<Option<Vec<Leaf>>, StoreError> {
    let mut leaves = Vec::new();
    while leaves.len() < limits::STORE_LEAF_BATCH
        && let Some(height) = heights.next()
    {
        leaves.extend(files.writes(height, since, newest)?);
    }
    // The order of the blocks is kept, so that the last one counts.
    leaves.reverse();
    leaves.sort_by_key(|leaf| leaf.path);
    leaves.dedup_by_key(|leaf| leaf.path);
    Ok(Some(leaves).filter(|leaves| !leaves.is_empty()))
}

/// Puts leaves onto a state, batch by batch; while one goes in, the next is read.
fn grow(
    tree: &mut Tree,
    batches: impl Iterator<Item = Result<Vec<Leaf>, StoreError>> + Send,
) -> Result<(), StoreError> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            let mut batches = batches;
            // Nobody receives what follows on an error.
            while batches.next().is_some_and(|batch| sender.send(batch).is_ok()) {}
        });
        for batch in receiver {
            tree.update(batch?);
        }
        Ok(())
    })
}

/// Checks that the log has the block that is certified.
fn check_certified(log: &Log, block: Found, certificate: &Certificate) -> Result<(), StoreError> {
    let signed = decode_header(log, block.height, &log.read(block.height, block.at, Part::Header)?)?;
    if signed.header.hash() == certificate.header {
        return Ok(());
    }
    Err(log.damaged(format!("block {} is not the one that is certified", block.height)))
}

/// How many of the last blocks are put onto the state one after the other.
fn one_by_one(log: &Log, blocks: &[Found]) -> Result<usize, StoreError> {
    let mut bytes = 0;
    for (count, block) in blocks.iter().rev().enumerate() {
        bytes += log.length(block.at, Part::Writes)?;
        if bytes > limits::RESTORED_WRITES_BYTES {
            return Ok(count);
        }
    }
    Ok(blocks.len())
}

/// The last of `blocks`, as many as stay decoded in memory.
fn open_last(log: &Log, config: &ChainConfig, blocks: &[Found]) -> Result<Vec<Arc<SealedBlock>>, StoreError> {
    let (mut opened, mut bytes) = (Vec::new(), 0);
    for batch in blocks.rchunks(limits::RECOVERY_BATCH) {
        let read = |block: &Found| read_block(log, config, *block).map(Arc::new);
        let mut batch = batch.par_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        bytes += batch.iter().map(|block| block.bytes()).sum::<usize>();
        batch.append(&mut opened);
        opened = batch;
        if bytes > limits::RECENT_BYTES {
            break;
        }
    }
    Ok(opened)
}

fn head(
    log: &Log,
    config: &ChainConfig,
    headers: &[Header],
    block: Option<&Arc<SealedBlock>>,
    states: &[(u64, Tree)],
) -> Result<Head, StoreError> {
    let (Some(header), Some((height, state))) = (headers.last(), states.last()) else {
        return Err(log.damaged("no state".to_owned()));
    };
    let mut ancestors = Frontier::default();
    if let Some(block) = block {
        // One signature vouches for all blocks: each names its parent by hash.
        if block.stored.signed.signer() != Ok(config.params_at(*height).sequencer) {
            return Err(log.damaged(format!("block {height} is not signed by the chain's sequencer")));
        }
        ancestors = block.stored.parent_ancestors.clone();
        ancestors.append(merkle::leaf_hash(header.parent.as_slice()));
    }
    if ancestors.root() != header.ancestors || ancestors.size() != *height {
        return Err(log.damaged(format!("block {height} has another log of ancestors")));
    }
    Ok(Head { header: header.clone(), hash: header.hash(), state: state.clone(), ancestors })
}

pub(super) fn read_block(log: &Log, config: &ChainConfig, block: Found) -> Result<SealedBlock, StoreError> {
    let Found { height, at } = block;
    let stored = decode_block(log, height, &log.read(height, at, Part::Block)?)?;
    let written = written(log, block)?;
    let manifest = &stored.manifest;
    let committed = manifest.root() == stored.signed.header.manifest_root
        && are_bodies(manifest.rows.iter().map(|row| &row.body_hash), &stored.row_bodies);
    if !committed {
        return Err(log.damaged(format!("block {height} has other content than its header commits to")));
    }
    SealedBlock::open(stored, &written, config.params_at(height)).map_err(|error| log.damaged(error.to_string()))
}

/// The keys that a block wrote, ascending by path.
pub(super) fn written(log: &Log, block: Found) -> Result<Vec<Key>, StoreError> {
    Ok(log.writes(block.height, block.at)?.iter().map(StoredLeaf::key).collect())
}

pub(super) fn decode_block(log: &Log, height: u64, encoded: &[u8]) -> Result<StoredBlock, StoreError> {
    let stored = StoredBlock::decode(encoded).map_err(|error| log.damaged(format!("block {height}: {error}")))?;
    let found = stored.signed.header.height;
    if found == height { Ok(stored) } else { Err(log.damaged(format!("block {found} stands as block {height}"))) }
}

/// Most bytes of one encoded header; it has some 600.
const HEADER_BYTES: usize = 4_096;

pub(super) fn decode_header(log: &Log, height: u64, encoded: &[u8]) -> Result<SignedHeader, StoreError> {
    wire::decode(encoded, HEADER_BYTES).map_err(|error| log.damaged(format!("header {height}: {error}")))
}

pub(super) fn decode_certificate(height: u64, encoded: &[u8]) -> Result<Certificate, Failure> {
    let decoded = Certificate::decode(encoded);
    decoded.map_err(|error| Failure::Damaged(format!("the certificate for block {height}: {error}")))
}

pub(super) fn latest_certificate(transaction: &ReadTransaction) -> Result<Option<Certificate>, Failure> {
    let table = transaction.open_table(CERTIFICATES)?;
    let last = table.last()?;
    last.map(|(height, encoded)| decode_certificate(height.value(), encoded.value())).transpose()
}
