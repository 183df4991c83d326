//! Updating a version with a batch: one walk down that only reads, and one up that makes the new nodes.
//!
//! Both go level by level, from left to right. On the way down is found which nodes have writes below them and what of
//! them stays; leaves are written where they are met. On the way up each of those nodes is written once, with the links and
//! hashes of its new halves, and hashed: so neither walk comes back to a place. All places of a level are independent of one
//! another: the CPU is asked for those that come next while it works on one, and hashes are computed side by side.

use super::{
    Leaf, NodeHash, Root,
    arena::{AHEAD, Link, Target},
    node::Words,
    packed,
    versions::Versions,
};
use crate::{
    cpu::prefetch,
    hash::Batch,
    prefix::{path_bit, path_head},
};
use alloc::{vec, vec::Vec};
use core::slice;

/// A place on the way down, and which of the writes belong below it; there is at least one.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// What stands there.
    link: Link,
    /// Where the hash of that is.
    hash: HashOf,
    from: u32,
    to: u32,
}

/// Whose hash it is.
#[derive(Clone, Copy, Debug)]
enum HashOf {
    Root,
    /// A half of a node.
    Half(u32, bool),
    /// A leaf that goes down, by its number among those.
    Lowered(u32),
    /// Of nothing.
    Empty,
}

/// What comes to stand at a place.
#[derive(Clone, Copy, Debug)]
enum Met {
    /// The leaf of a write.
    Leaf(u32),
    /// A node.
    Node(Inner),
}

/// A node with writes below it.
#[derive(Clone, Copy, Debug)]
struct Inner {
    old: Old,
    /// What stood in its halves.
    halves: [Link; 2],
    /// Which of them has writes.
    written: [bool; 2],
}

/// What was made at a place.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    link: Link,
    hash: Words,
}

/// What stood where a node is made.
#[derive(Clone, Copy, Debug)]
enum Old {
    Nothing,
    /// A leaf that goes down into this half.
    Leaf(bool, u32),
    /// A node that older versions reach, and which made it.
    Shared(u32, u32),
    /// A node of the version that is made: it is written over.
    Own(u32),
}

impl Old {
    /// Whose hash stood in a half.
    const fn half(self, right: bool) -> HashOf {
        match self {
            Self::Leaf(half, lowered) if half == right => HashOf::Lowered(lowered),
            Self::Nothing | Self::Leaf(..) => HashOf::Empty,
            Self::Shared(number, _) | Self::Own(number) => HashOf::Half(number, right),
        }
    }
}

pub(super) struct Update<'a> {
    versions: &'a mut Versions,
    root: Root,
    /// The version that is made.
    born: u32,
    /// Ascending strictly by path.
    writes: &'a [Leaf],
    /// The first 64 bits of each path: nearly always all that is asked of it on the way down.
    heads: Vec<u64>,
    /// What the walk down met, level by level.
    met: Vec<Met>,
    /// Where each level begins in `met`.
    levels: Vec<usize>,
    /// The hashes of leaves that go down because they are no longer alone.
    lowered: Vec<Words>,
    /// Where the leaf of each write stands.
    leaves: Vec<Link>,
    /// How many leaves were added.
    added: usize,
}

impl<'a> Update<'a> {
    /// Puts `writes` under `root`, as part of version `born`. Returns how many leaves were added.
    pub(super) fn run(
        versions: &'a mut Versions,
        root: &mut Root,
        born: u32,
        writes: &'a [Leaf],
        batch: &mut Batch,
    ) -> usize {
        if writes.is_empty() {
            return 0;
        }
        let heads = writes.iter().map(|leaf| path_head(&leaf.path)).collect();
        let (met, levels, lowered) = (Vec::with_capacity(10 * writes.len()), Vec::new(), Vec::new());
        let leaves = vec![Link::EMPTY; writes.len()];
        let mut update = Self { versions, root: *root, born, writes, heads, met, levels, lowered, leaves, added: 0 };
        update.descend();
        *root = update.ascend(batch);
        update.added
    }

