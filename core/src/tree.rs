//! The state tree: a binary Merkle tree over key paths, in memory.
//!
//! A subtree without leaves hashes to zero, with one leaf to that leaf's hash, otherwise to the hash of its two halves;
//! a leaf stands as high as it is alone. Leaves are inserted and updated and never removed: a key once written keeps its
//! leaf. So which leaves there are decides the root, and nothing about how they came there does.
//!
//! The tree is persistent: a clone costs nothing and stays as it is while the other is updated, and the two share what is
//! equal. No leaf is deeper than 256, which bounds every recursion.
//!
//! It assumes that versions are at least 1 (zero means never written) and, where the key matters, that a leaf's path is
//! its key's.

mod node;
mod opened;
mod proof;

pub use node::{NodeHash, combine};
pub use opened::Opened;
pub use proof::{OtherLeaf, Proof, ProofError, Touched};

use crate::{
    key::Key,
    prefix::{Prefix, path_bit},
    value::{Value, Version},
};
use alloc::{sync::Arc, vec, vec::Vec};
use alloy_primitives::B256;

/// A key with what it holds, at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The path of the key.
    pub path: B256,
    /// The key.
    pub key: Key,
    /// How many rows have written it, at least 1.
    pub version: Version,
    /// What it holds.
    pub value: Value,
}

impl Leaf {
    /// The leaf of `key`, at its path.
    pub fn new(key: Key, version: Version, value: Value) -> Self {
        Self { path: key.path(), key, version, value }
    }

    /// Its hash. The key is in it by its path.
    pub fn hash(&self) -> NodeHash {
        NodeHash::leaf(&self.path, self.version, &self.value)
    }
}

/// The state tree.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Subtree,
    len: usize,
}

/// A subtree and its hash, which is kept beside the pointer and not behind it: a node is hashed without a look at the
/// children that did not change.
///
/// While a batch is applied, a hash of zero over a node marks what is still to be hashed.
#[derive(Clone, Debug, Default)]
struct Subtree {
    hash: NodeHash,
    node: Node,
}

#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Empty,
    /// One leaf, however deep its path goes on.
    Leaf(Arc<Leaf>),
    /// Two leaves or more; left and right half.
    Inner(Arc<[Subtree; 2]>),
}

impl Tree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The hash of the whole tree.
    pub const fn root(&self) -> NodeHash {
        self.root.hash
    }

    /// How many leaves there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no leaf.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The leaf at `path`.
    pub fn get(&self, path: &B256) -> Option<&Leaf> {
        let mut place = &self.root;
        let mut depth = 0;
        loop {
            match &place.node {
                Node::Empty => return None,
                Node::Leaf(leaf) => return Some(leaf.as_ref()).filter(|leaf| leaf.path == *path),
                Node::Inner(halves) => place = half(halves, path_bit(path, depth)),
            }
            depth += 1;
        }
    }

    /// Inserts and replaces leaves, each node above them hashed once.
    ///
    /// `writes` ascend strictly by path. If they do not, they are put in order first, and of several at one path the last
    /// one counts.
    pub fn update(&mut self, mut writes: Vec<Leaf>) {
        if !writes.is_sorted_by(|a, b| a.path < b.path) {
            writes.reverse();
            writes.sort_by_key(|leaf| leaf.path);
            writes.dedup_by_key(|leaf| leaf.path);
        }
        self.len += self.root.write(0, &writes);
        self.root.rehash();
    }

    /// The hash of the subtree of all paths that begin with `prefix`.
    pub fn subtree(&self, prefix: &Prefix) -> NodeHash {
        self.place(prefix).map_or(NodeHash::EMPTY, |place| place.hash)
    }

    /// All leaves, ascending by path.
    pub fn iter(&self) -> Leaves<'_> {
        Leaves { ahead: vec![&self.root] }
    }

    /// The leaves whose paths begin with `prefix`, ascending by path.
    pub fn iter_under(&self, prefix: &Prefix) -> Leaves<'_> {
        Leaves { ahead: self.place(prefix).into_iter().collect() }
    }

    /// The subtree of all paths that begin with `prefix`; `None` if it has no leaf.
    fn place(&self, prefix: &Prefix) -> Option<&Subtree> {
        let mut place = &self.root;
        for depth in 0..prefix.length() {
            match &place.node {
                Node::Empty => return None,
                // It rose to here, from inside or from beside the range.
                Node::Leaf(leaf) => return prefix.contains(&leaf.path).then_some(place),
                Node::Inner(halves) => place = half(halves, path_bit(&prefix.bits(), depth)),
            }
        }
        Some(place)
    }
}

