//! Multiproofs: what a list of paths holds, or that it holds nothing, under one subtree's hash.
//!
//! A proof is read by walking down over the touched paths. Its shape takes two bits for each node with touched paths below
//! it (empty, a touched leaf, another leaf, or inner), and one bit for the half of an inner node that has none (empty, or a
//! hash is given). Shape, hashes and other leaves stand apart, each in the order of the walk, left before right.
//!
//! Nothing rises unopened. A leaf's hash does not say where it stands, so wherever the hash of the place above does not pin
//! it either, the leaf is opened and its path compared with the place: a leaf where the walk ends, and the one leaf of an
//! untouched subtree. The hash of an inner node pins both halves; it is refused if one half is empty and the other is not
//! inner, since such a node does not exist: its leaf would have risen. Leaves are never removed, so a half with a leaf
//! keeps one, and what was checked before an update holds after it.
//!
//! The subtree and the touched paths leave one proof; every other one is refused.

use super::{
    NodeHash, Opened, Tree,
    arena::{Chunks, Link, Target},
    split_at_bit,
};
use crate::{
    prefix::Prefix,
    value::{Value, Version},
};
use alloc::vec::Vec;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

/// A path to prove, with what is to be found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The path.
    pub path: B256,
    /// Its version; zero says that there is no leaf.
    pub version: Version,
    /// What it holds; the absent value if there is no leaf.
    pub value: Value,
}

/// A leaf that the walk meets and that is not touched, opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherLeaf {
    /// Its path.
    #[serde(with = "crate::wire::raw")]
    pub path: B256,
    /// Its version, at least 1.
    pub version: Version,
    /// What it holds.
    pub value: Value,
}

/// A multiproof of presence and absence. [`Proof::open`] checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The shape's bits, the first one the most significant, filled up with zeros to whole bytes.
    pub(super) shape: Vec<u8>,
    #[serde(with = "crate::wire::hashes")]
    pub(super) siblings: Vec<NodeHash>,
    pub(super) leaves: Vec<OtherLeaf>,
}

/// Why a proof proves nothing about the paths it was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// The touched paths are not strictly ascending.
    NotAscending,
    /// A touched path lies outside the subtree.
    Outside,
    /// A touched path is said to hold a value and never to have been written.
    ValueWithoutVersion,
    /// The proof ends before the walk does.
    CutShort,
    /// Something is left over when the walk ends: bits, a bit that fills up the last byte, a hash, or a leaf.
    LeftOver,
    /// An inner node at the greatest depth.
    TooDeep,
    /// A half that is not empty has no hash, or a hash of zero.
    NoHash,
    /// Another leaf does not belong where it stands, is a touched one, or has version zero.
    OtherLeaf,
    /// A touched path is said to have a leaf where there is none, or to have none where there is one.
    Presence,
    /// An inner node with at most one leaf below it.
    LoneLeaf,
    /// The proof is about a subtree with another hash.
    WrongRoot,
}

impl core::fmt::Display for ProofError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAscending => "the paths are not strictly ascending",
            Self::Outside => "a path lies outside the subtree",
            Self::ValueWithoutVersion => "a path holds a value and was never written",
            Self::CutShort => "the proof is cut short",
            Self::LeftOver => "the proof has something left over",
            Self::TooDeep => "an inner node at the greatest depth",
            Self::NoHash => "a half that is not empty has no hash",
            Self::OtherLeaf => "another leaf does not belong where it stands",
            Self::Presence => "a leaf is not there, or is there and should not be",
            Self::LoneLeaf => "an inner node with at most one leaf",
            Self::WrongRoot => "the proof is about another subtree",
        })
    }
}

impl core::error::Error for ProofError {}

/// What the walk meets at a place with touched paths below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// No leaf.
    Empty,
    /// One leaf, a touched one.
    Touched,
    /// One leaf, none of the touched ones.
    Other,
    /// Two leaves or more.
    Inner,
}

impl Met {
    const fn bits(self) -> [bool; 2] {
        match self {
            Self::Empty => [false, false],
            Self::Touched => [false, true],
            Self::Other => [true, false],
            Self::Inner => [true, true],
        }
    }

    pub(super) const fn of([first, second]: [bool; 2]) -> Self {
        match (first, second) {
            (false, false) => Self::Empty,
            (false, true) => Self::Touched,
            (true, false) => Self::Other,
            (true, true) => Self::Inner,
        }
    }
}

