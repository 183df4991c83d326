//! Opening a store: from snapshot and diffs to the head and the states before it.

use super::{
    error::Failure,
    tables::{self, BLOCKS, CERTIFICATES, CODES, LEAVES},
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
    header::Header,
    merkle::{self, Frontier},
    tree::{Leaf, Tree},
    wire,
};
use rayon::prelude::*;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use std::sync::Arc;

/// What a store held when it was opened: what [`Chain::new`](crate::chain::Chain::new) goes on from.
#[derive(Debug)]
pub struct Recovered {
    /// The states that were kept, by height, from the oldest to the head's, each with its block, which genesis has none of.
    pub states: Vec<(u64, Option<Arc<SealedBlock>>, Tree)>,
    /// The end of the chain.
    pub head: Head,
    /// All code.
    pub codes: Arc<Codes>,
    /// The newest certificate.
    pub certificate: Option<Arc<Certificate>>,
}

/// Reads and checks everything that is needed to go on.
pub(super) fn recover(database: &Database, config: &ChainConfig) -> Result<Recovered, Failure> {
    let transaction = database.begin_read()?;
    let codes = read_codes(&transaction)?;
    let certificate = latest_certificate(&transaction)?.map(Arc::new);
    let tree = read_leaves(&transaction)?;
    let snapshot = tables::snapshot_height(&transaction)?;

    let mut states = States::at_snapshot(&transaction, config, snapshot, tree)?;
    let last = tables::head_height(&transaction.open_table(BLOCKS)?)?;
    let mut next = snapshot + 1;
    while next <= last {
        let end = last.min(next + limits::RECOVERY_BATCH - 1);
        for block in read_blocks(&transaction, config, next..=end)? {
            states.apply(block)?;
        }
        next = end + 1;
    }
    let head = states.head(config)?;
    Ok(Recovered { states: states.states, head, codes, certificate })
}

/// States from the snapshot on, while blocks are put on top.
struct States {
    states: Vec<(u64, Option<Arc<SealedBlock>>, Tree)>,
    head: Header,
    hash: B256,
}

impl States {
    fn at_snapshot(
        transaction: &ReadTransaction,
        config: &ChainConfig,
        snapshot: u64,
        tree: Tree,
    ) -> Result<Self, Failure> {
        let block = match snapshot {
            0 => None,
            _ => read_blocks(transaction, config, snapshot..=snapshot)?.pop().map(Arc::new),
        };
        let head = block.as_ref().map_or_else(|| config.genesis_header(), |block| block.header().clone());
        check_root(&head, &tree)?;
        Ok(Self { hash: head.hash(), head, states: vec![(snapshot, block, tree)] })
    }

    fn apply(&mut self, block: SealedBlock) -> Result<(), Failure> {
        let header = block.header();
        if header.parent != self.hash {
            return Err(Failure::Damaged(format!("block {} is not the child of the one before it", header.height)));
        }
        let mut tree = self.states.last().map(|(_, _, tree)| tree.clone()).unwrap_or_default();
        tree.update(block.stored.writes.iter().map(Leaf::from).collect());
        check_root(header, &tree)?;
        (self.head, self.hash) = (header.clone(), block.hash);
        self.states.push((self.head.height, Some(Arc::new(block)), tree));
        Ok(())
    }

    fn head(&self, config: &ChainConfig) -> Result<Head, Failure> {
        let (height, block, tree) = self.states.last().ok_or_else(|| Failure::Damaged("no state".into()))?;
        let mut ancestors = Frontier::default();
        if let Some(block) = block {
            // One signature vouches for all blocks: each names its parent by hash.
            if block.stored.signed.signer() != Ok(config.params_at(*height).sequencer) {
                return Err(Failure::Damaged(format!("block {height} is not signed by the chain's sequencer")));
            }
            ancestors = block.stored.parent_ancestors.clone();
            ancestors.append(merkle::leaf_hash(self.head.parent.as_slice()));
        }
        if ancestors.root() != self.head.ancestors || ancestors.size() != *height {
            return Err(Failure::Damaged(format!("block {height} has another log of ancestors")));
        }
        Ok(Head { header: self.head.clone(), hash: self.hash, state: tree.clone(), ancestors })
    }
}

fn check_root(header: &Header, tree: &Tree) -> Result<(), Failure> {
    if tree.root().0 == header.state_root {
        return Ok(());
    }
    let (height, found) = (header.height, tree.root().0);
    Err(Failure::Damaged(format!("the state after block {height} has root {found}, not {}", header.state_root)))
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

/// The blocks at these heights, which all have to be there.
fn read_blocks(
    transaction: &ReadTransaction,
    config: &ChainConfig,
    heights: std::ops::RangeInclusive<u64>,
) -> Result<Vec<SealedBlock>, Failure> {
    let table = transaction.open_table(BLOCKS)?;
    let encoded = heights.map(|height| {
        let encoded = table.get(height)?.ok_or_else(|| Failure::Damaged(format!("block {height} is missing")))?;
        Ok((height, encoded.value().to_vec()))
    });
    let encoded = encoded.collect::<Result<Vec<_>, Failure>>()?;
    encoded.into_par_iter().map(|(height, encoded)| open_block(config, height, &encoded)).collect()
}

fn open_block(config: &ChainConfig, height: u64, encoded: &[u8]) -> Result<SealedBlock, Failure> {
    let stored = decode_block(height, encoded)?;
    let manifest = &stored.manifest;
    let committed = manifest.root() == stored.signed.header.manifest_root
        && same_bodies(manifest.rows.iter().map(|row| &row.body_hash), &stored.row_bodies)
        && same_bodies(manifest.columns.iter().map(|column| &column.body_hash), &stored.column_bodies);
    if !committed {
        return Err(Failure::Damaged(format!("block {height} has other content than its header commits to")));
    }
    SealedBlock::open(stored, config.params_at(height)).map_err(|error| Failure::Damaged(error.to_string()))
}

fn same_bodies<'a>(hashes: impl ExactSizeIterator<Item = &'a B256>, bodies: &[Bytes]) -> bool {
    hashes.len() == bodies.len() && hashes.zip(bodies).all(|(hash, body)| wire::body_hash(body) == *hash)
}

pub(super) fn decode_block(height: u64, encoded: &[u8]) -> Result<StoredBlock, Failure> {
    let stored = StoredBlock::decode(encoded).map_err(|error| Failure::Damaged(format!("block {height}: {error}")))?;
    let found = stored.signed.header.height;
    if found == height { Ok(stored) } else { Err(Failure::Damaged(format!("block {found} stands as block {height}"))) }
}

pub(super) fn decode_writes(height: u64, encoded: &[u8]) -> Result<Vec<StoredLeaf>, Failure> {
    let decoded = wire::decode(encoded, usize::MAX);
    decoded.map_err(|error| Failure::Damaged(format!("writes of block {height}: {error}")))
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
