//! What is remembered of the blocks before never differs from what the state holds.

use super::*;
use ocelli_core::{block::assemble, merkle::Frontier};

/// Sets slot 0 to the balance of the account that calldata names, and slot 1 to the length of its code.
const LOOK: &[u8] = &hex!("5f 35 80 31 5f 55 3b 6001 55 00");

impl World {
    /// Makes a block on the one before, with what was remembered and without; it remembers what this one used.
    fn go_on(&mut self, transactions: &[Recovered], recent: &mut Recent) {
        let env = self.env();
        let run = |recent: &Recent| {
            execute(&env, &self.snapshot, transactions, 0, &mut Forecast::default(), recent).expect("executes")
        };
        let block = run(recent);
        assert_eq!(effects(&block), effects(&run(&Recent::default())));
        assert_eq!(block.refused, []);
        let (chain, before) = (&self.chain, &self.snapshot.tree);
        let moment = (env.time_ms, 0);
        let made = assemble(&chain.config, &chain.head, &mut Frontier::default(), moment, before, &block.rows);
        let made = made.expect("few columns");
        recent.go_on((before.root(), made.state.root()), &block.used, &made.writes);
        for (hash, code) in block.rows.iter().flat_map(|row| &row.effects.codes_made) {
            self.snapshot.codes.insert(*hash, code.clone());
        }
        (self.snapshot.tree, self.chain.head) = (made.state, made.header);
        for (key, found) in recent.iter() {
            assert_eq!(Ok(found), self.snapshot.load(&key), "{key:?}");
        }
    }

    fn slot(&self, number: u64) -> Value {
        self.snapshot.load(&Key::Slot(self.contract, U256::from(number))).expect("a value").1
    }
}

#[test]
fn a_delegation_that_was_taken_back_is_not_remembered() {
    let mut world = World::new(LOOK);
    let (contract, mut recent) = (world.contract, Recent::default());
    let authority = world.wallets[0].address();
    let look = |world: &mut World| {
        [world.wallets[2].send(TxKind::Call(contract), U256::ZERO, authority.into_word().into(), CALL_GAS)]
    };
    let delegate = |world: &mut World, to| {
        let (first, others) = world.wallets.split_at_mut(1);
        others[0].delegate(&mut first[0], to)
    };

    let delegated = [delegate(&mut world, contract)];
    world.go_on(&delegated, &mut recent);
    let looked = look(&mut world);
    world.go_on(&looked, &mut recent);
    assert_eq!(world.slot(1), Value::Slot(U256::from(23)), "a designator's length");
    assert!(recent.iter().any(|(key, _)| key == Key::Account(authority)));

    let taken_back = [delegate(&mut world, Address::ZERO), world.wallets[0].transfer(contract, 5)];
    world.go_on(&taken_back[..1], &mut recent);
    assert!(recent.iter().all(|(key, _)| key != Key::Account(authority)));
    world.go_on(&taken_back[1..], &mut recent);
    let looked = look(&mut world);
    world.go_on(&looked, &mut recent);
    assert_eq!(world.slot(1), Value::Slot(U256::ZERO));
}
