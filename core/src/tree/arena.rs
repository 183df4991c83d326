//! Where nodes and leaves stand: in chunks of words that all versions of a tree share.
//!
//! A place is named by a number, so that links are short and following one counts nothing. Words are atomic, since one
//! thread may read a version while another makes the next one, in the same chunks; the order in which they are seen does
//! not matter, because what a version reaches is not written to while that version lives (see [`super::versions`]).

use super::{Leaf, NodeHash, node::Words, packed};
use crate::{cpu::prefetch, prefix::path_bit};
use alloc::{sync::Arc, vec::Vec};
use alloy_primitives::B256;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// How many places ahead of the one that is worked on the CPU is asked for: as long as memory takes to answer.
pub(super) const AHEAD: usize = 24;
/// Places for nodes or leaves in one chunk.
const CHUNK: u32 = 1 << 11;
/// The last of them, which stay empty: with what is counted beside them, pairs would take a few bytes more than a power of two, and
/// allocators give such a chunk a fourth more than it needs.
const LEFT_OUT: u32 = 2;
const USED: u32 = CHUNK - LEFT_OUT;
const WORD: usize = size_of::<usize>();

/// What stands at a place: nothing, a node, or a leaf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link(u32);

/// The place after `number`.
pub(super) const fn next_place(number: u32) -> u32 {
    let next = number + 1;
    if next % CHUNK < USED { next } else { next + LEFT_OUT }
}

/// A [`Link`], opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Empty,
    Node(u32),
    /// The class of its length, and its number among those.
    Leaf(usize, u32),
}

impl Link {
    pub(super) const EMPTY: Self = Self(0);
    const LEAF: u32 = 1 << 31;
    const CLASS_SHIFT: u32 = 28;

    pub(super) const fn node(number: u32) -> Self {
        Self(number + 1)
    }

    pub(super) const fn leaf(class: usize, number: u32) -> Self {
        Self(Self::LEAF | (class as u32) << Self::CLASS_SHIFT | number)
    }

    pub(super) const fn target(self) -> Target {
        if self.0 & Self::LEAF != 0 {
            let class = (self.0 & !Self::LEAF) >> Self::CLASS_SHIFT;
            return Target::Leaf(class as usize, self.0 & ((1 << Self::CLASS_SHIFT) - 1));
        }
        match self.0.checked_sub(1) {
            None => Target::Empty,
            Some(number) => Target::Node(number),
        }
    }
}

/// The hashes of both halves of a node, in one cache line: also what is hashed.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Pair([Packed32; 2]);

/// 32 bytes, in words.
type Packed32 = [AtomicUsize; 32 / WORD];

impl Pair {
    const fn new() -> Self {
        Self([const { [const { AtomicUsize::new(0) }; 32 / WORD] }; 2])
    }

    pub(super) fn hash(&self, right: bool) -> NodeHash {
        self.words(right).into()
    }

    /// The hash of a half.
    #[inline]
    pub(super) fn words(&self, right: bool) -> Words {
        load(&self.0[usize::from(right)])
    }

    #[inline]
    pub(super) fn set(&self, halves: [Words; 2]) {
        self.0.iter().zip(halves).for_each(|(half, words)| store(half, words));
    }
}

#[inline]
fn load(parts: &Packed32) -> Words {
    let mut words = Words::default();
    for (word, parts) in words.0.iter_mut().zip(parts.chunks_exact(8 / WORD)) {
        let mut bytes = [0; 8];
        for (bytes, part) in bytes.as_chunks_mut::<WORD>().0.iter_mut().zip(parts) {
            *bytes = part.load(Relaxed).to_le_bytes();
        }
        *word = u64::from_le_bytes(bytes);
    }
    words
}

#[inline]
fn store(parts: &Packed32, words: Words) {
    for (word, parts) in words.0.iter().zip(parts.chunks_exact(8 / WORD)) {
        for (bytes, part) in word.to_le_bytes().as_chunks::<WORD>().0.iter().zip(parts) {
            part.store(usize::from_le_bytes(*bytes), Relaxed);
        }
    }
}

/// Where a node's halves are, and which version made it.
#[derive(Debug)]
pub(super) struct Links {
    halves: [AtomicU32; 2],
    born: AtomicU32,
}

impl Links {
    const fn new() -> Self {
        Self { halves: [AtomicU32::new(0), AtomicU32::new(0)], born: AtomicU32::new(0) }
    }

    pub(super) fn half(&self, right: bool) -> Link {
        Link(self.halves[usize::from(right)].load(Relaxed))
    }

    pub(super) fn set(&self, halves: [Link; 2], born: u32) {
        for (part, half) in self.halves.iter().zip(halves) {
            part.store(half.0, Relaxed);
        }
        self.born.store(born, Relaxed);
    }

    pub(super) fn born(&self) -> u32 {
        self.born.load(Relaxed)
    }
}

/// The chunks. A clone is the same chunks; one that grows does not change what the other has.
///
/// Links stand apart from pairs, close together: a walk down asks for no pair.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    links: Vec<Arc<[Links]>>,
    pairs: Vec<Arc<[Pair]>>,
    leaves: [Vec<Arc<[AtomicUsize]>>; packed::CLASSES.len()],
}

impl Chunks {
    pub(super) fn links(&self, number: u32) -> Option<&Links> {
        self.links.get((number / CHUNK) as usize)?.get((number % CHUNK) as usize)
    }

    pub(super) fn pair(&self, number: u32) -> Option<&Pair> {
        self.pairs.get((number / CHUNK) as usize)?.get((number % CHUNK) as usize)
    }

