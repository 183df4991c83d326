//! A proof that was opened: the touched part of a subtree, ready to be updated.

use super::{
    NodeHash,
    node::rises,
    proof::{Met, OtherLeaf, Proof, ProofError, Touched},
    split_at_bit,
};
use crate::{
    hash::Batch,
    limits::PATH_BITS,
    prefix::Prefix,
    value::{Value, Version},
};
use alloc::{vec, vec::Vec};
use alloy_primitives::B256;

/// What a proof showed of a subtree: touched paths, and the hashes of all beside them. See [`Proof::open`].
#[derive(Clone, Debug)]
pub struct Opened<'a> {
    touched: &'a [Touched],
    /// The places of the walk, each before those below it; an inner node's left half follows it at once. So hashes can be
    /// computed from the last place to the first. There is at least one.
    places: Vec<Place>,
    /// The hash of each place.
    hashes: Vec<NodeHash>,
    /// The places where the walk ends.
    ends: Vec<End>,
    /// The inner nodes by how many levels of them are below: so all of a level are hashed together, upwards.
    levels: Vec<Vec<Inner>>,
}

/// An inner node: where it and its right half stand; its left half stands behind it.
#[derive(Clone, Copy, Debug)]
struct Inner {
    at: u32,
    right: u32,
}

impl Inner {
    fn halves(self, hashes: &[NodeHash]) -> (NodeHash, NodeHash) {
        let of = |at: u32| hashes.get(at as usize).copied().unwrap_or_default();
        (of(self.at + 1), of(self.right))
    }
}

/// Small, since a proof may lead through millions of them to a few thousand ends.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A half without touched paths.
    Untouched,
    /// Where the walk ends; which of the ends it is.
    End(u32),
    /// An inner node; where its right half stands.
    Inner { right: u32 },
}

/// A place with at most one leaf.
#[derive(Clone, Debug)]
struct End {
    depth: u16,
    /// Those of the touched paths that lead here.
    from: usize,
    to: usize,
    /// The path and hash of the leaf.
    leaf: Option<(B256, NodeHash)>,
}

impl<'a> Opened<'a> {
    pub(super) fn read(
        proof: &Proof,
        prefix: &Prefix,
        root: NodeHash,
        touched: &'a [Touched],
    ) -> Result<Self, ProofError> {
        check_touched(prefix, touched)?;
        let mut reader = Reader::new(proof, touched);
        if touched.is_empty() {
            reader.untouched(prefix, root)?;
        } else {
            reader.walk(prefix, 0, touched.len())?;
        }
        reader.finish()?;
        let Reader { places, hashes, ends, .. } = reader;
        let levels = levels_of(&places);
        let mut opened = Self { touched, places, hashes, ends, levels };
        opened.hash()?;
        if opened.hashes.first() != Some(&root) {
            return Err(ProofError::WrongRoot);
        }
        Ok(opened)
    }

    /// The hash of the subtree after each touched path whose entry in `after` is there was written with it, inserted if
    /// it had no leaf.
    ///
    /// `after` is aligned with the touched paths; where it ends early, nothing was written.
    pub fn root_after(&self, after: &[Option<(Version, Value)>]) -> NodeHash {
        let mut batch = Batch::new();
        let written = self.hashes_of(after, &mut batch);
        let mut hashes = self.hashes.clone();
        for (hash, place) in hashes.iter_mut().zip(&self.places) {
            if let Place::End(end) = place {
                let end = self.ends.get(*end as usize);
                *hash = end.and_then(|end| self.end_after(end, &written)).unwrap_or(*hash);
            }
        }
        for level in &self.levels {
            // The others stay; and those that change stay inner nodes: halves only gain leaves.
            let changed = || level.iter().filter(|inner| inner.halves(&hashes) != inner.halves(&self.hashes));
            changed().for_each(|inner| push_inner(*inner, &hashes, &mut batch));
            let changed: Vec<u32> = changed().map(|inner| inner.at).collect();
            for (at, hash) in changed.into_iter().zip(batch.drain()) {
                hashes[at as usize] = NodeHash::of_inner(hash);
            }
        }
        hashes.first().copied().unwrap_or_default()
    }

    /// The leaf hashes of what was written to the touched paths, and nothing for the others.
    fn hashes_of(&self, after: &[Option<(Version, Value)>], batch: &mut Batch) -> Vec<Option<NodeHash>> {
        for (touched, after) in self.touched.iter().zip(after) {
            if let Some((version, value)) = after {
                NodeHash::push_leaf(batch, &touched.path, *version, value);
            }
        }
        let mut hashes = batch.drain().map(NodeHash::of_leaf);
        let after = after.iter().copied().chain(core::iter::repeat(None)).take(self.touched.len());
        after.map(|after| after.and_then(|_| hashes.next())).collect()
    }