    fn descend(&mut self) {
        let (mut steps, mut below) = (Vec::with_capacity(self.writes.len()), Vec::with_capacity(self.writes.len()));
        steps.push(Step { link: self.root.link, hash: HashOf::Root, from: 0, to: self.writes.len() as u32 });
        let mut depth = 0;
        while !steps.is_empty() {
            self.levels.push(self.met.len());
            for (at, step) in steps.iter().enumerate() {
                if let Some(ahead) = steps.get(at + AHEAD) {
                    self.fetch(ahead);
                }
                let met = self.step(step, depth, &mut below);
                self.met.push(met);
            }
            core::mem::swap(&mut steps, &mut below);
            below.clear();
            depth += 1;
        }
    }

    /// Asks the CPU for what [`Update::step`] reads and writes.
    fn fetch(&self, step: &Step) {
        self.versions.chunks.fetch(step.link);
        if let Target::Leaf(class, _) = step.link.target() {
            self.versions.fetch_free_leaf(class, AHEAD / 2);
            if let Some(write) = self.writes.get(step.from as usize) {
                prefetch(write);
                prefetch(&write.value);
            }
        }
    }

    /// What comes to stand at a place; the places below it are added to `below`.
    fn step(&mut self, step: &Step, depth: u16, below: &mut Vec<Step>) -> Met {
        let alone = step.to - step.from == 1;
        let (old, halves) = match step.link.target() {
            Target::Empty if alone => {
                self.added += 1;
                return self.put_leaf(step.from);
            }
            Target::Empty => (Old::Nothing, [Link::EMPTY; 2]),
            Target::Leaf(..) => {
                let write = self.writes.get(step.from as usize).filter(|_| alone);
                if write.is_some_and(|write| self.versions.chunks.is_leaf_of(step.link, &write.path)) {
                    self.give_up_leaf(step.link);
                    return self.put_leaf(step.from);
                }
                let path = self.versions.chunks.path(step.link).unwrap_or_default();
                let right = path_bit(&path, depth);
                let halves = if right { [Link::EMPTY, step.link] } else { [step.link, Link::EMPTY] };
                (Old::Leaf(right, self.lower(step.hash)), halves)
            }
            Target::Node(number) => {
                let Some(links) = self.versions.chunks.links(number) else { return Met::Leaf(step.from) };
                let born = links.born();
                let old = if born == self.born { Old::Own(number) } else { Old::Shared(number, born) };
                (old, [links.half(false), links.half(true)])
            }
        };
        let middle = self.middle(step.from, step.to, depth);
        let written = [step.from < middle, middle < step.to];
        if written[0] {
            below.push(Step { link: halves[0], hash: old.half(false), from: step.from, to: middle });
        }
        if written[1] {
            below.push(Step { link: halves[1], hash: old.half(true), from: middle, to: step.to });
        }
        Met::Node(Inner { old, halves, written })
    }

    /// Where those of the writes begin whose next bit is one.
    fn middle(&self, from: u32, to: u32, depth: u16) -> u32 {
        let (first, count) = (from as usize, (to - from) as usize);
        let is_left = if depth < 64 {
            let heads = self.heads.get(first..first + count).unwrap_or_default();
            if let [head] = heads {
                usize::from(head << depth >> 63 == 0)
            } else {
                heads.partition_point(|head| head << depth >> 63 == 0)
            }
        } else {
            let writes = self.writes.get(first..first + count).unwrap_or_default();
            writes.partition_point(|write| !path_bit(&write.path, depth))
        };
        from + is_left as u32
    }

    /// Keeps the hash of a leaf that goes down; its number among those.
    fn lower(&mut self, hash: HashOf) -> u32 {
        if let HashOf::Lowered(number) = hash {
            return number;
        }
        self.lowered.push(self.hash(hash));
        self.lowered.len() as u32 - 1
    }

    #[inline]
    fn hash(&self, of: HashOf) -> Words {
        match of {
            HashOf::Root => self.root.hash.into(),
            HashOf::Half(number, right) => {
                self.versions.chunks.pair(number).map_or(Words::EMPTY, |pair| pair.words(right))
            }
            HashOf::Lowered(at) => self.lowered.get(at as usize).copied().unwrap_or_default(),
            HashOf::Empty => Words::EMPTY,
        }
    }

    /// Says that another leaf comes to stand where this one does.
    fn give_up_leaf(&mut self, link: Link) {
        let born = self.versions.chunks.born(link);
        if born == self.born { self.versions.free(link) } else { self.versions.retire(link, born) }
    }

