//! The state tree: a binary Merkle tree over key paths, in memory.
//!
//! A subtree without leaves hashes to zero, with one leaf to that leaf's hash, otherwise to the hash of its two halves;
//! a leaf stands as high as it is alone. Leaves are inserted and updated and never removed: a key once written keeps its
//! leaf. So which leaves there are decides the root, and nothing about how they came there does.
//!
//! The tree is persistent: a clone costs nothing and stays as it is while the other is updated, and the two share what is
//! equal. It is made for states that follow one another: of the clones that live, the one that was made last is updated in
//! place of its own, whatever older ones are kept. Updating an older one while a newer one lives copies the whole tree first.
//!
//! No leaf is deeper than 256, which bounds every recursion. A tree holds 2^28 leaves at least, and makes 2^32 versions before
//! it copies itself once.
//!
//! It assumes that versions are at least 1 (zero means never written) and, where the key matters, that a leaf's path is
//! its key's.

mod arena;
mod node;
mod opened;
mod packed;
mod proof;
mod update;
mod versions;

pub use node::{NodeHash, combine};
pub use opened::Opened;
pub use proof::{OtherLeaf, Proof, ProofError, Touched};

use crate::{
    hash::{Backend, Batch},
    key::Key,
    prefix::{Prefix, path_bit},
    value::{Value, Version},
};
use alloc::{sync::Arc, vec, vec::Vec};
use alloy_primitives::B256;
use arena::{Chunks, Link, Target};
use core::fmt;
use spin::mutex::SpinMutex as Mutex;
use update::Update;
use versions::{Token, Versions};

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

/// How many walks down take turns: more than the memory answers at once.
const WALKS: usize = 16;

/// The state tree.
#[derive(Clone)]
pub struct Tree {
    root: Root,
    len: usize,
    token: Token,
    chunks: Arc<Chunks>,
    /// Locked while a version is made; nobody else asks for it.
    versions: Arc<Mutex<Versions>>,
}

/// What the root's place holds, and its hash.
#[derive(Clone, Copy, Debug, Default)]
struct Root {
    link: Link,
    hash: NodeHash,
}

impl Default for Tree {
    fn default() -> Self {
        let (versions, token) = Versions::new();
        let chunks = versions.chunks.clone();
        Self { root: Root::default(), len: 0, token, chunks, versions: Arc::new(Mutex::new(versions)) }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("root", &self.root.hash).field("len", &self.len).finish_non_exhaustive()
    }
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
    pub fn get(&self, path: &B256) -> Option<Leaf> {
        let mut link = self.root.link;
        let mut depth = 0;
        while let Target::Node(number) = link.target() {
            link = self.chunks.links(number)?.half(path_bit(path, depth));
            depth += 1;
        }
        if self.chunks.is_leaf_of(link, path) { self.chunks.leaf(link) } else { None }
    }

    /// [`Tree::get`] of each path, in order. Several walks down take turns, so that one goes on while another waits for memory.
    pub fn get_many(&self, paths: &[B256]) -> Vec<Option<Leaf>> {
        let mut links = vec![self.root.link; paths.len()];
        for (paths, links) in paths.chunks(WALKS).zip(links.chunks_mut(WALKS)) {
            self.chunks.walk_down(0, paths, links, |_| ());
        }
        let leaf = |(path, link): (&B256, Link)| self.chunks.leaf(link).filter(|leaf| leaf.path == *path);
        paths.iter().zip(links).map(leaf).collect()
    }

    /// Inserts and replaces leaves, each node above them hashed once.
    ///
    /// `writes` ascend strictly by path. If they do not, they are put in order first, and of several at one path the last
    /// one counts.
    pub fn update(&mut self, writes: Vec<Leaf>) {
        self.update_by(Backend::best(), writes);
    }

    /// [`Tree::update`], hashing by `backend`.
    pub fn update_by(&mut self, backend: Backend, mut writes: Vec<Leaf>) {
        if !ascends(&writes) {
            writes.reverse();
            writes.sort_by_key(|leaf| leaf.path);
            writes.dedup_by_key(|leaf| leaf.path);
        }
        self.put(backend, &writes);
    }

    /// [`Tree::update`] with writes that are kept: none of them is copied if they ascend strictly by path.
    pub fn update_from(&mut self, writes: &[Leaf]) {
        if ascends(writes) {
            self.put(Backend::best(), writes);
        } else {
            self.update(writes.to_vec());
        }
    }

    fn put(&mut self, backend: Backend, writes: &[Leaf]) {
        if writes.is_empty() {
            return;
        }
        let mut batch = Batch::with(backend);
        if !self.update_in_line(writes, &mut batch) {
            *self = self.copied(&mut batch);
            self.update_in_line(writes, &mut batch);
        }
    }

