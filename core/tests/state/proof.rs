//! Multiproofs: what is true opens and can be updated, and nothing else opens.

use super::paths::{found, graft, leaf, leaves, of, proof, route, value, word};
use alloy_primitives::B256;
use ocelli_core::{
    hash::keccak256,
    prefix::Prefix,
    tree::{NodeHash, OtherLeaf, Proof, ProofError, Touched, Tree},
    value::{Value, Version},
    wire,
};
use proptest::{prelude::*, sample::Index};
use std::collections::BTreeMap;

type After = Vec<Option<(Version, Value)>>;

const LIMIT: usize = 1 << 20;

/// A tree, a place in it, touched paths below that, and what is written to them.
#[derive(Clone, Debug)]
struct Case {
    tree: Tree,
    prefix: Prefix,
    touched: Vec<Touched>,
    after: After,
}

impl Case {
    fn root(&self) -> NodeHash {
        self.tree.subtree(&self.prefix)
    }

    fn prove(&self) -> Proof {
        let paths: Vec<B256> = self.touched.iter().map(|touched| touched.path).collect();
        self.tree.prove(&self.prefix, &paths)
    }

    /// The tree with everything written.
    fn updated(&self) -> Tree {
        let written = self.touched.iter().zip(&self.after);
        let written = written.filter_map(|(touched, after)| Some(leaf(touched.path, (*after)?.0, (*after)?.1)));
        let mut tree = self.tree.clone();
        tree.update(written.collect());
        tree
    }
}