fn half(halves: &[Subtree; 2], right: bool) -> &Subtree {
    let [left_half, right_half] = halves;
    if right { right_half } else { left_half }
}

/// Splits what ascends by path, and agrees in the first `depth` bits, by the next bit.
fn split_at_bit<T>(items: &[T], depth: u16, path: impl Fn(&T) -> &B256) -> (&[T], &[T]) {
    items.split_at(items.partition_point(|item| !path_bit(path(item), depth)))
}

impl Subtree {
    /// Puts `writes`, which all belong under this place at `depth`, into the structure, and marks what is to be hashed.
    /// Returns how many leaves were added.
    ///
    /// Structure first and hashes afterwards, in [`Subtree::rehash`]: so the hashes of a batch can be computed in any
    /// order that goes upwards, several at a time.
    fn write(&mut self, depth: u16, writes: &[Leaf]) -> usize {
        let Some(first) = writes.first() else { return 0 };
        let alone = writes.len() == 1;
        match &mut self.node {
            Node::Empty if alone => {
                *self = Self { hash: NodeHash::EMPTY, node: Node::Leaf(Arc::new(*first)) };
                return 1;
            }
            Node::Leaf(leaf) if alone && leaf.path == first.path => {
                *Arc::make_mut(leaf) = *first;
                self.hash = NodeHash::EMPTY;
                return 0;
            }
            Node::Empty => self.node = Node::Inner(Arc::default()),
            Node::Leaf(leaf) => {
                // No longer alone: it goes down by one, with its hash.
                let right = path_bit(&leaf.path, depth);
                let (leaf, empty) = (core::mem::take(self), Self::default());
                self.node = Node::Inner(Arc::new(if right { [empty, leaf] } else { [leaf, empty] }));
            }
            Node::Inner(_) => {}
        }
        let Node::Inner(halves) = &mut self.node else { return 0 };
        self.hash = NodeHash::EMPTY;
        let [left, right] = Arc::make_mut(halves);
        let (to_left, to_right) = split_at_bit(writes, depth, |leaf| &leaf.path);
        left.write(depth + 1, to_left) + right.write(depth + 1, to_right)
    }

    /// Hashes what [`Subtree::write`] marked.
    fn rehash(&mut self) {
        if !self.hash.is_empty() {
            return;
        }
        self.hash = match &mut self.node {
            Node::Empty => NodeHash::EMPTY,
            Node::Leaf(leaf) => leaf.hash(),
            Node::Inner(halves) => {
                // Marked nodes are not shared, so nothing is copied here.
                let [left, right] = Arc::make_mut(halves);
                left.rehash();
                right.rehash();
                NodeHash::inner(left.hash, right.hash)
            }
        };
    }
}

/// Leaves of a [`Tree`], ascending by path.
#[derive(Clone, Debug)]
pub struct Leaves<'a> {
    /// Subtrees still to visit, the leftmost last.
    ahead: Vec<&'a Subtree>,
}

impl<'a> Iterator for Leaves<'a> {
    type Item = &'a Leaf;

    fn next(&mut self) -> Option<&'a Leaf> {
        loop {
            match &self.ahead.pop()?.node {
                Node::Empty => {}
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(halves) => self.ahead.extend(halves.iter().rev()),
            }
        }
    }
}

impl<'a> IntoIterator for &'a Tree {
    type Item = &'a Leaf;
    type IntoIter = Leaves<'a>;

    fn into_iter(self) -> Leaves<'a> {
        self.iter()
    }
}
