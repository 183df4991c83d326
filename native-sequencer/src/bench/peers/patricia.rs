//! Ethereum's Merkle-Patricia trie as the fastest nodes keep it: all nodes in memory across blocks, each with the hash that
//! it had, so that a block hashes only the paths that it changed. The nodes' encodings and hashes are alloy-trie's.
//!
//! There is no deletion: nothing that is measured needs one.

use alloy_primitives::B256;
use alloy_rlp::EMPTY_STRING_CODE;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
};
use rayon::prelude::*;

/// A trie, or the part of one below a place.
#[derive(Debug, Default)]
pub struct Trie {
    node: Node,
    /// What the parent holds of it; none if something below has changed since.
    known: Option<RlpNode>,
}

#[derive(Debug, Default)]
enum Node {
    #[default]
    Empty,
    Leaf(Nibbles, Vec<u8>),
    Extension(Nibbles, Box<Trie>),
    Branch(Box<[Trie; 16]>),
}

impl Trie {
    /// Puts `value` at the end of `path`.
    pub fn insert(&mut self, path: &B256, value: Vec<u8>) {
        self.put(Nibbles::unpack(path), value);
    }

    /// The root's hash. The parts below the root's branch are hashed on all threads.
    pub fn root(&mut self) -> B256 {
        if matches!(self.node, Node::Empty) {
            return EMPTY_ROOT_HASH;
        }
        if let Node::Branch(children) = &mut self.node {
            children.par_iter_mut().for_each(|child| {
                child.encode(&mut Vec::new());
            });
        }
        let mut buffer = Vec::new();
        let root = self.encode(&mut buffer);
        // A trie of one short value is not hashed below; its root is.
        root.as_hash().unwrap_or_else(|| alloy_primitives::keccak256(&root))
    }

    fn put(&mut self, path: Nibbles, value: Vec<u8>) {
        self.known = None;
        self.node = match std::mem::take(&mut self.node) {
            Node::Empty => Node::Leaf(path, value),
            Node::Leaf(old, _) if old == path => Node::Leaf(path, value),
            Node::Leaf(old, old_value) => {
                let common = old.common_prefix_length(&path);
                let mut children = Box::<[Self; 16]>::default();
                child(&mut children, &old, common).put(old.slice(common + 1..), old_value);
                child(&mut children, &path, common).put(path.slice(common + 1..), value);
                under(path.slice(..common), children)
            }
            Node::Extension(old, mut below) => {
                let common = old.common_prefix_length(&path);
                if common == old.len() {
                    below.put(path.slice(common..), value);
                    Node::Extension(old, below)
                } else {
                    let mut children = Box::<[Self; 16]>::default();
                    *child(&mut children, &old, common) = if common + 1 == old.len() {
                        *below
                    } else {
                        Self { node: Node::Extension(old.slice(common + 1..), below), known: None }
                    };
                    child(&mut children, &path, common).put(path.slice(common + 1..), value);
                    under(path.slice(..common), children)
                }
            }
            Node::Branch(mut children) => {
                child(&mut children, &path, 0).put(path.slice(1..), value);
                Node::Branch(children)
            }
        };
    }

    /// What the parent holds of this part: its encoding if that is short, its hash otherwise.
    fn encode(&mut self, buffer: &mut Vec<u8>) -> RlpNode {
        if let Some(known) = &self.known {
            return known.clone();
        }
        let node = match &mut self.node {
            Node::Empty => RlpNode::from_rlp(&[EMPTY_STRING_CODE]),
            Node::Leaf(path, value) => {
                buffer.clear();
                LeafNodeRef::new(path, value).rlp(buffer)
            }
            Node::Extension(path, below) => {
                let below = below.encode(buffer);
                buffer.clear();
                ExtensionNodeRef::new(path, &below).rlp(buffer)
            }
            Node::Branch(children) => {
                let (mut stack, mut mask) = (Vec::with_capacity(16), TrieMask::default());
                for (nibble, child) in children.iter_mut().enumerate() {
                    if !matches!(child.node, Node::Empty) {
                        stack.push(child.encode(buffer));
                        mask.set_bit(nibble as u8);
                    }
                }
                buffer.clear();
                BranchNodeRef::new(&stack, mask).rlp(buffer)
            }
        };
        self.known = Some(node.clone());
        node
    }
}

fn child<'a>(children: &'a mut [Trie; 16], path: &Nibbles, at: usize) -> &'a mut Trie {
    &mut children[usize::from(path.get_unchecked(at) & 15)]
}

/// A branch at the end of `path`.
fn under(path: Nibbles, children: Box<[Trie; 16]>) -> Node {
    if path.is_empty() {
        Node::Branch(children)
    } else {
        Node::Extension(path, Box::new(Trie { node: Node::Branch(children), known: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{U256, keccak256};
    use alloy_rlp::Encodable;
    use alloy_trie::root::storage_root_unsorted;
    use std::collections::BTreeMap;

    #[test]
    fn the_root_is_that_of_alloy_trie_after_every_batch() {
        let (mut trie, mut model) = (Trie::default(), BTreeMap::new());
        assert_eq!(trie.root(), EMPTY_ROOT_HASH);
        for batch in 0_u64..40 {
            for number in 0..batch * batch {
                // Few distinct first bytes, so that paths share prefixes; values written again and again.
                let mut path = keccak256((number % 300).to_be_bytes());
                path.0[..number as usize % 4].fill(0);
                let value = U256::from(batch * 1_000 + number + 1);
                let mut encoded = Vec::new();
                value.encode(&mut encoded);
                trie.insert(&path, encoded);
                model.insert(path, value);
            }
            assert_eq!(trie.root(), storage_root_unsorted(model.clone()), "batch {batch}");
        }
        assert!(model.len() > 200);
    }
}
