//! Versions of a tree that live and die in any order, and leaves of every length.

use super::{
    model,
    paths::{leaf, leaves, sorted, word},
};
use alloy_primitives::{Address, B256, U256};
use ocelli_core::{
    hash::{Backend, keccak256},
    key::Key,
    tree::{Leaf, Tree},
    value::{Account, Value},
};
use proptest::{prelude::*, sample::Index};
use std::collections::BTreeMap;

/// What happens to one of the trees that there are.
#[derive(Clone, Debug)]
enum Event {
    Cloned(Index),
    Updated(Index, Vec<Leaf>),
    Dropped(Index),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => any::<Index>().prop_map(Event::Cloned),
        4 => (any::<Index>(), leaves(0..12)).prop_map(|(tree, leaves)| Event::Updated(tree, leaves)),
        1 => any::<Index>().prop_map(Event::Dropped),
    ]
}

/// A tree with what it has to hold.
type Held = (Tree, BTreeMap<B256, Leaf>);

fn happen(trees: &mut Vec<Held>, event: &Event) {
    match event {
        Event::Cloned(index) => trees.push(trees[index.index(trees.len())].clone()),
        Event::Dropped(index) => {
            let index = index.index(trees.len());
            if trees.len() > 1 {
                trees.remove(index);
            }
        }
        Event::Updated(index, writes) => {
            let index = index.index(trees.len());
            let (tree, held) = &mut trees[index];
            tree.update(sorted(writes));
            held.extend(writes.iter().map(|leaf| (leaf.path, *leaf)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_cloned_updated_and_dropped_each_tree_holds_its_own(events in prop::collection::vec(event(), 0..40)) {
        let mut trees = vec![(Tree::new(), BTreeMap::new())];
        for event in &events {
            happen(&mut trees, event);
        }
        for (tree, held) in &trees {
            let held: Vec<Leaf> = held.values().copied().collect();
            prop_assert!(tree.iter().eq(held.iter().copied()));
            prop_assert_eq!(tree.root().0, model::subtree(&held, 0));
            prop_assert_eq!(tree.len(), held.len());
        }
    }

    #[test]
    fn every_backend_gives_the_same_tree(batches in prop::collection::vec(leaves(0..30), 1..4)) {
        let trees = Backend::available().map(|backend| {
            let mut tree = Tree::new();
            batches.iter().for_each(|batch| tree.update_by(backend, sorted(batch)));
            tree
        });
        let roots: Vec<_> = trees.map(|tree| tree.root()).collect();
        let held: BTreeMap<B256, Leaf> = batches.iter().flatten().map(|leaf| (leaf.path, *leaf)).collect();
        let root = model::subtree(&held.into_values().collect::<Vec<_>>(), 0);
        prop_assert!(roots.iter().all(|found| found.0 == root));
    }
}

#[test]
fn a_state_is_as_it_was_while_256_later_ones_are_made_of_it() {
    let written = |height: u64| -> Vec<Leaf> {
        let keys = (0..20).map(|n| keccak256((height * height % 97 * 31 + n).to_be_bytes()));
        sorted(&keys.map(|path| leaf(path, height + 1, word(height))).collect::<Vec<_>>())
    };
    let (mut head, mut states) = (Tree::new(), std::collections::VecDeque::new());
    for height in 0..600 {
        // A block that is made and thrown away leaves nothing behind.
        let mut given_up = head.clone();
        given_up.update(written(height + 1));
        drop(given_up);
        head.update(written(height));
        states.push_back((head.clone(), head.root()));
        if states.len() > 256 {
            states.pop_front();
        }
    }
    for (state, root) in states {
        assert_eq!(state.root(), root);
        assert_eq!(model::subtree(&state.iter().collect::<Vec<_>>(), 0), root.0);
    }
}

#[test]
fn an_empty_tree_is_updated_while_a_newer_version_of_it_lives() {
    let (mut older, leaf) = (Tree::new(), leaf(B256::ZERO, 1, word(1)));
    let mut newer = older.clone();
    newer.update(vec![leaf]);
    older.update(vec![leaf]);
    assert_eq!([older.root(), newer.root()], [leaf.hash(); 2]);
}

/// Numbers of every length in bytes.
fn lengths() -> impl Iterator<Item = U256> {
    (0..=32).map(|bytes| if bytes == 0 { U256::ZERO } else { U256::from(0x81) << ((bytes - 1) * 8) })
}

#[test]
fn a_leaf_is_found_as_it_was_written_whatever_its_length() {
    let address = Address::repeat_byte(0xa1);
    for number in lengths() {
        for small in [0, 1, 255, 256, u64::from(u32::MAX), u64::MAX] {
            let account = |code_hash| Value::Account(Account { nonce: small, balance: number, code_hash });
            let leaves = [
                Leaf::new(Key::Account(address), small.max(1), account(B256::ZERO)),
                Leaf::new(Key::Account(address), small.max(1), account(B256::repeat_byte(7))),
                Leaf::new(Key::Slot(address, number), small.max(1), Value::Slot(number)),
                Leaf::new(Key::Slot(address, U256::MAX), small.max(1), Value::Slot(number)),
            ];
            for leaf in leaves {
                let mut tree = Tree::new();
                tree.update(vec![leaf]);
                assert_eq!(tree.get(&leaf.path), Some(leaf));
            }
        }
    }
}
