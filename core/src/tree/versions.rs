//! Which versions of a tree live, and what of the arena is free.
//!
//! Versions follow one another, each made from the one before; a version reaches what it made and what it left standing. What
//! it takes the place of is *retired*: reached by versions before it and by none after. A version lives while a [`Tree`]
//! (super::Tree) holds its token; whoever makes the next one looks who still does. So a clone counts one number, no node
//! has a count of its own, and readers neither wait nor are waited for.

use super::arena::{Chunks, Link, Target, next_place};
use super::packed;
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::sync::atomic::{Ordering, fence};

/// What a tree holds to keep its version.
#[derive(Clone, Debug, Default)]
pub(super) struct Token(Arc<u32>);

impl Token {
    pub(super) fn number(&self) -> u32 {
        *self.0
    }
}

/// One living version.
#[derive(Debug)]
struct Version {
    token: Token,
    root: Link,
    /// What it took the place of, each with the version that made it: whoever frees them need not ask memory for one after the other.
    retired: Vec<(Link, u32)>,
}

impl Version {
    /// Whether no tree holds it. What those did with it happened before the answer.
    fn is_dead(&mut self) -> bool {
        Arc::get_mut(&mut self.token.0).is_some()
    }
}

/// What the versions of a tree share. There is always a version.
#[derive(Debug)]
pub(super) struct Versions {
    pub(super) chunks: Arc<Chunks>,
    /// In the order in which they were made.
    living: VecDeque<Version>,
    free_nodes: Vec<u32>,
    free_leaves: [Vec<u32>; packed::CLASSES.len()],
    /// The places after those of all nodes, and of all leaves of each class, that were ever made.
    nodes: u32,
    leaves: [u32; packed::CLASSES.len()],
}

impl Versions {
    /// One version without leaves.
    pub(super) fn new() -> (Self, Token) {
        let token = Token::default();
        let first = Version { token: token.clone(), root: Link::EMPTY, retired: Vec::new() };
        let versions = Self {
            chunks: Arc::default(),
            living: [first].into(),
            free_nodes: Vec::new(),
            free_leaves: Default::default(),
            nodes: 0,
            leaves: Default::default(),
        };
        (versions, token)
    }

    /// Begins to change the version of `token`, which a tree holds: as a new one if others hold it too. `None` if it is not
    /// the last one that lives.
    pub(super) fn begin(&mut self, token: &mut Token) -> Option<u32> {
        self.drop_last_dead();
        if self.living.back()?.token.number() != token.number() {
            return None;
        }
        self.drop_dead();
        // One is this list's, one the caller's.
        if Arc::strong_count(&token.0) > 2 {
            let next = Token(Arc::new(token.number().checked_add(1)?));
            let root = self.living.back()?.root;
            self.living.push_back(Version { token: next.clone(), root, retired: Vec::new() });
            *token = next;
        }
        fence(Ordering::Acquire);
        Some(token.number())
    }

    /// Ends what [`Versions::begin`] began.
    pub(super) fn end(&mut self, root: Link) {
        if let Some(last) = self.living.back_mut() {
            last.root = root;
        }
    }

    /// Takes back versions that died before another was made from them.
    fn drop_last_dead(&mut self) {
        while self.living.len() > 1 {
            let Some(mut last) = self.living.pop_back() else { return };
            if !last.is_dead() {
                return self.living.push_back(last);
            }
            let before = self.living.back().map_or(0, |version| version.token.number());
            self.free_younger(last.root, before);
        }
    }

    /// Frees what is below `root` and younger than version `before`. What is older has nothing younger below it.
    fn free_younger(&mut self, root: Link, before: u32) {
        let chunks = self.chunks.clone();
        let mut ahead = alloc::vec![root];
        while let Some(link) = ahead.pop() {
            if link == Link::EMPTY || chunks.born(link) <= before {
                continue;
            }
            if let Target::Node(number) = link.target()
                && let Some(links) = chunks.links(number)
            {
                ahead.extend([links.half(false), links.half(true)]);
            }
            self.free(link);
        }
    }

    /// Frees what only dead versions reach, but for the last one.
    fn drop_dead(&mut self) {
        let mut at = 0;
        while at + 1 < self.living.len() {
            if !self.living.get_mut(at).is_some_and(Version::is_dead) {
                at += 1;
                continue;
            }
            let before = at.checked_sub(1).and_then(|at| self.living.get(at)).map(|version| version.token.number());
            let Some(dead) = self.living.remove(at) else { return };
            let Some(next) = self.living.get_mut(at) else { return };
            let retired = core::mem::replace(&mut next.retired, dead.retired);
            for (link, born) in retired {
                if before.is_some_and(|before| born <= before) {
                    // The version before it reaches it as well.
                    self.living[at].retired.push((link, born));
                } else {
                    self.free(link);
                }
            }
        }
    }

    /// Says that the last version no longer reaches `link`, which the older version `born` made.
    pub(super) fn retire(&mut self, link: Link, born: u32) {
        if self.living.len() == 1 {
            return self.free(link);
        }
        if let Some(last) = self.living.back_mut() {
            last.retired.push((link, born));
        }
    }

    /// Says that no version reaches `link` any more.
    pub(super) fn free(&mut self, link: Link) {
        match link.target() {
            Target::Empty => {}
            Target::Node(number) => self.free_nodes.push(number),
            Target::Leaf(class, number) => {
                if let Some(free) = self.free_leaves.get_mut(class) {
                    free.push(number);
                }
            }
        }
    }

    /// Asks the CPU for the place that [`Versions::take_node`] gives after `ahead` others.
    pub(super) fn fetch_free_node(&self, ahead: usize) {
        let free = self.free_nodes.len().checked_sub(1 + ahead).and_then(|at| self.free_nodes.get(at));
        if let Some(number) = free {
            self.chunks.fetch(Link::node(*number));
            self.chunks.fetch_pair(*number);
        }
    }

    /// Asks the CPU for the place that [`Versions::take_leaf`] gives after `ahead` others.
    pub(super) fn fetch_free_leaf(&self, class: usize, ahead: usize) {
        let Some(free) = self.free_leaves.get(class) else { return };
        if let Some(number) = free.len().checked_sub(1 + ahead).and_then(|at| free.get(at)) {
            self.chunks.fetch(Link::leaf(class, *number));
        }
    }

    /// A place for a node.
    pub(super) fn take_node(&mut self) -> u32 {
        self.free_nodes.pop().unwrap_or_else(|| {
            let number = self.nodes;
            self.nodes = next_place(number);
            if self.chunks.pair(number).is_none() {
                Arc::make_mut(&mut self.chunks).grow_nodes(number);
            }
            number
        })
    }

    /// A place for a leaf of `class`.
    pub(super) fn take_leaf(&mut self, class: usize) -> u32 {
        self.free_leaves[class].pop().unwrap_or_else(|| {
            let number = self.leaves[class];
            self.leaves[class] = next_place(number);
            if self.chunks.path(Link::leaf(class, number)).is_none() {
                Arc::make_mut(&mut self.chunks).grow_leaves(class, number);
            }
            number
        })
    }
}
