//! The state tree as its definition says it, without a data structure.

use alloy_primitives::B256;
use ocelli_core::{hash::keccak256, prefix::path_bit, tree::Leaf, value::Value};

fn leaf_hash(leaf: &Leaf) -> B256 {
    let value = match leaf.value {
        Value::Account(account) => {
            [&account.nonce.to_be_bytes()[..], &account.balance.to_be_bytes::<32>(), account.code_hash.as_slice()]
                .concat()
        }
        Value::Slot(word) => word.to_be_bytes::<32>().to_vec(),
    };
    let mut hash = keccak256([leaf.path.as_slice(), &leaf.version.to_be_bytes(), &value].concat());
    hash.0[0] |= 0x80;
    hash
}

/// The hash of a subtree at `depth`, from all leaves that are in it.
pub(crate) fn subtree(leaves: &[Leaf], depth: u16) -> B256 {
    match leaves {
        [] => B256::ZERO,
        [leaf] => leaf_hash(leaf),
        _ => {
            let (right, left): (Vec<Leaf>, Vec<Leaf>) = leaves.iter().partition(|leaf| path_bit(&leaf.path, depth));
            let mut hash = keccak256([subtree(&left, depth + 1), subtree(&right, depth + 1)].concat());
            hash.0[0] &= 0x7f;
            hash
        }
    }
}
