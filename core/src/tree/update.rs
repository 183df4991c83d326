//! Updating a version with a batch: down level by level, and up level by level, many nodes hashed at a time.
//!
//! On the way down the structure is made, on the way up the hashes. All places of a level are independent of one another:
//! the CPU waits for several of them at once, and their hashes are computed side by side.

use super::{
    Leaf, NodeHash, Root,
    arena::{Link, Node, Target},
    packed,
    versions::Versions,
};
use crate::{hash::Batch, prefix::path_bit};
use alloc::{vec, vec::Vec};

/// Where a link stands: in which half of which node, or at the root.
#[derive(Clone, Copy, Debug)]
enum Place {
    Root,
    Half(u32, bool),
}

/// A place on the way down, and which of the writes belong below it; there is at least one.
#[derive(Clone, Copy, Debug)]
struct Step {
    place: Place,
    from: u32,
    to: u32,
}

/// A node to be hashed, and where its hash goes.
#[derive(Clone, Copy, Debug)]
struct Marked {
    place: Place,
    node: u32,
}

pub(super) struct Update<'a> {
    versions: &'a mut Versions,
    root: &'a mut Root,
    /// The version that is made.
    born: u32,
    /// Ascending strictly by path.
    writes: &'a [Leaf],
    /// How many leaves were added.
    added: usize,
}

impl<'a> Update<'a> {
    /// Puts `writes` under `root`, as part of version `born`. Returns how many leaves were added.
    pub(super) fn run(
        versions: &'a mut Versions,
        root: &'a mut Root,
        born: u32,
        writes: &'a [Leaf],
        batch: &mut Batch,
    ) -> usize {
        let mut update = Self { versions, root, born, writes, added: 0 };
        let (leaves, levels) = update.descend();
        update.hash_leaves(&leaves, batch);
        for level in levels.iter().rev() {
            update.hash_level(level, batch);
        }
        update.added
    }

    /// Makes the structure. Returns where leaves were written, each with which write, and the nodes above them by level.
    fn descend(&mut self) -> (Vec<(Place, u32)>, Vec<Vec<Marked>>) {
        let (mut leaves, mut levels) = (Vec::with_capacity(self.writes.len()), Vec::new());
        let all = Step { place: Place::Root, from: 0, to: self.writes.len() as u32 };
        let mut steps = if self.writes.is_empty() { Vec::new() } else { vec![all] };
        let mut depth = 0;
        while !steps.is_empty() {
            let (mut marked, mut below) = (Vec::with_capacity(steps.len()), Vec::with_capacity(2 * steps.len()));
            for step in steps {
                match self.step(step, depth) {
                    None => leaves.push((step.place, step.from)),
                    Some(node) => {
                        marked.push(Marked { place: step.place, node });
                        self.halve(step, node, depth, &mut below);
                    }
                }
            }
            levels.push(marked);
            steps = below;
            depth += 1;
        }
        (leaves, levels)
    }

    /// What comes to stand at a place: a node of this version, or a leaf (`None`).
    fn step(&mut self, step: Step, depth: u16) -> Option<u32> {
        let link = self.link(step.place);
        let alone = step.to - step.from == 1;
        match link.target() {
            Target::Empty if alone => {
                self.added += 1;
                self.put_leaf(step);
                None
            }
            Target::Empty => Some(self.put_node(step.place, None)),
            Target::Leaf(..) => {
                let path = self.versions.chunks.path(link).unwrap_or_default();
                if alone && self.writes.get(step.from as usize).is_some_and(|write| write.path == path) {
                    let born = self.versions.chunks.born(link);
                    self.versions.retire(link, born);
                    self.put_leaf(step);
                    return None;
                }
                // No longer alone: it goes down by one, with its hash.
                let hash = self.hash(step.place);
                Some(self.put_node(step.place, Some((path_bit(&path, depth), link, hash))))
            }
            Target::Node(number) => Some(self.own(step.place, number)),
        }
    }