    /// Makes the next version; `false` if a newer one than this lives.
    fn update_in_line(&mut self, writes: &[Leaf], batch: &mut Batch) -> bool {
        let mut versions = self.versions.lock();
        let Some(born) = versions.begin(&mut self.token) else { return false };
        self.len += Update::run(&mut versions, &mut self.root, born, writes, batch);
        versions.end(self.root.link);
        self.chunks = versions.chunks.clone();
        true
    }

    /// The same tree, sharing nothing.
    fn copied(&self, batch: &mut Batch) -> Self {
        let mut copy = Self::new();
        copy.update_in_line(&self.iter().collect::<Vec<_>>(), batch);
        copy
    }

    /// The hash of the subtree of all paths that begin with `prefix`.
    pub fn subtree(&self, prefix: &Prefix) -> NodeHash {
        self.place(prefix).hash
    }

    /// All leaves, ascending by path.
    pub fn iter(&self) -> Leaves<'_> {
        Leaves::below(&self.chunks, self.root.link)
    }

    /// The leaves whose paths begin with `prefix`, ascending by path.
    pub fn iter_under(&self, prefix: &Prefix) -> Leaves<'_> {
        Leaves::below(&self.chunks, self.place(prefix).link)
    }

    /// The root of the subtree of all paths that begin with `prefix`.
    fn place(&self, prefix: &Prefix) -> Root {
        let mut place = self.root;
        for depth in 0..prefix.length() {
            let number = match place.link.target() {
                Target::Empty => return place,
                // It rose to here, from inside or from beside the range.
                Target::Leaf(..) => {
                    let inside = self.chunks.path(place.link).is_some_and(|path| prefix.contains(&path));
                    return if inside { place } else { Root::default() };
                }
                Target::Node(number) => number,
            };
            let right = path_bit(&prefix.bits(), depth);
            let Some((links, pair)) = self.chunks.links(number).zip(self.chunks.pair(number)) else {
                return Root::default();
            };
            place = Root { link: links.half(right), hash: pair.hash(right) };
        }
        place
    }
}

/// Whether leaves ascend strictly by path.
fn ascends(leaves: &[Leaf]) -> bool {
    leaves.is_sorted_by(|a, b| a.path < b.path)
}

/// Splits what ascends by path, and agrees in the first `depth` bits, by the next bit.
fn split_at_bit<T>(items: &[T], depth: u16, path: impl Fn(&T) -> &B256) -> (&[T], &[T]) {
    items.split_at(items.partition_point(|item| !path_bit(path(item), depth)))
}

/// Leaves of a [`Tree`], ascending by path.
#[derive(Clone, Debug)]
pub struct Leaves<'a> {
    chunks: &'a Chunks,
    /// Subtrees still to visit, the leftmost last.
    ahead: Vec<Link>,
    /// Leaves left of those, the first one last.
    near: Vec<Link>,
    /// Those that are gone down.
    level: Vec<Link>,
}

/// Subtrees that are gone down together, while memory answers for one after the other.
const VISITED_AT_ONCE: usize = 64;

impl<'a> Leaves<'a> {
    fn below(chunks: &'a Chunks, link: Link) -> Self {
        Self { chunks, ahead: vec![link], near: Vec::new(), level: Vec::new() }
    }

    /// Goes down from the leftmost subtrees, level by level, until there are only leaves left of all others.
    fn go_on(&mut self) {
        while self.near.is_empty() && !self.ahead.is_empty() {
            let from = self.ahead.len().saturating_sub(VISITED_AT_ONCE);
            self.level.extend(self.ahead.drain(from..));
            let mut has_nodes = false;
            for link in self.level.drain(..) {
                match link.target() {
                    Target::Empty => {}
                    Target::Leaf(..) => self.ahead.push(link),
                    Target::Node(number) => {
                        has_nodes = true;
                        let Some(links) = self.chunks.links(number) else { continue };
                        for half in [links.half(true), links.half(false)] {
                            self.chunks.fetch(half);
                            self.ahead.push(half);
                        }
                    }
                }
            }
            if !has_nodes {
                self.near.extend(self.ahead.drain(from..));
            }
        }
    }
}

impl Iterator for Leaves<'_> {
    type Item = Leaf;

    fn next(&mut self) -> Option<Leaf> {
        if self.near.is_empty() {
            self.go_on();
        }
        self.chunks.leaf(self.near.pop()?)
    }
}

impl<'a> IntoIterator for &'a Tree {
    type Item = Leaf;
    type IntoIter = Leaves<'a>;

    fn into_iter(self) -> Leaves<'a> {
        self.iter()
    }
}
