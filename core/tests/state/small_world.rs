//! A world so small that every proof in it can be tried: four paths that differ in their first two bits.

use super::paths::{found, leaf, of, other, proof, word};
use alloy_primitives::B256;
use ocelli_core::{
    prefix::Prefix,
    tree::{Leaf, NodeHash, OtherLeaf, Proof, ProofError, Touched, Tree},
};
use std::collections::BTreeSet;

fn leaf_at(place: u8) -> Leaf {
    let mut path = B256::repeat_byte(0x15);
    path.0[0] |= place << 6;
    leaf(path, 1, word(u64::from(place) + 1))
}

/// Every state: which of the four paths have leaves.
fn states() -> impl Iterator<Item = Tree> {
    (0..16_u8).map(|mask| of(&(0..4).filter(|at| mask & (1 << at) != 0).map(leaf_at).collect::<Vec<_>>()))
}

fn prefixes() -> Vec<Prefix> {
    let halves = [false, true].map(|bit| Prefix::root().child(bit).unwrap());
    [Prefix::root(), halves[0], halves[1]].into()
}

/// Every hash that a node of any state has, and zero.
fn hashes() -> BTreeSet<B256> {
    let hashes = states().flat_map(|tree| prefixes().into_iter().map(move |prefix| tree.subtree(&prefix).0));
    hashes.collect()
}

#[derive(Clone, Default)]
struct Parts {
    bits: Vec<bool>,
    siblings: Vec<NodeHash>,
    leaves: Vec<OtherLeaf>,
}

impl Parts {
    fn bits(bits: &[bool]) -> Self {
        Self { bits: bits.to_vec(), ..Self::default() }
    }

    fn then(&self, next: &Self) -> Self {
        Self {
            bits: [&self.bits[..], &next.bits].concat(),
            siblings: [&self.siblings[..], &next.siblings].concat(),
            leaves: [&self.leaves[..], &next.leaves].concat(),
        }
    }

    fn proof(&self) -> Proof {
        let mut shape = vec![0; self.bits.len().div_ceil(8)];
        for (at, bit) in self.bits.iter().enumerate() {
            shape[at / 8] |= u8::from(*bit) << (7 - at % 8);
        }
        proof(&shape, &self.siblings, &self.leaves)
    }
}

/// Every way to describe the place at `prefix`, true or not.
fn descriptions(prefix: Prefix, paths: &[B256], hashes: &BTreeSet<B256>) -> Vec<Parts> {
    if paths.is_empty() {
        let given = hashes.iter().map(|hash| Parts { siblings: vec![NodeHash(*hash)], ..Parts::bits(&[true]) });
        return given.chain([Parts::bits(&[false])]).collect();
    }
    let mut all = vec![Parts::bits(&[false, false]), Parts::bits(&[false, true])];
    let others = (0..4).map(|at| Parts { leaves: vec![other(&leaf_at(at))], ..Parts::bits(&[true, false]) });
    all.extend(others);
    if prefix.length() < 2 {
        let [left, right] = [false, true].map(|bit| {
            let half = prefix.child(bit).unwrap();
            let paths: Vec<B256> = paths.iter().copied().filter(|path| half.contains(path)).collect();
            descriptions(half, &paths, hashes)
        });
        let inner = Parts::bits(&[true, true]);
        all.extend(left.iter().flat_map(|left| right.iter().map(|right| inner.then(left).then(right))));
    }
    all
}

/// Every proof for `paths` under `prefix`.
fn proofs(prefix: Prefix, paths: &[B256], hashes: &BTreeSet<B256>) -> Vec<Proof> {
    if !paths.is_empty() {
        return descriptions(prefix, paths, hashes).iter().map(Parts::proof).collect();
    }
    let leaves = (0..4).map(|at| Parts { leaves: vec![other(&leaf_at(at))], ..Parts::default() });
    leaves.chain([Parts::default()]).map(|parts| parts.proof()).collect()
}

/// Tries every proof for every claim about `places`, under every prefix and under the root of every state.
fn try_every_proof(places: &[u8]) {
    let hashes = hashes();
    for prefix in prefixes() {
        let places: Vec<u8> = places.iter().copied().filter(|at| prefix.contains(&leaf_at(*at).path)).collect();
        let paths: Vec<B256> = places.iter().map(|at| leaf_at(*at).path).collect();
        let proofs = proofs(prefix, &paths, &hashes);
        for present in 0..1_u8 << places.len() {
            let claim = |(at, path): (usize, &B256)| match present & (1 << at) {
                0 => Touched { path: *path, version: 0, value: word(0) },
                _ => Touched { path: *path, version: 1, value: word(u64::from(places[at]) + 1) },
            };
            let touched: Vec<Touched> = paths.iter().enumerate().map(claim).collect();
            for tree in states() {
                let opened: Vec<&Proof> = proofs
                    .iter()
                    .filter(|proof| proof.open(&prefix, tree.subtree(&prefix), &touched).is_ok())
                    .collect();
                let honest = tree.prove(&prefix, &paths);
                let is_true = touched.iter().all(|claim| *claim == found(&tree, claim.path));
                assert_eq!(opened, if is_true { vec![&honest] } else { vec![] }, "{prefix:?} {touched:?}");
            }
        }
    }
}

#[test]
fn a_true_claim_has_one_proof_and_a_false_one_has_none() {
    for places in [&[][..], &[0], &[1], &[2], &[3], &[0, 1], &[2, 3], &[1, 2], &[0, 2, 3]] {
        try_every_proof(places);
    }
}

