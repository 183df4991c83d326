//! Opening a store: from snapshot and log to the head and the states before it.

use super::{
    error::{Failure, StoreError},
    index::{self, Entry},
    log::{Found, Log, Part},
    tables::{self, CERTIFICATES, CODES, LEAVES, META_SNAPSHOT},
};
use crate::{
    block::{SealedBlock, StoredBlock, StoredLeaf},
    chain::Head,
    limits,
    state::Codes,
};
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    certificate::Certificate,
    genesis::ChainConfig,
    hash::keccak256,
    header::{Header, SignedHeader},
    key::Key,
    merkle::{self, Frontier},
    tree::{Leaf, Tree},
    wire,
};
use rayon::prelude::*;
use redb::{ReadTransaction, ReadableTable};
use std::sync::Arc;

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

/// Puts the blocks that were `found` in the log into the index.
pub(super) fn catch_up(
    index: &index::File,
    log: &Log,
    config: &ChainConfig,
    found: &[Found],
) -> Result<(), StoreError> {
    let many = found.len() > limits::INDEX_BACKLOG + limits::INDEX_BATCH;
    for batch in found.chunks(limits::INDEX_BATCH) {
        let entry = |found: &Found| Ok(Entry::new(&read_block(log, config, *found)?, found.at));
        let entries = batch.par_iter().map(entry).collect::<Result<Vec<Entry>, StoreError>>()?;
        index.add(log, &entries)?;
        if let Some(last) = batch.last().filter(|_| many) {
            tracing::info!(height = last.height, of = found.last().map(|last| last.height), "making the index again");
        }
    }
    Ok(())
}

/// Checks that the last block in the index is the log's.
pub(super) fn check_known(index: &index::File, log: &Log, known: Option<Found>) -> Result<(), StoreError> {
    let Some(Found { height, at }) = known else { return Ok(()) };
    let signed = decode_header(log, height, &log.read(height, at, Part::Header)?)?;
    if index.has(height, &signed.header.hash())? {
        return Ok(());
    }
    Err(index.damaged(format!("it has another block {height} than the log")))
}

