//! Lies about the state before, on which rows and columns agree and which execution bears out. Only the tree contradicts.

use super::{
    Lie,
    forge::{cut, execute_over, over_false_state, user_rows},
    only,
};
use crate::chain::{State, TestBlock};
use alloy_primitives::U256;
use ocelli_core::{
    access::Access,
    column::ColumnFault,
    evidence::Fault,
    key::Key,
    manifest::RowKind,
    prefix::Prefix,
    tree::{Leaf, NodeHash, ProofError, Tree},
    value::{Account, Value},
    wire,
};

/// The first key that a row of users uses and that is like this, with what it held before the block.
fn leaf_where(block: &TestBlock, holds: impl Fn(&Leaf) -> bool) -> Option<Leaf> {
    let users = block.rows.iter().filter(|row| row.kind == RowKind::User);
    let keys = users.flat_map(|row| &row.effects.accesses).map(|access: &Access| access.key.path());
    keys.into_iter().filter_map(|path| block.before.tree.get(&path)).find(|leaf| holds(leaf))
}

/// Executes the block as if this leaf had been so.
fn leaf_lie(block: &mut TestBlock, holds: impl Fn(&Leaf) -> bool, edit: impl FnOnce(&mut Leaf)) -> Option<()> {
    let mut leaf = leaf_where(block, holds)?;
    edit(&mut leaf);
    over_false_state(block, |tree| tree.update(vec![leaf]))
}

fn balance(leaf: &Leaf) -> U256 {
    match leaf.value {
        Value::Account(account) => account.balance,
        Value::Slot(_) => U256::ZERO,
    }
}

/// A tree with the same leaves but one.
fn without(tree: &Tree, gone: &Leaf) -> Tree {
    let mut other = Tree::new();
    other.update(tree.iter().filter(|leaf| leaf.path != gone.path).collect());
    other
}

/// The highest place at which `leaf` is alone.
fn place_of(tree: &Tree, leaf: &Leaf) -> Option<Prefix> {
    let mut place = Prefix::root();
    while tree.subtree(&place) != leaf.hash() {
        place = Prefix::of(&leaf.path, place.length() + 1)?;
    }
    Some(place)
}

/// Moves the only leaf of a column into the empty column beside it, where nobody looks for it, and executes the block as if
/// its account had never been: `combine(leaf, 0) = combine(0, leaf)`, so the roots still combine to the parent's. What the
/// empty column shows for its leaf is `proof`.
fn move_lone_leaf(block: &mut TestBlock, show: impl FnOnce(&Leaf) -> Tree) -> Option<()> {
    let columns: Vec<Prefix> = block.assembled.manifest.columns.iter().map(|column| column.prefix).collect();
    let (leaf, place, column) = movable(block, &columns)?;
    // Columns down to where the leaf has a half for itself and the other half is empty.
    let mut prefixes: Vec<Prefix> = columns.into_iter().filter(|prefix| *prefix != column).collect();
    let mut at = column;
    while at.length() <= place.length() {
        let here = Prefix::of(&leaf.path, at.length() + 1)?;
        prefixes.extend([false, true].into_iter().filter_map(|bit| at.child(bit)).filter(|half| *half != here));
        at = here;
    }
    let (full, empty) = (at, *prefixes.last()?);
    prefixes.push(full);
    prefixes.sort();

    let (honest, state) = (block.before.tree.clone(), without(&block.before.tree, &leaf));
    let false_state = State { tree: state.clone(), codes: block.before.codes.clone() };
    block.rows = execute_over(block, false_state.clone(), &user_rows(block), |_| {});
    super::forge::assemble_over(block, &state)?;
    cut(block, &state, &prefixes);
    let shown = show(&leaf).prove(&Prefix::root(), &[]);
    let manifest = &mut block.assembled.manifest;
    for (index, column) in manifest.columns.iter_mut().enumerate() {
        column.root_before = honest.subtree(&column.prefix);
        if column.prefix == full {
            column.root_before = NodeHash::EMPTY;
        } else if column.prefix == empty {
            (column.root_before, column.root_after) = (leaf.hash(), leaf.hash());
            let body = ocelli_core::column::ColumnBody { proof: shown.clone(), ..Default::default() };
            let body = wire::encode(&body);
            column.body_hash = wire::body_hash(&body);
            block.assembled.column_bodies[index] = body.into();
        }
    }
    let roots = manifest.columns.iter().map(|column| (&column.prefix, column.root_after));
    block.assembled.header.state_root = ocelli_core::column::split::combine_columns(roots)?.0;
    block.commit();
    Some(())
}