    /// Hashes the inner nodes, upwards.
    fn hash(&mut self) -> Result<(), ProofError> {
        let mut batch = Batch::new();
        for level in &self.levels {
            for inner in level {
                let (left, right) = inner.halves(&self.hashes);
                if rises(left, right) {
                    return Err(ProofError::LoneLeaf);
                }
                push_inner(*inner, &self.hashes, &mut batch);
            }
            for (inner, hash) in level.iter().zip(batch.drain()) {
                self.hashes[inner.at as usize] = NodeHash::of_inner(hash);
            }
        }
        Ok(())
    }

    /// The new hash of a place where the walk ends, if anything was written there.
    fn end_after(&self, end: &End, written: &[Option<NodeHash>]) -> Option<NodeHash> {
        let touched = self.touched.get(end.from..end.to)?;
        let written = written.get(end.from..end.to)?;
        let leaves = touched.iter().zip(written).filter_map(|(touched, hash)| Some((touched.path, (*hash)?)));
        let mut leaves: Vec<(B256, NodeHash)> = leaves.collect();
        if leaves.is_empty() {
            return None;
        }
        if let Some(leaf) = end.leaf
            && let Err(place) = leaves.binary_search_by_key(&leaf.0, |(path, _)| *path)
        {
            leaves.insert(place, leaf);
        }
        Some(subtree_of(&leaves, end.depth))
    }
}

fn push_inner(inner: Inner, hashes: &[NodeHash], batch: &mut Batch) {
    let (left, right) = inner.halves(hashes);
    NodeHash::push_inner(batch, left, right);
}

/// The inner nodes among `places`, by how many levels of inner nodes are below them.
fn levels_of(places: &[Place]) -> Vec<Vec<Inner>> {
    // How many levels of inner nodes each place and what is below it have.
    let mut heights = vec![0_u16; places.len()];
    let mut levels: Vec<Vec<Inner>> = Vec::new();
    for (at, place) in places.iter().enumerate().rev() {
        let Place::Inner { right } = place else { continue };
        let of = |at: usize| heights.get(at).copied().unwrap_or_default();
        let below = of(at + 1).max(of(*right as usize));
        heights[at] = below + 1;
        let below = usize::from(below);
        if levels.len() <= below {
            levels.resize(below + 1, Vec::new());
        }
        levels[below].push(Inner { at: at as u32, right: *right });
    }
    levels
}

/// The hash of the subtree of `leaves`, which ascend by path and agree in their first `depth` bits.
fn subtree_of(leaves: &[(B256, NodeHash)], depth: u16) -> NodeHash {
    match leaves {
        [] => NodeHash::EMPTY,
        [(_, hash)] => *hash,
        _ => {
            let (left, right) = split_at_bit(leaves, depth, |(path, _)| path);
            NodeHash::inner(subtree_of(left, depth + 1), subtree_of(right, depth + 1))
        }
    }
}

fn check_touched(prefix: &Prefix, touched: &[Touched]) -> Result<(), ProofError> {
    if !touched.is_sorted_by(|a, b| a.path < b.path) {
        return Err(ProofError::NotAscending);
    }
    if !touched.iter().all(|touched| prefix.contains(&touched.path)) {
        return Err(ProofError::Outside);
    }
    if touched.iter().any(|touched| touched.version == 0 && !touched.value.is_absent()) {
        return Err(ProofError::ValueWithoutVersion);
    }
    Ok(())
}

/// Reads a proof's parts in the order of the walk.
struct Reader<'a> {
    touched: &'a [Touched],
    shape: &'a [u8],
    /// How many bits of the shape are read.
    bits: usize,
    siblings: core::slice::Iter<'a, NodeHash>,
    leaves: core::slice::Iter<'a, OtherLeaf>,
    places: Vec<Place>,
    /// The hash of each place, but of inner nodes.
    hashes: Vec<NodeHash>,
    ends: Vec<End>,
}

impl<'a> Reader<'a> {
    fn new(proof: &'a Proof, touched: &'a [Touched]) -> Self {
        let (siblings, leaves) = (proof.siblings.iter(), proof.leaves.iter());
        // Each place takes a bit or more of the shape, but for the one place of an empty one; and each touched path leads to at
        // most one place and the half beside it at each depth, however long the shape goes on.
        let of_shape = proof.shape.len().saturating_mul(8).saturating_add(1);
        let of_paths = touched.len().saturating_mul(2 * (PATH_BITS + 1)).saturating_add(1);
        let places = of_shape.min(of_paths);
        let (places, hashes) = (Vec::with_capacity(places), Vec::with_capacity(places));
        Self { touched, shape: &proof.shape, bits: 0, siblings, leaves, places, hashes, ends: Vec::new() }
    }

    fn push(&mut self, place: Place, hash: NodeHash) {
        self.places.push(place);
        self.hashes.push(hash);
    }