    /// The words of a leaf.
    fn record(&self, class: usize, number: u32) -> Option<&[AtomicUsize]> {
        let words = packed::CLASSES.get(class)? / WORD;
        let from = (number % CHUNK) as usize * words;
        self.leaves.get(class)?.get((number / CHUNK) as usize)?.get(from..from + words)
    }

    /// The leaf at `link`, if it is one.
    pub(super) fn leaf(&self, link: Link) -> Option<Leaf> {
        let Target::Leaf(class, number) = link.target() else { return None };
        let mut bytes = [0; packed::MOST_BYTES];
        for (bytes, word) in bytes.chunks_exact_mut(WORD).zip(self.record(class, number)?) {
            bytes.copy_from_slice(&word.load(Relaxed).to_le_bytes());
        }
        packed::read(&bytes).map(|(leaf, _)| leaf)
    }

    /// The path of the leaf at `link`, if it is one.
    pub(super) fn path(&self, link: Link) -> Option<B256> {
        self.path_words(link).map(B256::from)
    }

    /// Whether the leaf of `path` is at `link`.
    #[inline]
    pub(super) fn is_leaf_of(&self, link: Link, path: &B256) -> bool {
        self.path_words(link).is_some_and(|words| words == Words::from(path))
    }

    #[inline]
    fn path_words(&self, link: Link) -> Option<Words> {
        let Target::Leaf(class, number) = link.target() else { return None };
        // It is what the record begins with.
        self.record(class, number)?.first_chunk().map(load)
    }

    /// Which version made what stands at `link`.
    pub(super) fn born(&self, link: Link) -> u32 {
        match link.target() {
            Target::Empty => 0,
            Target::Node(number) => self.links(number).map_or(0, Links::born),
            Target::Leaf(class, number) => {
                let word = self.record(class, number).and_then(|record| record.get(packed::BORN_AT / WORD));
                word.map_or(0, |word| word.load(Relaxed) as u32)
            }
        }
    }

    /// Makes place for node `number`.
    pub(super) fn grow_nodes(&mut self, number: u32) {
        while self.pairs.len() <= (number / CHUNK) as usize {
            self.links.push((0..USED).map(|_| Links::new()).collect());
            self.pairs.push((0..USED).map(|_| Pair::new()).collect());
        }
    }

    /// Makes place for leaf `number` of `class`.
    pub(super) fn grow_leaves(&mut self, class: usize, number: u32) {
        let words = packed::CLASSES[class] / WORD * USED as usize;
        while self.leaves[class].len() <= (number / CHUNK) as usize {
            self.leaves[class].push((0..words).map(|_| AtomicUsize::new(0)).collect());
        }
    }

    /// Asks the CPU for what a walk down reads at `link`.
    pub(super) fn fetch(&self, link: Link) {
        match link.target() {
            Target::Empty => {}
            Target::Node(number) => {
                if let Some(links) = self.links(number) {
                    prefetch(links);
                }
            }
            Target::Leaf(class, number) => {
                // It may stand in two lines.
                if let Some([first, .., last]) = self.record(class, number) {
                    prefetch(first);
                    prefetch(last);
                }
            }
        }
    }

    /// Brings each link, which is at `depth` on the way of its path, to where that leads. The walks take turns, so that one goes on
    /// while another waits for memory; `meet` is told each node that they come to.
    pub(super) fn walk_down(&self, mut depth: u16, paths: &[B256], links: &mut [Link], meet: impl Fn(u32)) {
        let mut under_way = true;
        while under_way {
            under_way = false;
            for (path, link) in paths.iter().zip(links.iter_mut()) {
                let Target::Node(number) = link.target() else { continue };
                meet(number);
                let node = self.links(number);
                *link = node.map_or(Link::EMPTY, |links| links.half(path_bit(path, depth)));
                self.fetch(*link);
                under_way = true;
            }
            depth += 1;
        }
    }

    /// Asks the CPU for the pair of node `number`.
    pub(super) fn fetch_pair(&self, number: u32) {
        if let Some(pair) = self.pair(number) {
            prefetch(pair);
        }
    }

    /// Writes a leaf, packed.
    pub(super) fn write_leaf(&self, class: usize, number: u32, bytes: &[u8; packed::MOST_BYTES]) {
        let record = self.record(class, number).unwrap_or_default();
        for (bytes, word) in bytes.as_chunks::<WORD>().0.iter().zip(record) {
            word.store(usize::from_le_bytes(*bytes), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_at_each_place_and_a_chunk_is_less_than_a_power_of_two() {
        let mut chunks = Chunks::default();
        let places = core::iter::successors(Some(0), |number| Some(next_place(*number)));
        for number in places.take(2 * CHUNK as usize) {
            chunks.grow_nodes(number);
            assert!(chunks.links(number).is_some() && chunks.pair(number).is_some(), "{number}");
            for class in 0..packed::CLASSES.len() {
                chunks.grow_leaves(class, number);
                assert!(chunks.path(Link::leaf(class, number)).is_some(), "{number}");
            }
        }
        assert_eq!((chunks.pairs.len(), chunks.links.len()), (3, 3), "hardly any place is left out");
        // Two numbers count what holds the chunk, and the pairs begin with a line of the cache.
        let bytes = size_of_val::<[Pair]>(&chunks.pairs[0]) + align_of::<Pair>();
        assert!(bytes < bytes.next_power_of_two() && bytes + 64 >= bytes.next_power_of_two(), "{bytes}");
    }
}
