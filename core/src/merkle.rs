//! Merkle trees of one shape: RFC 6962's (and RFC 9162's), with keccak-256.
//!
//! A leaf is `keccak(0x00 ‖ data)`, a node `keccak(0x01 ‖ left ‖ right)`, the empty tree `keccak("")`, and a tree of `n`
//! leaves splits at the greatest power of two below `n`. Read by levels that is the same as pairing neighbours and
//! letting an odd last node rise unchanged, which is how everything here is computed.
//!
//! A path proves that a leaf stands at an index of a tree of a known size. Index, size and path may be hostile: a check
//! takes at most [`MERKLE_PATH`](crate::limits::MERKLE_PATH) steps.

use crate::{
    hash::{Batch, keccak256},
    limits::LOG_LEAVES,
};
use alloc::{vec, vec::Vec};
use alloy_primitives::{B256, KECCAK256_EMPTY};
use serde::{Deserialize, Serialize};

/// The root of the tree without leaves.
pub const EMPTY_ROOT: B256 = KECCAK256_EMPTY;

/// The hash of a leaf that holds `data`.
pub fn leaf_hash(data: &[u8]) -> B256 {
    let mut preimage = Vec::with_capacity(1 + data.len());
    preimage.push(0);
    preimage.extend_from_slice(data);
    keccak256(preimage)
}

/// [`leaf_hash`] of each, in order: cheaper than one by one.
pub fn leaf_hashes<T: AsRef<[u8]>>(leaves: impl IntoIterator<Item = T>) -> Vec<B256> {
    let leaves = leaves.into_iter();
    let mut batch = Batch::new();
    batch.reserve(leaves.size_hint().0);
    for leaf in leaves {
        batch.push(&[&[0], leaf.as_ref()]);
    }
    batch.into_hashes()
}

fn node_hash(left: &B256, right: &B256) -> B256 {
    let mut preimage = [1; 65];
    preimage[1..33].copy_from_slice(left.as_slice());
    preimage[33..].copy_from_slice(right.as_slice());
    keccak256(preimage)
}

/// The level above `level`: neighbours paired, an odd last one unchanged.
fn level_above(level: &[B256]) -> Vec<B256> {
    let (pairs, odd) = level.as_chunks::<2>();
    let mut batch = Batch::new();
    for [left, right] in pairs {
        batch.push(&[&[1], left.as_slice(), right.as_slice()]);
    }
    batch.drain().chain(odd.iter().copied()).collect()
}

/// The root of the tree over `leaf_hashes`.
pub fn root(leaf_hashes: &[B256]) -> B256 {
    if leaf_hashes.len() <= 1 {
        return leaf_hashes.first().copied().unwrap_or(EMPTY_ROOT);
    }
    let mut level = level_above(leaf_hashes);
    while level.len() > 1 {
        level = level_above(&level);
    }
    level.first().copied().unwrap_or(EMPTY_ROOT)
}

/// The path of one leaf, from the bottom up. Takes as long as the whole tree: for several leaves take [`paths`].
///
/// Empty if there is no leaf at `index`.
pub fn path(leaf_hashes: &[B256], index: usize) -> Vec<B256> {
    paths(leaf_hashes).path(index)
}

/// Whether `leaf_hash` is leaf `index` of the tree of `size` leaves with root `root`.
pub fn verify_path(root: &B256, leaf_hash: &B256, index: u64, size: u64, path: &[B256]) -> bool {
    if index >= size {
        return false;
    }
    let (mut index, mut last) = (index, size - 1);
    let mut path = path.iter();
    let mut hash = *leaf_hash;
    while last > 0 {
        // An even last node has no neighbour and rises.
        if index % 2 == 1 || index < last {
            let Some(sibling) = path.next() else { return false };
            hash = if index % 2 == 1 { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
        }
        (index, last) = (index / 2, last / 2);
    }
    path.next().is_none() && hash == *root
}

/// Whether the log of `older_size` leaves with root `older_root` is a prefix of the one of `newer_size` leaves with root
/// `newer_root` (RFC 9162, 2.1.4.2). `proof` is what [`Paths::consistency`] gives.
///
/// Every log is a prefix of itself, and the empty one of every log; the RFC leaves both out.
pub fn verify_consistency(
    older_root: &B256,
    older_size: u64,
    newer_root: &B256,
    newer_size: u64,
    proof: &[B256],
) -> bool {
    if older_size > newer_size {
        return false;
    }
    if older_size == newer_size {
        return proof.is_empty() && older_root == newer_root;
    }
    if older_size == 0 {
        return proof.is_empty() && *older_root == EMPTY_ROOT;
    }
    // Begin at the last node of the older log that is complete: it stands in both trees.
    let complete = older_size.trailing_zeros();
    let (mut index, mut last) = ((older_size - 1) >> complete, (newer_size - 1) >> complete);
    let mut proof = proof.iter();
    // If that node is the older log's root, the proof leaves it out.
    let Some(start) = (if index == 0 { Some(older_root) } else { proof.next() }) else { return false };
    let (mut older, mut newer) = (*start, *start);
    while last > 0 {
        if index % 2 == 1 {
            let Some(left) = proof.next() else { return false };
            (older, newer) = (node_hash(left, &older), node_hash(left, &newer));
        } else if index < last {
            let Some(right) = proof.next() else { return false };
            newer = node_hash(&newer, right);
        }
        (index, last) = (index / 2, last / 2);
    }
    proof.next().is_none() && older == *older_root && newer == *newer_root
}

/// Computes the whole tree over `leaf_hashes`, to read paths off it.
pub fn paths(leaf_hashes: &[B256]) -> Paths {
    let mut levels = vec![leaf_hashes.to_vec()];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        levels.push(level_above(level));
    }
    Paths { levels }
}

