//! Merkle trees against the recursive definitions of RFC 6962, section 2.1, and against altered proofs.

use alloy_primitives::{B256, b256};
use ocelli_core::{
    hash::keccak256,
    limits::LOG_LEAVES,
    merkle::{self, EMPTY_ROOT, Frontier},
    wire,
};
use proptest::prelude::*;

/// The RFC's definitions, word for word.
mod rfc6962 {
    use super::*;

    fn split(n: usize) -> usize {
        n.next_power_of_two() / 2
    }

    fn node(left: B256, right: B256) -> B256 {
        keccak256([&[1], left.as_slice(), right.as_slice()].concat())
    }

    pub(super) fn mth(d: &[B256]) -> B256 {
        match d {
            [] => keccak256([]),
            [leaf] => *leaf,
            _ => node(mth(&d[..split(d.len())]), mth(&d[split(d.len())..])),
        }
    }

    pub(super) fn path(m: usize, d: &[B256]) -> Vec<B256> {
        if d.len() <= 1 {
            return vec![];
        }
        let k = split(d.len());
        let (mut path, sibling) =
            if m < k { (path(m, &d[..k]), mth(&d[k..])) } else { (path(m - k, &d[k..]), mth(&d[..k])) };
        path.push(sibling);
        path
    }

    pub(super) fn subproof(m: usize, d: &[B256], complete: bool) -> Vec<B256> {
        if m == d.len() {
            return if complete { vec![] } else { vec![mth(d)] };
        }
        let k = split(d.len());
        let (mut proof, sibling) = if m <= k {
            (subproof(m, &d[..k], complete), mth(&d[k..]))
        } else {
            (subproof(m - k, &d[k..], false), mth(&d[..k]))
        };
        proof.push(sibling);
        proof
    }
}

fn leaves(n: usize) -> Vec<B256> {
    (0..n).map(|i| merkle::leaf_hash(&(i as u64).to_be_bytes())).collect()
}

/// Every way to lengthen, shorten, reorder or alter a list of hashes by one step.
fn altered(proof: &[B256]) -> Vec<Vec<B256>> {
    let mut all = vec![];
    for at in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[at].0[at % 32] ^= 1;
        all.push(changed);
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        all.push(shorter);
    }
    for at in 0..=proof.len() {
        let mut longer = proof.to_vec();
        longer.insert(at, keccak256([7]));
        all.push(longer);
    }
    all
}

#[test]
fn leaves_and_nodes_are_told_apart_by_their_first_byte() {
    assert_eq!(merkle::leaf_hash(b"ocelli"), keccak256(b"\0ocelli"));
    let [left, right] = [keccak256([1]), keccak256([2])];
    assert_eq!(merkle::root(&[left, right]), keccak256([&[1], left.as_slice(), right.as_slice()].concat()));
    assert_eq!(merkle::root(&[left]), left);
    assert_eq!(merkle::root(&[]), keccak256(b""));
    assert_eq!(EMPTY_ROOT, keccak256(b""));
    let seven = b256!("7a1bbfa6c451d8c6eeb4832cb0c9bf40cc6c1e14b8b264bb37cfbb1771bad2b3");
    assert_eq!(merkle::root(&leaves(7)), seven);
}

#[test]
fn roots_paths_and_consistency_proofs_are_those_of_rfc_6962() {
    for n in 0..=66 {
        let d = leaves(n);
        let tree = merkle::paths(&d);
        assert_eq!(merkle::root(&d), rfc6962::mth(&d));
        assert_eq!(tree.root(), rfc6962::mth(&d));
        assert_eq!(tree.len(), n);
        assert_eq!(tree.leaf(n), None);
        for i in 0..n {
            assert_eq!(tree.leaf(i), Some(d[i]));
            assert_eq!(tree.path(i), rfc6962::path(i, &d), "path of {i} of {n}");
        }
        for older in 1..n {
            assert_eq!(tree.consistency(older), rfc6962::subproof(older, &d, true), "{older} of {n}");
        }
    }
    assert_eq!(merkle::path(&leaves(7), 3), rfc6962::path(3, &leaves(7)));
}

#[test]
fn a_path_proves_its_leaf_at_its_index_in_its_tree_and_nothing_else() {
    for n in 1..=20_usize {
        let d = leaves(n);
        let (tree, root) = (merkle::paths(&d), merkle::root(&d));
        for (i, leaf) in d.iter().enumerate() {
            let path = tree.path(i);
            let verify = |leaf: &B256, index: usize, size: usize, path: &[B256]| {
                merkle::verify_path(&root, leaf, index as u64, size as u64, path)
            };
            assert!(verify(leaf, i, n, &path));
            for other in (0..=n + 1).filter(|other| *other != i) {
                assert!(!verify(leaf, other, n, &path), "leaf {i} of {n} at {other}");
            }
            for path in altered(&path) {
                assert!(!verify(leaf, i, n, &path));
            }
            assert!(!verify(&keccak256([9]), i, n, &path));
        }
        assert!(tree.path(n).is_empty());
    }
}