/// An account that only receives, so that the block is valid without its past; its place; and the column that holds it.
fn movable(block: &TestBlock, columns: &[Prefix]) -> Option<(Leaf, Prefix, Prefix)> {
    let tree = &block.before.tree;
    let passive = |leaf: &Leaf| matches!(leaf.value, Value::Account(account) if account.nonce == 0 && leaf.version > 0);
    let leaf = leaf_where(block, |leaf| passive(leaf) && matches!(leaf.key, Key::Account(_)))?;
    let place = place_of(tree, &leaf)?;
    let column = *columns.iter().find(|column| column.contains(&leaf.path))?;
    (column.length() <= place.length()).then_some((leaf, place, column))
}

/// A column whose proof does not open, for this reason, and nothing else.
macro_rules! proof {
    ($error:pat) => {
        only!(Fault::Column { fault: ColumnFault::Proof($error), .. })
    };
}

pub(super) const LIES: &[Lie] = &[
    Lie {
        name: "state: somebody richer than they are",
        expect: proof!(ProofError::WrongRoot),
        apply: |block| {
            leaf_lie(
                block,
                |leaf| balance(leaf) > U256::ZERO,
                |leaf| {
                    if let Value::Account(account) = &mut leaf.value {
                        account.balance += U256::ONE;
                    }
                },
            )
        },
    },
    Lie {
        name: "state: another version",
        expect: proof!(ProofError::WrongRoot),
        apply: |block| leaf_lie(block, |_| true, |leaf| leaf.version += 1),
    },
    Lie {
        name: "state: a version from the past, with the value of then",
        expect: proof!(ProofError::WrongRoot),
        apply: |block| {
            let passive =
                |leaf: &Leaf| leaf.version > 1 && matches!(leaf.value, Value::Account(Account { nonce: 0, .. }));
            leaf_lie(block, passive, |leaf| {
                leaf.version -= 1;
                leaf.value = Value::Account(Account { balance: U256::ONE, ..Account::default() });
            })
        },
    },
    Lie {
        name: "state: another word in a slot",
        expect: proof!(ProofError::WrongRoot),
        apply: |block| {
            leaf_lie(
                block,
                |leaf| matches!(leaf.value, Value::Slot(word) if !word.is_zero()),
                |leaf| leaf.value = Value::Slot(U256::from(0x1234)),
            )
        },
    },
    Lie {
        name: "state: an account that was never made, made",
        expect: proof!(
            ProofError::Presence
                | ProofError::WrongRoot
                | ProofError::LeftOver
                | ProofError::CutShort
                | ProofError::OtherLeaf
        ),
        apply: |block| {
            let users = block.rows.iter().filter(|row| row.kind == RowKind::User);
            let absent = |access: &&Access| access.version == 0 && matches!(access.key, Key::Account(_));
            let key = users.flat_map(|row| &row.effects.accesses).find(absent)?.key;
            let value = Value::Account(Account { balance: U256::from(5), ..Account::default() });
            over_false_state(block, |tree| tree.update(vec![Leaf::new(key, 1, value)]))
        },
    },
    Lie {
        name: "state: an account that there is, forgotten",
        expect: proof!(_),
        apply: |block| {
            let columns: Vec<Prefix> = block.assembled.manifest.columns.iter().map(|column| column.prefix).collect();
            let (leaf, ..) = movable(block, &columns)?;
            over_false_state(block, |tree| *tree = without(tree, &leaf))
        },
    },
    Lie {
        name: "state: a lone leaf moved into the empty column beside its own, and opened there",
        expect: proof!(ProofError::OtherLeaf),
        apply: |block| {
            move_lone_leaf(block, |leaf| {
                let mut tree = Tree::new();
                tree.update(vec![*leaf]);
                tree
            })
        },
    },
    Lie {
        name: "state: a lone leaf moved into the empty column beside its own, and not opened",
        expect: proof!(ProofError::CutShort),
        apply: |block| move_lone_leaf(block, |_| Tree::new()),
    },
    Lie {
        name: "state: a lone leaf moved into the empty column beside its own, another one opened there",
        expect: proof!(ProofError::OtherLeaf | ProofError::WrongRoot),
        apply: |block| {
            move_lone_leaf(block, |leaf| {
                let mut tree = Tree::new();
                tree.update(vec![Leaf { version: leaf.version + 1, ..*leaf }]);
                tree
            })
        },
    },
];
