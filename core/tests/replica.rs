//! Replicas: rows in any order, with duplicates and late, lead to one state.

use alloy_primitives::{Address, B256, U256};
use ocelli_core::{
    access::Access,
    key::Key,
    limits::ROW_ACCESSES,
    replica::{Applied, Conflict, Diff, DiffError, Replica, ReplicaLimits, RowDiff},
    value::{Account, Value, Version},
    wire,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

type State = BTreeMap<Key, (Version, Value)>;

fn slot(n: u8) -> Key {
    Key::Slot(Address::ZERO, U256::from(n))
}

fn word(n: u64) -> Value {
    Value::Slot(U256::from(n))
}

fn diff(key: u8, version: Version, after: u64) -> Diff {
    Diff { key: slot(key), version, after: word(after) }
}

fn row(diffs: &[Diff]) -> RowDiff {
    RowDiff::new(diffs.to_vec()).unwrap()
}

fn state(replica: &Replica) -> State {
    replica.iter().map(|(key, version, value)| (*key, (version, *value))).collect()
}

fn released(rows: &[&RowDiff]) -> Applied {
    Applied::Applied(rows.iter().map(|row| (*row).clone()).collect())
}

/// A history: rows in the order in which they were executed, no two of which write the same.
fn history() -> impl Strategy<Value = Vec<RowDiff>> {
    prop::collection::vec(prop::collection::btree_set(0_u8..8, 1..4), 1..24).prop_map(|rows| {
        let mut versions = BTreeMap::<u8, Version>::new();
        let rows = rows.iter().enumerate().map(|(at, keys)| {
            let diffs: Vec<Diff> = keys
                .iter()
                .map(|key| {
                    let version = versions.entry(*key).or_default();
                    *version += 1;
                    diff(*key, *version - 1, at as u64 + 1)
                })
                .collect();
            row(&diffs)
        });
        rows.collect()
    })
}

/// The history with each row delivered once to three times, in any order.
fn delivered() -> impl Strategy<Value = (Vec<RowDiff>, Vec<usize>)> {
    history().prop_flat_map(|rows| {
        let copies = prop::collection::vec(1_usize..4, rows.len());
        let order = copies.prop_map(|copies| {
            copies.iter().enumerate().flat_map(|(at, copies)| vec![at; *copies]).collect::<Vec<usize>>()
        });
        (Just(rows), order.prop_shuffle())
    })
}

/// The state after `rows`, executed in this order.
fn executed<'a>(rows: impl IntoIterator<Item = &'a RowDiff>) -> State {
    let diffs = rows.into_iter().flat_map(RowDiff::diffs);
    diffs.map(|diff| (diff.key, (diff.version + 1, diff.after))).collect()
}