/// Reads and checks everything that is needed to go on. The index has all blocks of the log.
pub(super) fn recover(
    index: &index::File,
    log: &Log,
    config: &ChainConfig,
    certificate: Option<Certificate>,
) -> Result<Recovered, StoreError> {
    let last = index.last()?.map_or(0, |last| last.height);
    let (codes, snapshot, tree) = index.read(|transaction| {
        Ok((read_codes(transaction)?, tables::height(transaction, META_SNAPSHOT)?, read_leaves(transaction)?))
    })?;
    let found = |height| {
        let at = index.frame(height)?.ok_or_else(|| index.damaged(format!("it lacks block {height}")))?;
        Ok(Found { height, at })
    };
    let blocks = (snapshot.max(1)..=last).map(found).collect::<Result<Vec<Found>, StoreError>>()?;
    let headers = read_headers(log, config, &blocks)?;
    let states = restore(index, log, &blocks, &headers, snapshot, tree)?;
    let first = states.first().map_or(0, |(height, _)| *height);
    let kept = blocks.iter().copied().filter(|block| block.height >= first);
    let opened = open_last(log, config, &kept.collect::<Vec<_>>())?;
    let head = head(log, config, &headers, opened.last(), &states)?;
    if let Some(certificate) = &certificate {
        check_certified(log, found(certificate.height)?, certificate)?;
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

/// The last states, by height, the head's at the end. `tree` is the state after block `snapshot`, with which `blocks` begin.
fn restore(
    index: &index::File,
    log: &Log,
    blocks: &[Found],
    headers: &[Header],
    snapshot: u64,
    mut tree: Tree,
) -> Result<Vec<(u64, Tree)>, StoreError> {
    let header = |height: u64| headers.iter().find(|header| header.height == height);
    let check = |height: u64, tree: &Tree| {
        let (expected, found) = (header(height).map(|header| header.state_root), tree.root().0);
        // The snapshot of a chain without blocks is the genesis state, which was compared before.
        if expected.is_none_or(|expected| expected == found) {
            return Ok(());
        }
        // What blocks wrote has its check in the log: it is the snapshot below that is another.
        let expected = expected.unwrap_or_default();
        Err(index.damaged(format!("the state after block {height} has root {found}, not {expected}")))
    };
    check(snapshot, &tree)?;
    let above: Vec<Found> = blocks.iter().copied().filter(|block| block.height > snapshot).collect();
    let together = above.len() - one_by_one(log, &above)?;
    let (together, one_by_one) = above.split_at(together);
    let mut leaves = Vec::new();
    for block in together {
        leaves.extend(read_writes(log, *block)?);
        if leaves.len() >= limits::STORE_LEAF_BATCH {
            tree.update(std::mem::take(&mut leaves));
        }
    }
    tree.update(leaves);
    let first = together.last().map_or(snapshot, |block| block.height);
    check(first, &tree)?;
    let mut states = vec![(first, tree)];
    for block in one_by_one {
        let Some(mut tree) = states.last().map(|(_, tree)| tree.clone()) else { break };
        tree.update(read_writes(log, *block)?);
        check(block.height, &tree)?;
        states.push((block.height, tree));
    }
    Ok(states)
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

fn read_writes(log: &Log, block: Found) -> Result<Vec<Leaf>, StoreError> {
    let writes = log.writes(block.height, block.at)?;
    let paths = Key::paths(writes.iter().map(|leaf| &leaf.key));
    let leaf = |(path, StoredLeaf { key, version, value })| Leaf { path, key, version, value };
    Ok(paths.into_iter().zip(writes).map(leaf).collect())
}

/// The last of `blocks`, as many as stay decoded in memory.
fn open_last(log: &Log, config: &ChainConfig, blocks: &[Found]) -> Result<Vec<Arc<SealedBlock>>, StoreError> {
    let (mut opened, mut bytes) = (Vec::new(), 0);
    for batch in blocks.rchunks(limits::RECOVERY_BATCH) {
        let read = |block: &Found| read_block(log, config, *block).map(Arc::new);
        let mut batch = batch.par_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        bytes += batch.iter().map(|block| block.bytes).sum::<usize>();
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

fn read_codes(transaction: &ReadTransaction) -> Result<Arc<Codes>, Failure> {
    let codes = Codes::default();
    for entry in transaction.open_table(CODES)?.iter()? {
        let (hash, code) = entry?;
        let (hash, code) = (B256::new(*hash.value()), Bytes::copy_from_slice(code.value()));
        if keccak256(&code) != hash {
            return Err(Failure::Damaged(format!("the code {hash} is other code")));
        }
        codes.insert(hash, code);
    }
    Ok(Arc::new(codes))
}

fn read_leaves(transaction: &ReadTransaction) -> Result<Tree, Failure> {
    let mut tree = Tree::new();
    let mut batch: Vec<Leaf> = Vec::with_capacity(limits::STORE_LEAF_BATCH);
    for entry in transaction.open_table(LEAVES)?.iter()? {
        let (_, encoded) = entry?;
        batch.push((&tables::decode_leaf(encoded.value())?).into());
        if batch.len() == limits::STORE_LEAF_BATCH {
            tree.update(std::mem::replace(&mut batch, Vec::with_capacity(limits::STORE_LEAF_BATCH)));
        }
    }
    tree.update(batch);
    Ok(tree)
}

fn read_block(log: &Log, config: &ChainConfig, block: Found) -> Result<SealedBlock, StoreError> {
    let Found { height, at } = block;
    let stored = decode_block(log, height, &log.read(height, at, Part::Block)?)?;
    let manifest = &stored.manifest;
    let committed = manifest.root() == stored.signed.header.manifest_root
        && same_bodies(manifest.rows.iter().map(|row| &row.body_hash), &stored.row_bodies)
        && same_bodies(manifest.columns.iter().map(|column| &column.body_hash), &stored.column_bodies);
    if !committed {
        return Err(log.damaged(format!("block {height} has other content than its header commits to")));
    }
    SealedBlock::open(stored, config.params_at(height)).map_err(|error| log.damaged(error.to_string()))
}

fn same_bodies<'a>(hashes: impl ExactSizeIterator<Item = &'a B256>, bodies: &[Bytes]) -> bool {
    hashes.len() == bodies.len() && hashes.zip(bodies).all(|(hash, body)| wire::body_hash(body) == *hash)
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
