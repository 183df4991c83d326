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