/// Which rows of a history can be applied when only those in `here` have come: those whose predecessors all have.
fn applicable(rows: &[RowDiff], here: &[usize]) -> Vec<usize> {
    let mut versions = BTreeMap::<Key, Version>::new();
    let mut applied = vec![];
    for (at, row) in rows.iter().enumerate() {
        let ready = row.diffs().iter().all(|diff| versions.get(&diff.key).copied().unwrap_or(0) == diff.version);
        if here.contains(&at) && ready {
            versions.extend(row.diffs().iter().map(|diff| (diff.key, diff.version + 1)));
            applied.push(at);
        }
    }
    applied
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn rows_in_any_order_and_any_number_lead_to_one_state((rows, order) in delivered()) {
        let mut replica = Replica::default();
        let mut came = vec![];
        for at in order {
            let before = applicable(&rows, &came);
            let was_here = came.contains(&at);
            came.push(at);
            let after = applicable(&rows, &came);
            match replica.apply(&rows[at]) {
                Applied::Applied(released) => {
                    prop_assert!(!was_here && after.contains(&at));
                    prop_assert_eq!(before.len() + 1 + released.len(), after.len());
                }
                Applied::Waiting(keys) => prop_assert!(!keys.is_empty() && !after.contains(&at)),
                Applied::Already => prop_assert!(was_here && before.contains(&at)),
                other => prop_assert!(false, "{:?}", other),
            }
            prop_assert_eq!(state(&replica), executed(after.iter().map(|at| &rows[*at])));
            let mut waits: Vec<B256> = replica.waiting().map(RowDiff::id).collect();
            let mut expected: Vec<B256> =
                (0..rows.len()).filter(|at| came.contains(at) && !after.contains(at)).map(|at| rows[at].id()).collect();
            waits.sort();
            expected.sort();
            prop_assert_eq!(waits, expected);
        }
        prop_assert_eq!(state(&replica), executed(&rows));
    }

    #[test]
    fn rows_commute_unless_they_share_a_written_key((rows, order) in delivered(), more in history()) {
        let mut replica = Replica::default();
        order.iter().for_each(|at| drop(replica.apply(&rows[*at])));
        // Two rows that both can be applied next, each from where the keys stand.
        let next = |row: &RowDiff, salt: u64| {
            let diffs = row.diffs().iter();
            let diffs: Vec<Diff> =
                diffs.map(|diff| Diff { version: replica.get(&diff.key).0, after: word(salt), ..*diff }).collect();
            RowDiff::new(diffs).unwrap()
        };
        let (a, b) = (next(&more[0], 1_000), next(&more[more.len() - 1], 2_000));
        let [mut ab, mut ba] = [replica.clone(), replica.clone()];
        let in_order = [ab.apply(&a), ab.apply(&b)];
        let reversed = [ba.apply(&b), ba.apply(&a)];
        let share = a.diffs().iter().any(|x| b.diffs().iter().any(|y| x.key == y.key));
        if share {
            prop_assert!(matches!(in_order, [Applied::Applied(_), Applied::Conflicting(_)]));
            prop_assert!(matches!(reversed, [Applied::Applied(_), Applied::Conflicting(_)]));
        } else {
            prop_assert_eq!(in_order, [released(&[]), released(&[])]);
            prop_assert_eq!(reversed, [released(&[]), released(&[])]);
            prop_assert_eq!(state(&ab), state(&ba));
        }
    }

    #[test]
    fn a_replica_with_little_room_gets_there_by_being_given_all_rows_again(
        (rows, order) in delivered(), room in 0_usize..3,
    ) {
        let limits = ReplicaLimits { waiting_rows: room, waiting_writes: 2 * room, remembered_writes: room };
        let mut replica = Replica::new(limits);
        for _ in 0..rows.len() {
            for at in &order {
                let before = state(&replica);
                let answer = replica.apply(&rows[*at]);
                prop_assert!(!matches!(answer, Applied::Conflicting(_)));
                prop_assert!(matches!(answer, Applied::Applied(_)) || state(&replica) == before);
                prop_assert!(replica.waiting().count() <= room);
            }
        }
        prop_assert_eq!(state(&replica), executed(&rows));
    }

    #[test]
    fn another_row_in_the_place_of_one_is_found_out(
        (rows, order) in delivered(), which in any::<prop::sample::Index>(), first in 0_usize..24,
    ) {
        let true_row = &rows[which.index(rows.len())];
        let mut diffs = true_row.diffs().to_vec();
        diffs[0].after = word(1_000);
        let other = row(&diffs);
        let mut replica = Replica::default();
        for at in &order[..first.min(order.len())] {
            replica.apply(&rows[*at]);
        }
        let knows = order[..first.min(order.len())].iter().any(|at| rows[*at] == *true_row);
        let answer = replica.apply(&other);
        let conflict = |row: &RowDiff, key: Key| {
            let version = true_row.diffs().iter().find(|diff| diff.key == key).unwrap().version;
            Applied::Conflicting(Conflict { key, version, other: Some(row.id()) })
        };
        if knows {
            prop_assert_eq!(answer, conflict(true_row, diffs[0].key));
            order.iter().for_each(|at| drop(replica.apply(&rows[*at])));
            prop_assert_eq!(state(&replica), executed(&rows));
            prop_assert_eq!(replica.apply(&other), conflict(true_row, diffs[0].key));
        } else {
            // The replica keeps to the row that came first, and says which.
            prop_assert_eq!(replica.apply(true_row), conflict(&other, diffs[0].key));
        }
    }

    #[test]
    fn a_replica_that_begins_at_a_later_state_follows_from_there((rows, order) in delivered(), from in 0_usize..24) {
        let from = from.min(rows.len());
        let start = executed(&rows[..from]).into_iter().map(|(key, (version, value))| (key, version, value));
        let mut replica = Replica::of_state(ReplicaLimits::default(), start);
        for at in order {
            let answer = replica.apply(&rows[at]);
            prop_assert!(at >= from || answer == Applied::Already);
        }
        prop_assert_eq!(state(&replica), executed(&rows));
    }

    #[test]
    fn a_row_is_what_its_encoding_says(rows in history()) {
        for row in rows {
            prop_assert_eq!(wire::decode::<RowDiff>(&wire::encode(&row), 1 << 20), Ok(row));
        }
    }
}

#[test]
fn all_writes_of_a_row_are_applied_at_once() {
    let mut replica = Replica::default();
    let both = row(&[diff(1, 0, 10), diff(2, 1, 20)]);
    assert_eq!(replica.apply(&both), Applied::Waiting(vec![slot(2)]));
    assert_eq!(replica.get(&slot(1)), (0, word(0)));
    assert_eq!(replica.apply(&row(&[diff(2, 0, 5)])), released(&[&both]));
    assert_eq!([replica.get(&slot(1)), replica.get(&slot(2))], [(1, word(10)), (2, word(20))]);
}

#[test]
fn one_row_can_release_a_whole_chain() {
    let chain: Vec<RowDiff> = (0..100).map(|version| row(&[diff(1, version, version + 1)])).collect();
    let mut replica = Replica::default();
    for late in chain[1..].iter().rev() {
        assert_eq!(replica.apply(late), Applied::Waiting(vec![slot(1)]));
    }
    assert_eq!(replica.apply(&chain[0]), released(&chain[1..].iter().collect::<Vec<_>>()));
    assert_eq!(replica.get(&slot(1)), (100, word(100)));
}

