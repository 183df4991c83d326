//! Keys are found and forgotten whatever their number: few are looked through, many have an index.

use super::*;
use core::cell::Cell;

/// A state in which every slot holds its number, and how often it was asked.
#[derive(Default)]
struct Numbers(Cell<usize>);

impl Source for Numbers {
    fn load(&self, key: &Key) -> Result<(Version, Value), StateError> {
        self.0.set(self.0.get() + 1);
        match key {
            Key::Account(_) => Err(StateError::KeyNotListed(*key)),
            Key::Slot(_, slot) => Ok((1, Value::Slot(*slot))),
        }
    }

    fn code(&self, hash: &B256) -> Result<Code, StateError> {
        Err(StateError::CodeNotListed(*hash))
    }
}

fn key(number: usize) -> Key {
    Key::Slot(Address::ZERO, U256::from(number))
}

fn word(number: usize) -> Result<Value, StateError> {
    Ok(Value::Slot(U256::from(number)))
}

#[test]
fn keys_are_found_and_forgotten_whatever_their_number() {
    let most = LOOKED_THROUGH + 3;
    for (settled, more) in (0..most).flat_map(|settled| (0..most).map(move |more| (settled, more))) {
        let numbers = Numbers::default();
        let mut row = RowState::new(&numbers);
        let all = settled + more;
        row.begin_transaction();
        (0..settled).for_each(|at| row.store(key(at), Value::Slot(U256::from(at + 100))).unwrap());
        row.begin_transaction();
        (0..all).for_each(|at| assert_eq!(row.load(key(at)), word(if at < settled { at + 100 } else { at })));
        assert_eq!((numbers.0.get(), row.asked().count()), (all, all), "each once");
        row.discard_transaction();
        row.begin_transaction();
        (0..all).rev().for_each(|at| assert_eq!(row.load(key(at)), word(if at < settled { at + 100 } else { at })));
        assert_eq!(numbers.0.get(), all + more, "what was discarded, again");

        let effects = row.next_row(|_, _| ());
        let found: Vec<Key> = effects.accesses.iter().map(|access| access.key).collect();
        assert_eq!(found, (0..settled).chain((settled..all).rev()).map(key).collect::<Vec<_>>());
        assert_eq!(effects.accesses.iter().filter(|access| access.after.is_some()).count(), settled);
        row.begin_transaction();
        (0..all).for_each(|at| assert_eq!(row.load(key(at)), word(at), "the next row begins anew"));
    }
}

#[test]
fn each_key_has_one_entry_whether_it_is_asked_for_by_number_or_not() {
    let mut chance = 1_u64;
    let mut pick = |below: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((chance >> 33) % below) as usize
    };
    let numbers = Numbers::default();
    let mut row = RowState::new(&numbers);
    row.begin_transaction();
    let (mut settled, mut running) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        match pick(40) {
            0 => {
                let effects = row.next_row(|_, _| ());
                settled.append(&mut running);
                assert!(effects.accesses.iter().map(|access| access.key).eq(settled.drain(..).map(key)));
                row.begin_transaction();
            }
            1..4 => {
                row.discard_transaction();
                running.clear();
                row.begin_transaction();
            }
            4..10 => {
                settled.append(&mut running);
                row.begin_transaction();
            }
            way => {
                let number = pick(30);
                let entry =
                    if way < 30 { row.entry_numbered(key(number), number as u32) } else { row.entry(key(number)) };
                assert_eq!(entry.map(|entry| (entry.key, entry.now)), word(number).map(|now| (key(number), now)));
                if !settled.contains(&number) && !running.contains(&number) {
                    running.push(number);
                }
            }
        }
    }
}