#[test]
fn a_consistency_proof_holds_for_its_two_logs_and_no_others() {
    let d = leaves(20);
    for newer in 0..=20_usize {
        let (tree, newer_root) = (merkle::paths(&d[..newer]), merkle::root(&d[..newer]));
        for older in 0..=newer {
            let older_root = merkle::root(&d[..older]);
            let verify = |older_root: &B256, older: usize, newer: usize, proof: &[B256]| {
                merkle::verify_consistency(older_root, older as u64, &newer_root, newer as u64, proof)
            };
            let proof = tree.consistency(older);
            assert!(verify(&older_root, older, newer, &proof), "{older} of {newer}");
            for proof in altered(&proof) {
                assert!(!verify(&older_root, older, newer, &proof));
            }
            assert!(!verify(&keccak256([9]), older, newer, &proof));
            for other in (0..=20).filter(|other| *other != older) {
                assert!(!verify(&older_root, other, newer, &proof), "{older} as {other} of {newer}");
            }
        }
    }
}

#[test]
fn a_log_that_was_rewritten_has_no_consistency_proof() {
    let d = leaves(13);
    for older in 1..13 {
        let mut rewritten = d.clone();
        rewritten[older - 1] = keccak256([9]);
        let proof = merkle::paths(&rewritten).consistency(older);
        let (older_root, newer_root) = (merkle::root(&d[..older]), merkle::root(&rewritten));
        assert!(!merkle::verify_consistency(&older_root, older as u64, &newer_root, 13, &proof));
    }
}

#[test]
fn hostile_sizes_are_refused_in_few_steps() {
    let hash = keccak256([1]);
    let long = vec![hash; 1_000];
    for size in [u64::MAX, 1 << 63, (1 << 63) + 1] {
        for index in [0, 1, size / 2, size - 1, size, u64::MAX] {
            for length in [0, 63, 64, 65, 1_000] {
                assert!(!merkle::verify_path(&hash, &hash, index, size, &long[..length]));
                let consistent = merkle::verify_consistency(&hash, index, &hash, size, &long[..length]);
                assert_eq!(consistent, index == size && length == 0);
            }
        }
    }
}

#[test]
fn a_frontier_and_a_growing_tree_follow_the_log() {
    let d = leaves(70);
    let (mut frontier, mut growing) = (Frontier::default(), merkle::Paths::default());
    for n in 0..d.len() {
        assert_eq!(frontier.size(), n as u64);
        assert_eq!(frontier.root(), merkle::root(&d[..n]));
        assert_eq!(growing, merkle::paths(&d[..n]));
        assert_eq!(Frontier::new(n as u64, frontier.peaks().to_vec()), Some(frontier.clone()));
        assert_eq!(wire::decode::<Frontier>(&wire::encode(&frontier), 1 << 10).as_ref(), Ok(&frontier));
        frontier.append(d[n]);
        growing.append(d[n]);
    }
}

#[test]
fn a_frontier_has_as_many_peaks_as_its_size_has_ones() {
    let peaks = vec![keccak256([1]); 64];
    assert_eq!(Frontier::new(5, peaks[..1].to_vec()), None);
    assert_eq!(Frontier::new(5, peaks[..3].to_vec()), None);
    assert_eq!(Frontier::new(u64::MAX, peaks.clone()), None);
    assert_eq!(Frontier::new(LOG_LEAVES + 1, peaks[..2].to_vec()), None);
    let mut full = Frontier::new(LOG_LEAVES, peaks[..1].to_vec()).unwrap();
    full.append(peaks[0]);
    assert_eq!(full.peaks().len(), 2);
    // Encoded by hand: a size of five with one peak.
    let bytes = [&[wire::VERSION, 5, 1][..], peaks[0].as_slice()].concat();
    assert!(wire::decode::<Frontier>(&bytes, 1 << 10).is_err());
}

proptest! {
    #[test]
    fn large_trees_agree_with_the_definition(n in 0_usize..2_000, at in any::<prop::sample::Index>()) {
        let d = leaves(n);
        let (tree, root) = (merkle::paths(&d), rfc6962::mth(&d));
        prop_assert_eq!(tree.root(), root);
        if n > 0 {
            let i = at.index(n);
            prop_assert!(merkle::verify_path(&root, &d[i], i as u64, n as u64, &tree.path(i)));
            let older = merkle::root(&d[..i]);
            prop_assert!(merkle::verify_consistency(&older, i as u64, &root, n as u64, &tree.consistency(i)));
        }
    }
}