#[test]
fn a_row_of_which_only_some_versions_have_passed_conflicts_even_when_nothing_is_remembered() {
    let mut replica = Replica::new(ReplicaLimits { remembered_writes: 0, ..ReplicaLimits::default() });
    assert_eq!(replica.apply(&row(&[diff(1, 0, 1)])), released(&[]));
    let conflict = Conflict { key: slot(1), version: 0, other: None };
    for version in [0, 1] {
        let split = row(&[diff(1, 0, 9), diff(2, version, 9)]);
        assert_eq!(replica.apply(&split), Applied::Conflicting(conflict));
    }
    assert_eq!(replica.get(&slot(2)), (0, word(0)));
}

#[test]
fn who_wrote_a_version_is_forgotten_in_time_and_then_another_row_counts_as_applied() {
    let mut replica = Replica::new(ReplicaLimits { remembered_writes: 1, ..ReplicaLimits::default() });
    let [first, other] = [row(&[diff(1, 0, 1)]), row(&[diff(1, 0, 2)])];
    replica.apply(&first);
    let conflict = Conflict { key: slot(1), version: 0, other: Some(first.id()) };
    assert_eq!(replica.apply(&other), Applied::Conflicting(conflict));
    replica.apply(&row(&[diff(2, 0, 1)]));
    assert_eq!([replica.apply(&other), replica.apply(&first)], [Applied::Already, Applied::Already]);
    assert_eq!(replica.get(&slot(1)), (1, word(1)));
}

#[test]
fn a_full_replica_still_applies_what_need_not_wait() {
    let mut replica = Replica::new(ReplicaLimits { waiting_rows: 1, ..ReplicaLimits::default() });
    let [second, third] = [row(&[diff(1, 1, 2)]), row(&[diff(1, 2, 3)])];
    assert_eq!(replica.apply(&third), Applied::Waiting(vec![slot(1)]));
    assert_eq!(replica.apply(&second), Applied::Full);
    assert_eq!(replica.apply(&third), Applied::Waiting(vec![slot(1)]));
    assert_eq!(replica.apply(&row(&[diff(1, 0, 1)])), released(&[]));
    assert_eq!(replica.apply(&second), released(&[&third]));
    let few_writes = ReplicaLimits { waiting_writes: 1, ..ReplicaLimits::default() };
    assert_eq!(Replica::new(few_writes).apply(&row(&[diff(1, 1, 2), diff(2, 1, 2)])), Applied::Full);
}

#[test]
fn a_row_that_was_withdrawn_leaves_its_place_to_another() {
    let mut replica = Replica::default();
    let [wrong, right] = [row(&[diff(1, 1, 9), diff(2, 0, 9)]), row(&[diff(1, 1, 2)])];
    assert_eq!(replica.apply(&wrong), Applied::Waiting(vec![slot(1)]));
    assert!(matches!(replica.apply(&right), Applied::Conflicting(_)));
    assert_eq!(replica.withdraw(&wrong.id()), Some(wrong.clone()));
    assert_eq!(replica.withdraw(&wrong.id()), None);
    assert_eq!(replica.apply(&right), Applied::Waiting(vec![slot(1)]));
    assert_eq!(replica.apply(&row(&[diff(1, 0, 1)])), released(&[&right]));
    assert_eq!(replica.get(&slot(2)), (0, word(0)));
}

#[test]
fn only_writes_of_one_row_make_a_row() {
    let of = |diffs: &[Diff]| RowDiff::new(diffs.to_vec()).map(|_| ());
    assert_eq!(of(&[diff(1, 0, 1), diff(1, 0, 1)]), Err(DiffError::NotAscending));
    assert_eq!(of(&[diff(2, 0, 1), diff(1, 0, 1)]), Err(DiffError::NotAscending));
    assert_eq!(of(&[diff(1, Version::MAX, 1)]), Err(DiffError::LastVersion(slot(1))));
    let account = Diff { after: Value::Account(Account::default()), ..diff(1, 0, 1) };
    assert_eq!(of(&[account]), Err(DiffError::NotAValue(slot(1))));
    let many: Vec<Diff> = (0..=ROW_ACCESSES)
        .map(|n| Diff { key: Key::Slot(Address::ZERO, U256::from(n)), version: 0, after: word(1) })
        .collect();
    assert_eq!(of(&many), Err(DiffError::TooMany));
    assert_eq!(of(&many[1..]), Ok(()));
}

#[test]
fn the_writes_of_a_row_are_its_accesses_that_changed_something() {
    let read = Access { key: slot(3), version: 7, before: word(1), after: None };
    let write = |key, version| Access { key: slot(key), version, before: word(1), after: Some(word(2)) };
    let expected = row(&[diff(1, 4, 2), diff(2, 5, 2)]);
    assert_eq!(RowDiff::of(&[write(2, 5), read, write(1, 4)]), Ok(expected));
    let empty = RowDiff::of(&[read]).unwrap();
    assert_eq!(Replica::default().apply(&empty), released(&[]));
}