    /// The steps below a node.
    fn halve(&self, Step { from, to, .. }: Step, node: u32, depth: u16, below: &mut Vec<Step>) {
        let writes = self.writes.get(from as usize..to as usize).unwrap_or_default();
        let middle = from + writes.partition_point(|write| !path_bit(&write.path, depth)) as u32;
        let halves = [(false, from, middle), (true, middle, to)];
        let steps = halves.map(|(right, from, to)| Step { place: Place::Half(node, right), from, to });
        below.extend(steps.into_iter().filter(|step| step.from < step.to));
    }

    /// Node `number`, or if an older version made it, a copy of it in its place.
    fn own(&mut self, place: Place, number: u32) -> u32 {
        let born = self.versions.chunks.node(number).map_or(self.born, |node| node.links.born());
        if born == self.born {
            return number;
        }
        let copy = self.versions.take_node();
        let chunks = &self.versions.chunks;
        if let Some(original) = chunks.node(number) {
            chunks.copy_node(copy, original, self.born);
        }
        self.set_link(place, Link::node(copy));
        self.versions.retire(Link::node(number), born);
        copy
    }

    /// A new node with at most one half, in `place`.
    fn put_node(&mut self, place: Place, half: Option<(bool, Link, NodeHash)>) -> u32 {
        let number = self.versions.take_node();
        if let (Some(node), Some((right, link, hash))) = (self.versions.chunks.clear_node(number, self.born), half) {
            node.links.set(right, link);
            node.pair.set(right, &hash);
        }
        self.set_link(place, Link::node(number));
        number
    }

    /// The first write of `step`, in its place.
    fn put_leaf(&mut self, step: Step) {
        let Some(leaf) = self.writes.get(step.from as usize) else { return };
        let (class, bytes) = packed::write(leaf, self.born);
        let number = self.versions.take_leaf(class);
        self.versions.chunks.write_leaf(class, number, &bytes);
        self.set_link(step.place, Link::leaf(class, number));
    }

    fn hash_leaves(&mut self, leaves: &[(Place, u32)], batch: &mut Batch) {
        for (_, write) in leaves {
            if let Some(leaf) = self.writes.get(*write as usize) {
                NodeHash::push_leaf(batch, &leaf.path, leaf.version, &leaf.value);
            }
        }
        for ((place, _), hash) in leaves.iter().zip(batch.drain()) {
            self.set_hash(*place, &NodeHash::of_leaf(hash));
        }
    }

    fn hash_level(&mut self, level: &[Marked], batch: &mut Batch) {
        for marked in level {
            let words = self.node(marked.node).map(|node| node.pair.words());
            batch.push_words(words.unwrap_or_default());
        }
        for (marked, hash) in level.iter().zip(batch.drain()) {
            self.set_hash(marked.place, &NodeHash::of_inner(hash));
        }
    }

    fn node(&self, number: u32) -> Option<Node<'_>> {
        self.versions.chunks.node(number)
    }

    fn link(&self, place: Place) -> Link {
        match place {
            Place::Root => self.root.link,
            Place::Half(number, right) => self.node(number).map_or(Link::EMPTY, |node| node.links.half(right)),
        }
    }

    fn set_link(&mut self, place: Place, link: Link) {
        match place {
            Place::Root => self.root.link = link,
            Place::Half(number, right) => {
                if let Some(node) = self.node(number) {
                    node.links.set(right, link);
                }
            }
        }
    }

    fn hash(&self, place: Place) -> NodeHash {
        match place {
            Place::Root => self.root.hash,
            Place::Half(number, right) => self.node(number).map_or(NodeHash::EMPTY, |node| node.pair.hash(right)),
        }
    }

    fn set_hash(&mut self, place: Place, hash: &NodeHash) {
        match place {
            Place::Root => self.root.hash = *hash,
            Place::Half(number, right) => {
                if let Some(node) = self.node(number) {
                    node.pair.set(right, hash);
                }
            }
        }
    }
}