fn case(most_leaves: usize, most_touched: usize) -> impl Strategy<Value = Case> {
    let touched = prop::collection::vec((route(), prop::option::of(value())), 0..most_touched);
    (leaves(0..most_leaves), route(), touched).prop_map(|(leaves, place, touched)| {
        let mut tree = Tree::new();
        tree.update(leaves);
        let paths: Vec<B256> = tree.iter().map(|leaf| leaf.path).collect();
        let prefix = place.prefix_from(&paths);
        // Touched paths leave one another too, so that inserts meet deep below the tree's own leaves.
        let mut known: Vec<B256> = paths.into_iter().filter(|path| prefix.contains(path)).collect();
        let mut chosen = BTreeMap::new();
        for (route, after) in touched {
            let path = graft(&prefix, &route.from(&known));
            known.push(path);
            chosen.insert(path, after);
        }
        let touched: Vec<Touched> = chosen.keys().map(|path| found(&tree, *path)).collect();
        let after = touched.iter().zip(chosen.values());
        let after = after.map(|(touched, after)| after.map(|value| (touched.version + 1, value))).collect();
        Case { tree, prefix, touched, after }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_a_tree_proves_opens_and_is_updated_like_the_tree(case in case(30, 12)) {
        let proof = case.prove();
        let encoded = wire::encode(&proof);
        prop_assert_eq!(wire::decode::<Proof>(&encoded, LIMIT), Ok(proof.clone()));
        let opened = proof.open(&case.prefix, case.root(), &case.touched);
        let opened = opened.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        prop_assert_eq!(opened.root_after(&[]), case.root());
        prop_assert_eq!(opened.root_after(&case.after), case.updated().subtree(&case.prefix));
    }

    #[test]
    fn a_claim_that_is_not_true_does_not_open(
        case in case(30, 12), at in any::<Index>(), value in value(), version in 0_u64..9,
    ) {
        prop_assume!(!case.touched.is_empty());
        let mut touched = case.touched.clone();
        let at = at.index(touched.len());
        let value = if version == 0 { word(0) } else { value };
        touched[at] = Touched { path: touched[at].path, version, value };
        let same = touched[at] == case.touched[at] || version == 0 && case.touched[at].version == 0;
        let opened = case.prove().open(&case.prefix, case.root(), &touched).is_ok();
        prop_assert_eq!(opened, same);
    }

    #[test]
    fn a_proof_is_for_one_hash_and_one_list_of_paths(
        case in case(30, 12), at in any::<Index>(), hash in any::<[u8; 32]>(),
    ) {
        let proof = case.prove();
        if !case.touched.is_empty() || case.root().is_leaf() {
            let other_roots = [NodeHash(B256::new(hash)), NodeHash::EMPTY, case.updated().subtree(&case.prefix)];
            for root in other_roots.into_iter().filter(|root| *root != case.root()) {
                prop_assert!(proof.open(&case.prefix, root, &case.touched).is_err());
            }
        }
        if !case.touched.is_empty() {
            let mut fewer = case.touched.clone();
            let gone = fewer.remove(at.index(fewer.len()));
            // An absent path that leads where others lead leaves no trace in the proof.
            let opened = proof.open(&case.prefix, case.root(), &fewer).is_ok();
            prop_assert!(!opened || gone.version == 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_proof_with_any_bit_flipped_is_refused(case in case(16, 6)) {
        let encoded = wire::encode(&case.prove());
        for bit in 0..encoded.len() * 8 {
            let mut flipped = encoded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(proof) = wire::decode::<Proof>(&flipped, LIMIT) else { continue };
            prop_assert!(proof.open(&case.prefix, case.root(), &case.touched).is_err(), "bit {}", bit);
        }
    }

    #[test]
    fn a_proof_with_a_part_more_or_less_is_refused(case in case(16, 6), hash in any::<[u8; 32]>()) {
        let proof = case.prove();
        let (shape, siblings, leaves): (Vec<u8>, Vec<u8>, Vec<OtherLeaf>) =
            wire::decode(&wire::encode(&proof), LIMIT).unwrap();
        let siblings: Vec<NodeHash> = siblings.chunks(32).map(|hash| NodeHash(B256::from_slice(hash))).collect();
        let extra = OtherLeaf { path: B256::new(hash), version: 1, value: word(1) };
        let mut variants = vec![
            super::paths::proof(&[&shape[..], &[0]].concat(), &siblings, &leaves),
            super::paths::proof(&shape, &[&siblings[..], &[NodeHash(B256::new(hash))]].concat(), &leaves),
            super::paths::proof(&shape, &siblings, &[&leaves[..], &[extra]].concat()),
        ];
        if let Some((_, shape)) = shape.split_last() {
            variants.push(super::paths::proof(shape, &siblings, &leaves));
        }
        if let Some((_, siblings)) = siblings.split_last() {
            variants.push(super::paths::proof(&shape, siblings, &leaves));
        }
        if let Some((_, leaves)) = leaves.split_last() {
            variants.push(super::paths::proof(&shape, &siblings, leaves));
        }
        for variant in variants {
            prop_assert!(variant.open(&case.prefix, case.root(), &case.touched).is_err());
        }
    }
}

#[test]
fn no_proof_goes_below_the_last_bit() {
    let path = B256::repeat_byte(7);
    let whole = Prefix::of(&path, 256).unwrap();
    let touched = [Touched { path, version: 0, value: word(0) }];
    let inner = NodeHash::inner(leaf(B256::ZERO, 1, word(1)).hash(), leaf(B256::with_last_byte(1), 1, word(1)).hash());
    assert_eq!(proof(&[0xff], &[], &[]).open(&whole, inner, &touched).err(), Some(ProofError::TooDeep));
    assert_eq!(Proof::default().open(&whole, inner, &[]).err(), Some(ProofError::TooDeep));
    let endless = proof(&[0xff; 1 << 12], &[inner; 1 << 10], &[]);
    assert!(endless.open(&Prefix::root(), inner, &touched).is_err());
}

#[test]
fn any_number_of_paths_is_proved_and_updated() {
    let path = |number: u64| keccak256(number.to_be_bytes());
    let tree = of(&(0..1_000).map(|number| leaf(path(number), 1, word(number))).collect::<Vec<_>>());
    for count in [1, 31, 32, 33, 64, 300, 999] {
        // Every other one has no leaf.
        let mut paths: Vec<B256> = (0..count).map(|number| path(number / 2 + 1_000 * (number % 2))).collect();
        paths.sort_unstable();
        let touched: Vec<Touched> = paths.iter().map(|path| found(&tree, *path)).collect();
        let proof = tree.prove(&Prefix::root(), &paths);
        let opened = proof.open(&Prefix::root(), tree.root(), &touched).unwrap();
        let after: After = (0..count).map(|number| Some((2, word(number)))).collect();
        let written = paths.iter().zip(&after).filter_map(|(path, after)| Some(leaf(*path, (*after)?.0, (*after)?.1)));
        let mut updated = tree.clone();
        updated.update(written.collect());
        assert_eq!(opened.root_after(&after), updated.root());
    }
}

#[test]
fn the_deepest_proof_opens_on_a_small_stack() {
    let run = || {
        let mut pair = [leaf(B256::repeat_byte(6), 1, word(1)), leaf(B256::repeat_byte(6), 1, word(2))];
        pair[1].path.0[31] ^= 1;
        let mut tree = of(&pair[..1]);
        let touched = pair.map(|leaf| found(&tree, leaf.path));
        let proof = tree.prove(&Prefix::root(), &pair.map(|leaf| leaf.path));
        let after = pair.map(|leaf| Some((leaf.version, leaf.value)));
        let root_after = proof.open(&Prefix::root(), tree.root(), &touched).unwrap().root_after(&after);
        tree.update(pair.to_vec());
        assert_eq!(root_after, tree.root());
        let touched = pair.map(|leaf| found(&tree, leaf.path));
        let proof = tree.prove(&Prefix::root(), &pair.map(|leaf| leaf.path));
        assert!(proof.open(&Prefix::root(), tree.root(), &touched).is_ok());
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}