    /// Writes the leaf of a write.
    fn put_leaf(&mut self, write: u32) -> Met {
        if let (Some(leaf), Some(link)) = (self.writes.get(write as usize), self.leaves.get_mut(write as usize)) {
            let (class, bytes) = packed::write(leaf, self.born);
            let number = self.versions.take_leaf(class);
            self.versions.chunks.write_leaf(class, number, &bytes);
            *link = Link::leaf(class, number);
        }
        Met::Leaf(write)
    }

    /// Makes the nodes that the walk down met. Returns what stands at the root.
    fn ascend(&mut self, batch: &mut Batch) -> Root {
        let hashes = self.hash_leaves(batch);
        let met = core::mem::take(&mut self.met);
        let mut end = met.len();
        let mut below = Vec::new();
        while let Some(begin) = self.levels.pop() {
            below = self.make_level(met.get(begin..end).unwrap_or_default(), &below, &hashes, batch);
            end = begin;
        }
        below.first().map_or(Root::default(), |top| Root { link: top.link, hash: top.hash.into() })
    }

    fn hash_leaves(&self, batch: &mut Batch) -> Vec<Words> {
        for leaf in self.writes {
            NodeHash::push_leaf(batch, &leaf.path, leaf.version, &leaf.value);
        }
        batch.drain().map(Words::of_leaf).collect()
    }

    /// What stands at each place of a level, given what stands below those of its halves that have writes.
    fn make_level(&mut self, met: &[Met], below: &[Made], leaves: &[Words], batch: &mut Batch) -> Vec<Made> {
        let mut below = below.iter();
        let mut made = Vec::with_capacity(met.len());
        for (at, here) in met.iter().enumerate() {
            self.fetch_for(met.get(at + AHEAD));
            made.push(match here {
                Met::Leaf(write) => {
                    let at = *write as usize;
                    let link = self.leaves.get(at).copied().unwrap_or_default();
                    Made { link, hash: leaves.get(at).copied().unwrap_or_default() }
                }
                Met::Node(inner) => Made { link: self.make_node(inner, &mut below, batch), hash: Words::EMPTY },
            });
        }
        let nodes = made.iter_mut().filter(|made| matches!(made.link.target(), Target::Node(_)));
        for (node, hash) in nodes.zip(batch.drain()) {
            node.hash = Words::of_inner(hash);
        }
        made
    }

    /// Asks the CPU for what [`Update::make_node`] reads and writes.
    fn fetch_for(&self, met: Option<&Met>) {
        let Some(Met::Node(Inner { old, .. })) = met else { return };
        if let Old::Shared(number, _) | Old::Own(number) = old {
            self.versions.chunks.fetch_pair(*number);
        }
        if !matches!(old, Old::Own(_)) {
            self.versions.fetch_free_node(AHEAD / 2);
        }
    }

    /// Makes a node and pushes what its hash is taken of.
    fn make_node(&mut self, inner: &Inner, below: &mut slice::Iter<'_, Made>, batch: &mut Batch) -> Link {
        let left = self.half(inner, false, below);
        let right = self.half(inner, true, below);
        Words::push_inner(batch, left.hash, right.hash);
        let number = match inner.old {
            Old::Own(number) => number,
            Old::Nothing | Old::Leaf(..) => self.versions.take_node(),
            Old::Shared(number, born) => {
                let copy = self.versions.take_node();
                self.versions.retire(Link::node(number), born);
                copy
            }
        };
        let chunks = &self.versions.chunks;
        if let Some(pair) = chunks.pair(number) {
            pair.set([left.hash, right.hash]);
        }
        let links = [left.link, right.link];
        if (!matches!(inner.old, Old::Own(_)) || inner.halves != links)
            && let Some(place) = chunks.links(number)
        {
            place.set(links, self.born);
        }
        Link::node(number)
    }

    /// What comes to stand in a half of a node: what was made there, or what stood there.
    #[inline]
    fn half(&self, inner: &Inner, right: bool, below: &mut slice::Iter<'_, Made>) -> Made {
        if inner.written[usize::from(right)] {
            return below.next().copied().unwrap_or_default();
        }
        Made { link: inner.halves[usize::from(right)], hash: self.hash(inner.old.half(right)) }
    }
}