#[test]
fn a_leaf_moved_into_the_empty_neighbour_range_is_found_out() {
    // `combine(0, leaf) = combine(leaf, 0)`: the root of the whole is the same, so the ranges must open the leaf.
    let leaf = leaf_at(0);
    let tree = of(&[leaf]);
    let [left, right] = [false, true].map(|bit| Prefix::root().child(bit).unwrap());
    let absent = Touched { path: leaf.path, version: 0, value: word(0) };
    assert_eq!(
        tree.prove(&left, &[leaf.path]).open(&left, NodeHash::EMPTY, &[absent]).err(),
        Some(ProofError::Presence)
    );
    assert!(Proof::default().open(&left, NodeHash::EMPTY, &[]).is_ok());
    let moved = proof(&[], &[], &[other(&leaf)]);
    assert!(moved.open(&left, leaf.hash(), &[]).is_ok());
    assert_eq!(moved.open(&right, leaf.hash(), &[]).err(), Some(ProofError::OtherLeaf));
    assert_eq!(Proof::default().open(&right, leaf.hash(), &[]).err(), Some(ProofError::CutShort));
    let beside = Touched { path: leaf_at(2).path, version: 0, value: word(0) };
    assert_eq!(
        proof(&[0b1000_0000], &[], &[other(&leaf)]).open(&right, leaf.hash(), &[beside]).err(),
        Some(ProofError::OtherLeaf)
    );
}

#[test]
fn a_leaf_does_not_hide_beside_an_empty_half() {
    let [here, there] = [leaf_at(0), leaf_at(2)];
    let absent = Touched { path: here.path, version: 0, value: word(0) };
    let hidden = NodeHash::inner(NodeHash::EMPTY, there.hash());
    // Inner, left: empty, right: a hash.
    assert_eq!(
        proof(&[0b1100_1000], &[there.hash()], &[]).open(&Prefix::root(), hidden, &[absent]).err(),
        Some(ProofError::LoneLeaf)
    );
    // Inner, left: the touched leaf, right: empty.
    let lone = NodeHash::inner(here.hash(), NodeHash::EMPTY);
    let present = Touched { path: here.path, version: 1, value: here.value };
    assert_eq!(
        proof(&[0b1101_0000], &[], &[]).open(&Prefix::root(), lone, &[present]).err(),
        Some(ProofError::LoneLeaf)
    );
    // Inner, left: empty, right: empty.
    let nothing = NodeHash::inner(NodeHash::EMPTY, NodeHash::EMPTY);
    assert_eq!(
        proof(&[0b1100_0000], &[], &[]).open(&Prefix::root(), nothing, &[absent]).err(),
        Some(ProofError::LoneLeaf)
    );
}

#[test]
fn each_rule_has_its_refusal() {
    let [a, b] = [leaf_at(0), leaf_at(1)];
    let root = Prefix::root();
    let tree = of(&[a, b]);
    let claim = |leaf: &Leaf| Touched { path: leaf.path, version: leaf.version, value: leaf.value };
    let absent = Touched { path: a.path, version: 0, value: word(0) };
    let refused = |proof: &Proof, touched: &[Touched]| proof.open(&root, tree.root(), touched).err();
    let honest = tree.prove(&root, &[a.path]);
    assert_eq!(refused(&honest, &[claim(&a)]), None);
    assert_eq!(refused(&honest, &[claim(&b), claim(&a)]), Some(ProofError::NotAscending));
    assert_eq!(refused(&honest, &[claim(&a), claim(&a)]), Some(ProofError::NotAscending));
    assert_eq!(refused(&honest, &[Touched { value: word(1), ..absent }]), Some(ProofError::ValueWithoutVersion));
    assert_eq!(refused(&honest, &[absent]), Some(ProofError::Presence));
    assert_eq!(refused(&honest, &[Touched { version: 2, ..claim(&a) }]), Some(ProofError::WrongRoot));
    let right = root.child(true).unwrap();
    assert_eq!(honest.open(&right, tree.root(), &[claim(&a)]).err(), Some(ProofError::Outside));
    assert_eq!(refused(&proof(&[], &[], &[]), &[claim(&a)]), Some(ProofError::CutShort));
    // Inner; left: inner; left of that: the touched leaf, right of it: a hash; right: empty.
    assert_eq!(honest, proof(&[0b1111_0110], &[b.hash()], &[]));
    assert_eq!(refused(&proof(&[0b1111_0110], &[], &[]), &[claim(&a)]), Some(ProofError::NoHash));
    assert_eq!(refused(&proof(&[0b1111_0110], &[NodeHash::EMPTY], &[]), &[claim(&a)]), Some(ProofError::NoHash));
    assert_eq!(refused(&proof(&[0b1111_0110, 0], &[b.hash()], &[]), &[claim(&a)]), Some(ProofError::LeftOver));
    assert_eq!(refused(&proof(&[0b1111_0110], &[b.hash(), b.hash()], &[]), &[claim(&a)]), Some(ProofError::LeftOver));
    assert_eq!(refused(&proof(&[0b1111_0110], &[b.hash()], &[other(&b)]), &[claim(&a)]), Some(ProofError::LeftOver));
    // With both leaves touched, seven bits to fill up the second byte.
    let both = tree.prove(&root, &[a.path, b.path]);
    assert_eq!(both, proof(&[0b1111_0101, 0], &[], &[]));
    assert_eq!(refused(&both, &[claim(&a), claim(&b)]), None);
    for bit in 0..7 {
        let filled = proof(&[0b1111_0101, 1 << bit], &[], &[]);
        assert_eq!(refused(&filled, &[claim(&a), claim(&b)]), Some(ProofError::LeftOver));
    }
    // A leaf that was never written is none, even under a root that has it.
    let never = Leaf { version: 0, ..b };
    let found_never = proof(&[0b1000_0000], &[], &[other(&never)]);
    assert_eq!(found_never.open(&root, never.hash(), &[absent]).err(), Some(ProofError::OtherLeaf));
}
