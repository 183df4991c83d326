//! What a verifier would save that keeps the top of the state tree: computed, for nothing keeps it yet.
//!
//! Whoever has the hashes of all nodes down to some depth need not be sent those of a column's proof that stand there. In return
//! every block's changes to them have to come from somewhere: the columns that this verifier does not check change them too.

use alloy_primitives::B256;
use ocelli_core::{
    block::AssembledBlock,
    column::ColumnBody,
    key::Key,
    prefix::Prefix,
    tree::Tree,
    wire::{self, WireError},
};
use std::collections::HashSet;

/// Bytes of a hash.
const HASH: usize = 32;

/// A top that is kept.
#[derive(Clone, Copy, Debug)]
pub struct Top {
    /// What it is called.
    pub name: &'static str,
    /// How deep its deepest nodes stand.
    pub depth: u16,
}

/// Those that are computed: all 2^18 nodes down to depth 17 are 8 MB, 2^20 are 32.
pub const TOPS: [Top; 2] = [Top { name: "8mb", depth: 17 }, Top { name: "32mb", depth: 19 }];

/// What it comes to for all columns of one block, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Less to be sent for the columns.
    pub bodies: usize,
    /// More to be sent so that the top stays up to date: the hashes of its deepest nodes that change.
    pub upkeep: usize,
}

/// What keeping `top` saves of a block's columns.
///
/// # Errors
/// [`WireError`] if the columns are none.
pub fn saved(top: Top, block: &AssembledBlock) -> Result<Saved, WireError> {
    let mut hashes = 0;
    for (column, body) in block.manifest.columns.iter().zip(&block.column_bodies) {
        let body: ColumnBody = wire::decode(body, body.len())?;
        let paths = Key::paths(body.keys.iter().map(|key| &key.key));
        // The state after the block has the shape of the one before, but where keys are new: of leaves that they stand beside now,
        // the proof has more than a hash. There are few.
        hashes += proven(&block.state, column.prefix, &paths, top.depth);
    }
    let changed: HashSet<Option<Prefix>> = block.writes.iter().map(|leaf| Prefix::of(&leaf.path, top.depth)).collect();
    Ok(Saved { bodies: HASH * hashes, upkeep: HASH * changed.len() })
}

/// How many hashes the proof of `paths`, which ascend, has under `prefix` that stand no deeper than `depth`.
fn proven(tree: &Tree, prefix: Prefix, paths: &[B256], depth: u16) -> usize {
    let mut ahead = vec![(prefix, paths)];
    let mut hashes = 0;
    while let Some((place, paths)) = ahead.pop() {
        if place.length() >= depth || !tree.subtree(&place).is_inner() {
            continue;
        }
        for half in [false, true].into_iter().filter_map(|right| place.child(right)) {
            let below = half.range_of(paths, |path| path);
            if !below.is_empty() {
                ahead.push((half, below));
            } else if !tree.subtree(&half).is_empty() {
                hashes += 1;
            }
        }
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;
    use ocelli_core::{tree::Leaf, value::Value};

    #[test]
    fn hashes_of_a_proof_are_those_beside_its_paths() {
        let key = |n: u64| Key::Slot(alloy_primitives::Address::ZERO, U256::from(n));
        let leaves: Vec<Leaf> = (0..500).map(|n| Leaf::new(key(n), 1, Value::Slot(U256::from(7)))).collect();
        let mut paths: Vec<B256> = leaves.iter().step_by(9).map(|leaf| leaf.path).collect();
        paths.sort_unstable();
        let mut tree = Tree::default();
        tree.update(leaves);
        let all = wire::encode(&tree.prove(&Prefix::root(), &paths)).len() / HASH;
        let at = |depth| proven(&tree, Prefix::root(), &paths, depth);
        // The shape takes less than a byte a hash.
        assert!(at(256) <= all && all - at(256) < all / HASH + 1, "{} of {all}", at(256));
        assert_eq!(at(0), 0);
        assert!((1..12).all(|depth| at(depth) <= at(depth + 1)) && at(5) < at(256));
    }
}
