//! Hashes of the state tree's nodes.

use crate::{
    hash::{Batch, Preimage, keccak256},
    value::{Account, Value, Version},
};
use alloy_primitives::{B256, U256};
use serde::{Deserialize, Serialize};

/// The bit of a hash's first byte that tells leaf from inner.
const LEAF_BIT: u8 = 0x80;

/// 32 bytes as four little-endian words, as [`Batch::push_words`] takes them.
///
/// What is written in words can be read in words at once. A processor that is asked for all of it by one vector has to wait until it
/// has written everything before it as well, which may itself wait for memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(pub(super) [u64; 4]);

impl Words {
    /// The subtree without leaves.
    pub(super) const EMPTY: Self = Self([0; 4]);

    /// The leaf's hash, given the hash of what [`NodeHash::push_leaf`] pushed.
    pub(super) fn of_leaf(hash: B256) -> Self {
        let [first, second, third, fourth] = words(&hash);
        Self([first | u64::from(LEAF_BIT), second, third, fourth])
    }

    /// The node's hash, given the hash of what [`Words::push_inner`] pushed.
    pub(super) fn of_inner(hash: B256) -> Self {
        let [first, second, third, fourth] = words(&hash);
        Self([first & !u64::from(LEAF_BIT), second, third, fourth])
    }

    /// Pushes what the hash of the node with these halves is taken of.
    pub(super) fn push_inner(batch: &mut Batch, Self([l0, l1, l2, l3]): Self, Self([r0, r1, r2, r3]): Self) {
        batch.push_words([l0, l1, l2, l3, r0, r1, r2, r3]);
    }
}

impl From<Words> for B256 {
    fn from(words: Words) -> Self {
        let mut bytes = Self::ZERO;
        for (bytes, word) in bytes.0.as_chunks_mut().0.iter_mut().zip(words.0) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }
}

impl From<Words> for NodeHash {
    fn from(words: Words) -> Self {
        Self(words.into())
    }
}

impl From<&B256> for Words {
    fn from(bytes: &B256) -> Self {
        Self(words(bytes))
    }
}

impl From<NodeHash> for Words {
    fn from(NodeHash(hash): NodeHash) -> Self {
        (&hash).into()
    }
}

/// The hash of a subtree: zero without leaves; with the first bit set, that of its one leaf; otherwise an inner node's.
///
/// What came from outside may be none of these, but hashes to nothing that a check would accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeHash(#[serde(with = "crate::wire::raw")] pub B256);

impl From<B256> for NodeHash {
    fn from(hash: B256) -> Self {
        Self(hash)
    }
}

impl From<NodeHash> for B256 {
    fn from(NodeHash(hash): NodeHash) -> Self {
        hash
    }
}

impl NodeHash {
    /// The subtree without leaves.
    pub const EMPTY: Self = Self(B256::ZERO);

    /// A leaf: `keccak(path ‖ version ‖ value)` with the first bit set. 72 or 112 bytes are hashed, never an inner node's 64.
    pub fn leaf(path: &B256, version: Version, value: &Value) -> Self {
        Self::of_leaf(value.append_to(Preimage::new().b256(path).u64(version)).hash())
    }

    /// A node with two leaves or more below it: `keccak(left ‖ right)` with the first bit cleared.
    pub fn inner(left: Self, right: Self) -> Self {
        let mut preimage = [0; 64];
        preimage[..32].copy_from_slice(left.0.as_slice());
        preimage[32..].copy_from_slice(right.0.as_slice());
        Self::of_inner(keccak256(preimage))
    }

    /// Pushes what a leaf's hash is taken of; [`NodeHash::of_leaf`] makes it of the result.
    pub(super) fn push_leaf(batch: &mut Batch, path: &B256, version: Version, value: &Value) {
        let [p0, p1, p2, p3] = words(path);
        let version = version.swap_bytes();
        match value {
            Value::Account(Account { nonce, balance, code_hash }) => {
                let [b0, b1, b2, b3] = big_endian(balance);
                let [c0, c1, c2, c3] = words(code_hash);
                let nonce = nonce.swap_bytes();
                batch.push_words([p0, p1, p2, p3, version, nonce, b0, b1, b2, b3, c0, c1, c2, c3]);
            }
            Value::Slot(word) => {
                let [w0, w1, w2, w3] = big_endian(word);
                batch.push_words([p0, p1, p2, p3, version, w0, w1, w2, w3]);
            }
        }
    }

    /// Pushes what an inner node's hash is taken of; [`NodeHash::of_inner`] makes it of the result.
    pub(super) fn push_inner(batch: &mut Batch, left: Self, right: Self) {
        Words::push_inner(batch, left.into(), right.into());
    }

    pub(super) fn of_leaf(hash: B256) -> Self {
        Words::of_leaf(hash).into()
    }

    pub(super) fn of_inner(hash: B256) -> Self {
        Words::of_inner(hash).into()
    }

    /// Whether there is no leaf.
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// Whether there is one leaf.
    pub const fn is_leaf(self) -> bool {
        self.0.0[0] & LEAF_BIT != 0
    }

    /// Whether there are two leaves or more.
    pub fn is_inner(self) -> bool {
        !self.is_empty() && !self.is_leaf()
    }
}

/// The hash of the subtree with the halves `left` and `right`.
///
/// A lone leaf rises: its hash says nothing of the half that it stands in. So whoever relies on the place of a leaf hash
/// has to open it.
pub fn combine(left: NodeHash, right: NodeHash) -> NodeHash {
    if rises(left, right) {
        return if left.is_empty() { right } else { left };
    }
    NodeHash::inner(left, right)
}

/// Whether a node with these halves would be none: at most one leaf is below, and it rises.
pub(super) fn rises(left: NodeHash, right: NodeHash) -> bool {
    (left.is_empty() && !right.is_inner()) || (right.is_empty() && !left.is_inner())
}

/// The words of a hash, as [`Batch::push_words`] takes them.
fn words(hash: &B256) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash.0.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// The words of a number's 32 big-endian bytes, as [`Batch::push_words`] takes them.
fn big_endian(number: &U256) -> [u64; 4] {
    let [low, second, third, high] = number.into_limbs().map(u64::swap_bytes);
    [high, third, second, low]
}
