//! Lanes against their definition.

use alloy_primitives::{Address, U256};
use ocelli_core::{
    key::Key,
    lanes::{Footprint, Lanes, lanes, lanes_of_numbered, lanes_of_pairs},
};
use proptest::prelude::*;

type Keys = Vec<(Key, bool)>;

fn account(n: u8) -> Key {
    Key::Account(Address::with_last_byte(n))
}

fn slot(n: u8) -> Key {
    Key::Slot(Address::with_last_byte(1), U256::from(n))
}

fn of(transactions: &[Keys]) -> Vec<Vec<usize>> {
    let footprints: Vec<Footprint<'_>> =
        transactions.iter().enumerate().map(|(index, keys)| Footprint { index, keys }).collect();
    listed(&lanes(&footprints))
}

fn listed(lanes: &Lanes) -> Vec<Vec<usize>> {
    lanes.iter().map(<[usize]>::to_vec).collect()
}

/// Two transactions conflict when one writes a key that the other uses.
fn conflict(a: &Keys, b: &Keys) -> bool {
    a.iter().any(|(key, writes)| b.iter().any(|(other, other_writes)| key == other && (*writes || *other_writes)))
}

/// Whoever conflicts with anyone of a lane is in it: by following conflicts until nothing is new.
fn model(transactions: &[Keys]) -> Vec<Vec<usize>> {
    let mut lanes: Vec<Vec<usize>> = vec![];
    for start in 0..transactions.len() {
        if lanes.iter().flatten().any(|known| *known == start) {
            continue;
        }
        let mut lane = vec![start];
        let mut at = 0;
        while at < lane.len() {
            let here = lane[at];
            let next = (0..transactions.len()).filter(|other| conflict(&transactions[here], &transactions[*other]));
            let next: Vec<usize> = next.filter(|other| !lane.contains(other)).collect();
            lane.extend(next);
            at += 1;
        }
        lane.sort();
        lanes.push(lane);
    }
    lanes
}

fn transactions() -> impl Strategy<Value = Vec<Keys>> {
    let key = prop_oneof![(0_u8..24).prop_map(account), (0_u8..24).prop_map(slot)];
    // Few writes, so that read-shared keys and long chains both occur.
    prop::collection::vec(prop::collection::vec((key, prop::bool::weighted(0.3)), 0..4), 0..24)
}

#[test]
fn readers_of_a_key_that_nobody_writes_are_not_joined() {
    assert_eq!(of(&[vec![(account(1), false)], vec![(account(1), false)]]), [vec![0], vec![1]]);
}

#[test]
fn readers_are_joined_by_a_writer_among_them() {
    let read = vec![(account(1), false)];
    assert_eq!(of(&[read.clone(), vec![(account(1), true)], read]), [vec![0, 1, 2]]);
}

#[test]
fn an_account_and_its_slots_are_different_keys() {
    assert_eq!(of(&[vec![(account(1), true)], vec![(slot(1), true)]]), [vec![0], vec![1]]);
}

#[test]
fn lanes_are_ordered_by_their_first_transaction() {
    let write = |n| vec![(account(n), true)];
    assert_eq!(of(&[write(9), write(1), vec![], write(9), write(1)]), [vec![0, 3], vec![1, 4], vec![2]]);
    assert_eq!(of(&[]), Vec::<Vec<usize>>::new());
}

#[test]
fn transactions_keep_the_names_that_the_caller_gave_them() {
    let [a, b] = [[(account(1), true)], [(account(2), true)]];
    let footprints = [(70, &a), (3, &b), (70, &b), (5, &a)].map(|(index, keys)| Footprint { index, keys });
    assert_eq!(listed(&lanes(&footprints)), [vec![70, 5], vec![3, 70]]);
}

#[test]
fn pairs_connect_and_those_that_name_nobody_do_not() {
    let pairs = [(3, 0), (4, 1), (3, 3), (5, 0), (0, u32::MAX)];
    assert_eq!(listed(&lanes_of_pairs(5, pairs)), [vec![0, 3], vec![1, 4], vec![2]]);
    assert_eq!(listed(&lanes_of_pairs(0, pairs)), Vec::<Vec<usize>>::new());
}

#[test]
fn a_chain_as_long_as_a_block_is_one_lane() {
    let n = 1 << 14;
    let key = |at: usize| Key::Slot(Address::ZERO, U256::from(at));
    let line: Vec<Keys> = (0..n).rev().map(|at| vec![(key(at), true), (key(at + 1), false)]).collect();
    assert_eq!(of(&line), [(0..n).collect::<Vec<_>>()]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lanes_are_the_transactions_connected_by_conflicts(transactions in transactions()) {
        prop_assert_eq!(of(&transactions), model(&transactions));
    }

    #[test]
    fn numbers_stand_for_keys(transactions in transactions()) {
        let mut numbers: Vec<Key> = vec![];
        let mut number = |key: Key| numbers.iter().position(|known| *known == key).unwrap_or_else(|| {
            numbers.push(key);
            numbers.len() - 1
        }) as u32;
        let numbered: Vec<Vec<(u32, bool)>> =
            transactions.iter().map(|keys| keys.iter().map(|(key, writes)| (number(*key), *writes)).collect()).collect();
        let footprints: Vec<Footprint<'_, u32>> =
            numbered.iter().enumerate().map(|(index, keys)| Footprint { index, keys }).collect();
        prop_assert_eq!(listed(&lanes_of_numbered(&footprints, numbers.len())), of(&transactions));
    }

    #[test]
    fn transactions_of_different_lanes_do_not_conflict(transactions in transactions()) {
        let lanes = of(&transactions);
        for (at, lane) in lanes.iter().enumerate() {
            for other in &lanes[at + 1..] {
                let pairs = lane.iter().flat_map(|a| other.iter().map(move |b| (*a, *b)));
                for (a, b) in pairs {
                    prop_assert!(!conflict(&transactions[a], &transactions[b]));
                }
            }
        }
    }
}