    fn push_end(&mut self, end: End) {
        let hash = end.leaf.map_or(NodeHash::EMPTY, |(_, hash)| hash);
        self.push(Place::End(self.ends.len() as u32), hash);
        self.ends.push(end);
    }

    /// A subtree without touched paths. If it has one leaf, its hash does not pin it: it is opened.
    fn untouched(&mut self, prefix: &Prefix, root: NodeHash) -> Result<(), ProofError> {
        if root.is_inner() && prefix.child(false).is_none() {
            return Err(ProofError::TooDeep);
        }
        if root.is_leaf() {
            let leaf = Some(self.other_leaf(prefix, &[])?);
            self.push_end(End { depth: prefix.length(), from: 0, to: 0, leaf });
        } else {
            self.push(Place::Untouched, root);
        }
        Ok(())
    }

    /// The place at `prefix`, to which those of the touched paths from `from` up to `to` lead.
    fn walk(&mut self, prefix: &Prefix, from: usize, to: usize) -> Result<(), ProofError> {
        let touched = self.touched.get(from..to).unwrap_or_default();
        let leaf = match Met::of([self.bit()?, self.bit()?]) {
            Met::Empty => all_absent(touched).map(|()| None)?,
            Met::Touched => Some(the_one_present(touched)?),
            Met::Other => {
                all_absent(touched)?;
                Some(self.other_leaf(prefix, touched)?)
            }
            Met::Inner => return self.inner(prefix, from, to),
        };
        self.push_end(End { depth: prefix.length(), from, to, leaf });
        Ok(())
    }

    fn inner(&mut self, prefix: &Prefix, from: usize, to: usize) -> Result<(), ProofError> {
        let (Some(left), Some(right)) = (prefix.child(false), prefix.child(true)) else {
            return Err(ProofError::TooDeep);
        };
        let touched = self.touched.get(from..to).unwrap_or_default();
        let middle = from + split_at_bit(touched, prefix.length(), |touched| &touched.path).0.len();
        let here = self.places.len();
        self.push(Place::Inner { right: 0 }, NodeHash::EMPTY);
        self.half(&left, from, middle)?;
        let inner = Place::Inner { right: self.places.len() as u32 };
        if let Some(place) = self.places.get_mut(here) {
            *place = inner;
        }
        self.half(&right, middle, to)
    }

    fn half(&mut self, prefix: &Prefix, from: usize, to: usize) -> Result<(), ProofError> {
        if from < to {
            return self.walk(prefix, from, to);
        }
        let hash = if self.bit()? {
            *self.siblings.next().filter(|hash| !hash.is_empty()).ok_or(ProofError::NoHash)?
        } else {
            NodeHash::EMPTY
        };
        self.push(Place::Untouched, hash);
        Ok(())
    }

    /// The next other leaf, if it belongs at `prefix` and is none of those touched.
    fn other_leaf(&mut self, prefix: &Prefix, touched: &[Touched]) -> Result<(B256, NodeHash), ProofError> {
        let leaf = self.leaves.next().ok_or(ProofError::CutShort)?;
        let is_touched = touched.binary_search_by_key(&leaf.path, |touched| touched.path).is_ok();
        if leaf.version == 0 || is_touched || !prefix.contains(&leaf.path) {
            return Err(ProofError::OtherLeaf);
        }
        Ok((leaf.path, NodeHash::leaf(&leaf.path, leaf.version, &leaf.value)))
    }

    fn bit(&mut self) -> Result<bool, ProofError> {
        let byte = self.shape.get(self.bits / 8).ok_or(ProofError::CutShort)?;
        let bit = byte & (0x80 >> (self.bits % 8)) != 0;
        self.bits += 1;
        Ok(bit)
    }

    /// Whether nothing is left over.
    fn finish(&mut self) -> Result<(), ProofError> {
        let whole = self.bits.div_ceil(8) == self.shape.len();
        let mut filled_up = false;
        while !self.bits.is_multiple_of(8) {
            filled_up |= self.bit()?;
        }
        if !whole || filled_up || self.siblings.next().is_some() || self.leaves.next().is_some() {
            return Err(ProofError::LeftOver);
        }
        Ok(())
    }
}

fn all_absent(touched: &[Touched]) -> Result<(), ProofError> {
    if touched.iter().all(|touched| touched.version == 0) { Ok(()) } else { Err(ProofError::Presence) }
}

/// The path and hash of the one among `touched` that has a leaf.
fn the_one_present(touched: &[Touched]) -> Result<(B256, NodeHash), ProofError> {
    let mut present = touched.iter().filter(|touched| touched.version > 0);
    match (present.next(), present.next()) {
        (Some(one), None) => Ok((one.path, NodeHash::leaf(&one.path, one.version, &one.value))),
        _ => Err(ProofError::Presence),
    }
}
