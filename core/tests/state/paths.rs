//! Trees, leaves, claims and proofs, made by hand and generated.
//!
//! Generated paths meet deep in the tree as often as near its root.

use alloy_primitives::{Address, B256, U256};
use ocelli_core::{
    key::Key,
    prefix::Prefix,
    tree::{Leaf, NodeHash, OtherLeaf, Proof, Touched, Tree},
    value::{Account, Value},
    wire,
};
use proptest::{prelude::*, sample::Index};
use std::collections::BTreeMap;

/// A way to a path: up to a depth along another one, then on its own.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    along: Index,
    until: u16,
    then: [u8; 32],
}

pub(crate) fn route() -> impl Strategy<Value = Route> {
    let until = prop_oneof![4 => 0_u16..6, 2 => 0_u16..256, 1 => 248_u16..256, 1 => Just(256)];
    (any::<Index>(), until, any::<[u8; 32]>()).prop_map(|(along, until, then)| Route { along, until, then })
}

impl Route {
    /// The path that leaves one of `paths` at the route's depth; at 256 it is that path itself.
    pub(crate) fn from(&self, paths: &[B256]) -> B256 {
        if paths.is_empty() {
            return B256::new(self.then);
        }
        let mut path = paths[self.along.index(paths.len())];
        for depth in self.until..256 {
            let (byte, mask) = (usize::from(depth / 8), 0x80_u8 >> (depth % 8));
            let kept = if depth == self.until { !path[byte] } else { self.then[byte] };
            path.0[byte] = path[byte] & !mask | kept & mask;
        }
        path
    }

    /// The first bits of one of `paths`, cut at the route's depth.
    pub(crate) fn prefix_from(&self, paths: &[B256]) -> Prefix {
        let path = if paths.is_empty() { B256::new(self.then) } else { paths[self.along.index(paths.len())] };
        Prefix::of(&path, self.until).unwrap()
    }
}

/// `path` with its first bits replaced by `prefix`.
pub(crate) fn graft(prefix: &Prefix, path: &B256) -> B256 {
    let kept = Prefix::of(path, prefix.length()).unwrap().bits();
    *path ^ kept ^ prefix.bits()
}

/// Paths, each of which leaves one before it at some depth; some occur twice.
pub(crate) fn paths(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<B256>> {
    prop::collection::vec(route(), count).prop_map(|routes| {
        routes.iter().fold(vec![], |mut paths, route| {
            paths.push(route.from(&paths));
            paths
        })
    })
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let account = (any::<u64>(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(nonce, balance, code)| {
        Value::Account(Account { nonce, balance: U256::from(balance), code_hash: B256::new(code) })
    });
    let slot = prop_oneof![Just(0), any::<u64>()].prop_map(|word| Value::Slot(U256::from(word)));
    prop_oneof![account, slot]
}

/// A leaf at `path`, whose key need not hash to it.
pub(crate) fn leaf(path: B256, version: u64, value: Value) -> Leaf {
    Leaf { path, key: Key::Account(Address::ZERO), version, value }
}

/// Leaves at `paths`, the last one first written where a path occurs twice.
pub(crate) fn leaves(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Leaf>> {
    (paths(count.clone()), prop::collection::vec((1_u64..9, value()), count)).prop_map(|(paths, contents)| {
        paths.into_iter().zip(contents).map(|(path, (version, value))| leaf(path, version, value)).collect()
    })
}

pub(crate) fn word(word: u64) -> Value {
    Value::Slot(U256::from(word))
}

/// Leaves in the order in which a tree wants them; of several at one path the last.
pub(crate) fn sorted(writes: &[Leaf]) -> Vec<Leaf> {
    writes.iter().map(|leaf| (leaf.path, *leaf)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// The tree of `leaves`.
pub(crate) fn of(leaves: &[Leaf]) -> Tree {
    let mut tree = Tree::new();
    tree.update(sorted(leaves));
    tree
}

/// What `tree` holds at `path`.
pub(crate) fn found(tree: &Tree, path: B256) -> Touched {
    let leaf = tree.get(&path);
    Touched { path, version: leaf.map_or(0, |leaf| leaf.version), value: leaf.map_or(word(0), |leaf| leaf.value) }
}

/// A proof made of parts, by way of its encoding.
pub(crate) fn proof(shape: &[u8], siblings: &[NodeHash], leaves: &[OtherLeaf]) -> Proof {
    let siblings: Vec<u8> = siblings.iter().flat_map(|hash| hash.0).collect();
    wire::decode(&wire::encode(&(shape, siblings, leaves)), 1 << 20).unwrap()
}

pub(crate) fn other(leaf: &Leaf) -> OtherLeaf {
    OtherLeaf { path: leaf.path, version: leaf.version, value: leaf.value }
}