/// A whole tree: every node, so that each path is read off in as many steps as it has hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// From the leaves up; each level is [`level_above`] of the one before, and the last has at most one node.
    levels: Vec<Vec<B256>>,
}

impl Default for Paths {
    fn default() -> Self {
        paths(&[])
    }
}

impl Paths {
    /// How many leaves there are.
    pub fn len(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root.
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or(EMPTY_ROOT)
    }

    /// The hash of the leaf at `index`.
    pub fn leaf(&self, index: usize) -> Option<B256> {
        self.levels.first()?.get(index).copied()
    }

    /// Appends a leaf, at the cost of one path.
    pub fn append(&mut self, leaf_hash: B256) {
        let mut hash = leaf_hash;
        // Every level's last node stands above the new leaf; all others stay.
        let mut last = self.len();
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].truncate(last);
            self.levels[level].push(hash);
            if last == 0 {
                return;
            }
            if last % 2 == 1 {
                hash = node_hash(&self.levels[level][last - 1], &hash);
            }
            last /= 2;
            level += 1;
        }
    }

    /// The path of the leaf at `index`, from the bottom up; empty if there is none.
    pub fn path(&self, index: usize) -> Vec<B256> {
        if index >= self.len() {
            return Vec::new();
        }
        let siblings = self.levels.iter().enumerate().map(|(height, level)| level.get((index >> height) ^ 1));
        siblings.flatten().copied().collect()
    }

    /// The proof that the log of the first `older` leaves is a prefix of this one (RFC 6962, 2.1.2), for
    /// [`verify_consistency`]; empty if `older` is zero, all leaves, or more than there are.
    pub fn consistency(&self, older: usize) -> Vec<B256> {
        if older == 0 || older >= self.len() {
            return Vec::new();
        }
        let complete = older.trailing_zeros() as usize;
        let first = (older - 1) >> complete;
        let start = self.levels.get(complete).and_then(|level| level.get(first)).filter(|_| first > 0);
        let above = self.levels.iter().skip(complete).enumerate();
        let siblings = above.map(|(height, level)| level.get((first >> height) ^ 1));
        start.into_iter().chain(siblings.flatten()).copied().collect()
    }
}

/// What is needed of a log to append to it and to know its root: its size, and the root of each complete subtree on its
/// right edge, one for each one bit of the size, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, Vec<[u8; 32]>)", try_from = "(u64, Vec<[u8; 32]>)")]
pub struct Frontier {
    size: u64,
    peaks: Vec<B256>,
}

impl Frontier {
    /// The frontier of a log of `size` leaves; `None` if `peaks` are not as many as `size` has ones, or if `size` is over
    /// [`LOG_LEAVES`].
    ///
    /// That it is the frontier of a given log is for the caller to check, by [`Frontier::root`].
    pub fn new(size: u64, peaks: Vec<B256>) -> Option<Self> {
        (size <= LOG_LEAVES && peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves the log has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees on the right edge, the largest first.
    pub fn peaks(&self) -> &[B256] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn append(&mut self, leaf_hash: B256) {
        let mut hash = leaf_hash;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        // LOG_LEAVES is half of what fits, and nobody appends the other half.
        self.size += 1;
    }

    /// The root of the log.
    pub fn root(&self) -> B256 {
        let peaks = self.peaks.iter().rev().copied();
        peaks.reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
    }
}

impl From<Frontier> for (u64, Vec<[u8; 32]>) {
    fn from(frontier: Frontier) -> Self {
        (frontier.size, frontier.peaks.into_iter().map(|peak| peak.0).collect())
    }
}

impl TryFrom<(u64, Vec<[u8; 32]>)> for Frontier {
    type Error = &'static str;

    fn try_from((size, peaks): (u64, Vec<[u8; 32]>)) -> Result<Self, Self::Error> {
        Self::new(size, peaks.into_iter().map(B256::new).collect()).ok_or("as many peaks as the size has ones")
    }
}