impl Tree {
    /// Proves what stands at `paths` under `prefix`, or that nothing does.
    ///
    /// `paths` ascend strictly and begin with `prefix`; otherwise the proof does not open.
    pub fn prove(&self, prefix: &Prefix, paths: &[B256]) -> Proof {
        let place = self.place(prefix);
        let proof = Proof { siblings: Vec::with_capacity(SIBLINGS_A_PATH * paths.len()), ..Proof::default() };
        let mut writer = Writer { chunks: &self.chunks, proof, bits: 0, is_fetched: false };
        match place.link.target() {
            Target::Leaf(..) if paths.is_empty() => writer.leaf(place.link),
            _ if paths.is_empty() => {}
            _ => writer.walk(place.link, prefix.length(), paths),
        }
        writer.proof
    }
}

/// Hashes that a proof of many paths has for each of them, where state and paths are as many as they usually are.
const SIBLINGS_A_PATH: usize = 6;

struct Writer<'a> {
    chunks: &'a Chunks,
    proof: Proof,
    /// How many bits of the shape are written.
    bits: usize,
    /// Whether the CPU was asked for all that is below.
    is_fetched: bool,
}

/// Paths for whose nodes the CPU is asked together, while the walk waits: as many as it can keep near.
const FETCHED_AT_ONCE: usize = 32;

impl Writer<'_> {
    fn walk(&mut self, link: Link, depth: u16, paths: &[B256]) {
        if self.is_fetched || paths.len() > FETCHED_AT_ONCE {
            return self.write(link, depth, paths);
        }
        // The walk below goes from node to node; all of them at once come as fast as one.
        let mut links = [link; FETCHED_AT_ONCE];
        self.chunks.walk_down(depth, paths, &mut links, |number| self.chunks.fetch_pair(number));
        self.is_fetched = true;
        self.write(link, depth, paths);
        self.is_fetched = false;
    }

    fn write(&mut self, link: Link, depth: u16, paths: &[B256]) {
        match link.target() {
            Target::Empty => self.bits(Met::Empty.bits()),
            Target::Leaf(..) if self.chunks.path(link).is_some_and(|path| paths.binary_search(&path).is_ok()) => {
                self.bits(Met::Touched.bits());
            }
            Target::Leaf(..) => {
                self.bits(Met::Other.bits());
                self.leaf(link);
            }
            Target::Node(number) => {
                self.bits(Met::Inner.bits());
                let (to_left, to_right) = split_at_bit(paths, depth, |path| path);
                self.half(number, false, depth + 1, to_left);
                self.half(number, true, depth + 1, to_right);
            }
        }
    }

    fn half(&mut self, node: u32, right: bool, depth: u16, paths: &[B256]) {
        let link = self.chunks.links(node).map_or(Link::EMPTY, |links| links.half(right));
        if !paths.is_empty() {
            return self.walk(link, depth, paths);
        }
        self.bits([link != Link::EMPTY]);
        if link != Link::EMPTY {
            self.proof.siblings.extend(self.chunks.pair(node).map(|pair| pair.hash(right)));
        }
    }

    fn leaf(&mut self, link: Link) {
        let leaf = self.chunks.leaf(link);
        self.proof.leaves.extend(leaf.map(|leaf| OtherLeaf {
            path: leaf.path,
            version: leaf.version,
            value: leaf.value,
        }));
    }

    fn bits<const N: usize>(&mut self, bits: [bool; N]) {
        for bit in bits {
            if self.bits.is_multiple_of(8) {
                self.proof.shape.push(0);
            }
            if let Some(last) = self.proof.shape.last_mut() {
                *last |= u8::from(bit) << (7 - self.bits % 8);
            }
            self.bits += 1;
        }
    }
}

impl Proof {
    /// About how long the encoding is, rather more than less.
    pub(crate) fn bytes_about(&self) -> usize {
        20 + self.shape.len() + self.siblings.len() * 32 + self.leaves.len() * (32 + 4 + 40)
    }

    /// Checks that `touched` is what stands at these paths in the subtree at `prefix` with hash `root`.
    ///
    /// Takes one hash for each bit of the shape and each touched path at most, and goes 256 levels deep at most, whatever
    /// the proof says.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn open<'a>(&self, prefix: &Prefix, root: NodeHash, touched: &'a [Touched]) -> Result<Opened<'a>, ProofError> {
        Opened::read(self, prefix, root, touched)
    }
}
