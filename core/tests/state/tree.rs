//! The state tree against its definition.

use super::{
    model,
    paths::{leaf, leaves, of, route, sorted, word},
};
use alloy_primitives::{Address, B256, U256, b256};
use ocelli_core::{
    hash::keccak256,
    key::Key,
    prefix::Prefix,
    tree::{Leaf, NodeHash, Tree, combine},
    value::{Account, Value},
    wire,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn no_leaf_is_zero_and_one_leaf_is_its_own_hash() {
    assert_eq!(Tree::new().root(), NodeHash::EMPTY);
    assert!(Tree::new().is_empty() && Tree::new().iter().next().is_none());
    let one = Leaf::new(Key::Account(Default::default()), 1, Value::absent(&Key::Account(Default::default())));
    assert_eq!(one.path, one.key.path());
    assert_eq!(of(&[one]).root(), one.hash());
    assert!(one.hash().is_leaf() && !one.hash().is_inner() && !one.hash().is_empty());
}

#[test]
fn a_lone_leaf_rises_and_everything_else_keeps_its_half() {
    let a = leaf(B256::ZERO, 1, word(1)).hash();
    let b = leaf(B256::repeat_byte(0xff), 1, word(2)).hash();
    let inner = combine(a, b);
    assert!(inner.is_inner());
    assert_eq!(combine(NodeHash::EMPTY, NodeHash::EMPTY), NodeHash::EMPTY);
    assert_eq!([combine(a, NodeHash::EMPTY), combine(NodeHash::EMPTY, a)], [a, a]);
    assert_ne!(combine(a, b), combine(b, a));
    assert_ne!(combine(inner, NodeHash::EMPTY), combine(NodeHash::EMPTY, inner));
    assert!(combine(inner, NodeHash::EMPTY).is_inner());
    assert_ne!(combine(inner, NodeHash::EMPTY), inner);
}

#[test]
fn version_and_value_and_path_are_all_in_a_leaf_hash() {
    let base = leaf(B256::ZERO, 1, word(1));
    let others = [
        leaf(B256::with_last_byte(1), 1, word(1)),
        leaf(B256::ZERO, 2, word(1)),
        leaf(B256::ZERO, 1, word(2)),
        leaf(B256::ZERO, 1, Value::Account(Default::default())),
    ];
    assert!(others.iter().all(|other| other.hash() != base.hash()));
}

#[test]
fn the_last_write_to_a_path_counts_when_writes_are_out_of_order() {
    let [first, second] = [leaf(B256::ZERO, 1, word(1)), leaf(B256::ZERO, 2, word(2))];
    let beside = leaf(B256::repeat_byte(9), 1, word(3));
    let mut tree = Tree::new();
    tree.update(vec![beside, first, second]);
    assert_eq!(tree.root(), of(&[second, beside]).root());
    assert_eq!(tree.len(), 2);
}

#[test]
fn a_clone_is_read_by_another_thread_while_the_tree_is_updated() {
    let leaves: Vec<Leaf> = (0..100).map(|n| leaf(keccak256([n]), 1, word(1))).collect();
    let mut tree = of(&leaves);
    let (clone, root) = (tree.clone(), tree.root());
    let reader = std::thread::spawn(move || model::subtree(&clone.iter().collect::<Vec<_>>(), 0));
    tree.update(sorted(&leaves.iter().map(|leaf| Leaf { version: 2, ..*leaf }).collect::<Vec<_>>()));
    assert_eq!(reader.join().unwrap(), root.0);
    assert_ne!(tree.root(), root);
}

#[test]
fn the_hashes_of_a_state_and_the_bytes_of_a_proof_are_pinned() {
    let account = |n: u8| {
        let account = Account { nonce: 1, balance: U256::from(n), code_hash: keccak256([n]) };
        Leaf::new(Key::Account(Address::with_last_byte(n)), 1, Value::Account(account))
    };
    let slot = |n: u8| Leaf::new(Key::Slot(Address::with_last_byte(n), U256::from(n)), u64::from(n), word(7));
    let leaves: Vec<Leaf> = (1..=50).flat_map(|n| [account(n), slot(n)]).collect();
    let tree = of(&leaves);
    let mut paths: Vec<B256> = leaves[..20].iter().map(|leaf| leaf.path).collect();
    paths.extend((60..70).map(|n| slot(n).path));
    paths.sort();
    let proof = wire::encode(&tree.prove(&Prefix::root(), &paths));
    assert_eq!(account(1).hash().0, b256!("9a847d4beb2ba761754f99ac12e0b8038f0b856c34d87840f9385bdf4da62405"));
    assert_eq!(slot(1).hash().0, b256!("9e8e8507eb701edc0fefce315bb23cb6d9d4cffa77145cb90710703a442cbf4d"));
    assert_eq!(tree.root().0, b256!("4122be759f0c0d3fce6293cbfc45ddc84473fa2979c8cf15e951d850a07070ed"));
    assert_eq!(
        (proof.len(), keccak256(&proof)),
        (1332, b256!("d10c025139514411087d26e9f5020938a3d2abc0cb66f849d8bef585b41d9a64"))
    );
}

#[test]
fn leaves_that_part_at_the_last_bit_are_handled_on_a_small_stack() {
    let run = || {
        let pair = [leaf(B256::repeat_byte(7), 1, word(1)), leaf(B256::repeat_byte(7), 1, word(2))];
        let mut pair = pair;
        pair[1].path.0[31] ^= 1;
        let mut tree = of(&pair[..1]);
        tree.update(sorted(&pair));
        assert_eq!(tree.root().0, model::subtree(&sorted(&pair), 0));
        let kept = tree.clone();
        tree.update(vec![leaf(pair[1].path, 2, word(3))]);
        assert_eq!(kept.get(&pair[1].path), Some(pair[1]));
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(run).unwrap().join().unwrap();
}

proptest! {
    #[test]
    fn the_tree_is_what_its_definition_says(batches in prop::collection::vec(leaves(0..20), 0..5), route in route()) {
        let mut tree = Tree::new();
        let mut model = BTreeMap::new();
        for batch in &batches {
            tree.update(sorted(batch));
            model.extend(batch.iter().map(|leaf| (leaf.path, *leaf)));
        }
        let all: Vec<Leaf> = model.values().copied().collect();
        prop_assert_eq!(tree.root().0, model::subtree(&all, 0));
        prop_assert_eq!(tree.len(), all.len());
        prop_assert!(tree.iter().eq(all.iter().copied()));
        for leaf in &all {
            prop_assert_eq!(tree.get(&leaf.path), Some(*leaf));
        }
        let paths: Vec<B256> = model.keys().copied().collect();
        let path = route.from(&paths);
        prop_assert_eq!(tree.get(&path), model.get(&path).copied());
        let asked: Vec<B256> = paths.into_iter().rev().chain([path]).collect();
        let one_by_one: Vec<Option<Leaf>> = asked.iter().map(|path| tree.get(path)).collect();
        prop_assert_eq!(tree.get_many(&asked), one_by_one);
    }

    #[test]
    fn a_subtree_is_the_tree_of_the_leaves_below_it(leaves in leaves(0..40), route in route()) {
        let all = sorted(&leaves);
        let tree = of(&leaves);
        let paths: Vec<B256> = all.iter().map(|leaf| leaf.path).collect();
        let prefix = route.prefix_from(&paths);
        let below: Vec<Leaf> = all.iter().copied().filter(|leaf| prefix.contains(&leaf.path)).collect();
        prop_assert_eq!(tree.subtree(&prefix).0, model::subtree(&below, prefix.length()));
        prop_assert!(tree.iter_under(&prefix).eq(below.iter().copied()));
        if let (Some(left), Some(right)) = (prefix.child(false), prefix.child(true)) {
            prop_assert_eq!(combine(tree.subtree(&left), tree.subtree(&right)), tree.subtree(&prefix));
        }
        prop_assert_eq!(tree.subtree(&Prefix::root()), tree.root());
    }

    #[test]
    fn leaves_decide_the_root_and_not_how_they_came(leaves in leaves(0..30).prop_shuffle()) {
        let batch = of(&leaves);
        let mut one_by_one = Tree::new();
        let mut shared = Vec::new();
        for leaf in &leaves {
            // Half of the steps find their nodes shared with a clone, the others find them alone.
            if shared.len() % 2 == 0 {
                shared.push(one_by_one.clone());
            } else {
                shared.push(Tree::new());
            }
            one_by_one.update(vec![*leaf]);
        }
        prop_assert_eq!(one_by_one.root(), batch.root());
        prop_assert!(one_by_one.iter().eq(&batch));
    }

    #[test]
    fn a_clone_stays_as_it_was(batches in prop::collection::vec(leaves(0..12), 1..8)) {
        let mut tree = Tree::new();
        let mut kept = vec![];
        for batch in &batches {
            kept.push((tree.clone(), tree.root(), tree.iter().collect::<Vec<_>>()));
            tree.update(sorted(batch));
        }
        for (clone, root, leaves) in kept {
            prop_assert_eq!(clone.root(), root);
            prop_assert_eq!(model::subtree(&leaves, 0), root.0);
            prop_assert!(clone.iter().eq(leaves.iter().copied()));
            prop_assert_eq!(clone.len(), leaves.len());
        }
    }
}
