//! What a forecast puts together, and that what it foresees runs once.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Adds one to slot 0.
const COUNTER: &[u8] = &hex!("5f 54 6001 01 5f 55 00");
/// Reads slot 0 and sets the slot of the caller's address.
const OWN_SLOT: &[u8] = &hex!("5f 54 50 6001 33 55 00");
/// Adds one to the slot that the first argument names.
const NAMED_SLOT: &[u8] = &hex!("6004 35 80 54 6001 01 90 55 00");

/// A call by each wallet, each with these arguments and its own address.
fn calls(world: &mut World, arguments: impl Fn(usize) -> Vec<u8>) -> Vec<Recovered> {
    let to = TxKind::Call(world.contract);
    let call = |(index, wallet): (usize, &mut Wallet)| {
        let own = wallet.address().into_word();
        let input = [b"call".as_slice(), &arguments(index), own.as_slice()].concat();
        wallet.send(to, U256::ZERO, input.into(), 60_000)
    };
    world.wallets.iter_mut().enumerate().map(call).collect()
}

fn all(indexes: std::ops::Range<usize>) -> Vec<usize> {
    indexes.collect()
}

fn run(world: &World, calls: &[Recovered], forecast: &mut Forecast) -> ExecutedBlock {
    execute(&world.env(), &world.snapshot, calls, 0, forecast, &Recent::default()).expect("executes")
}

#[test]
fn what_was_contended_before_runs_once() {
    let mut world = World::new(COUNTER);
    let calls = calls(&mut world, |_| Vec::new());
    let mut forecast = Forecast::default();
    assert_eq!(forecast.group(&calls).groups.len(), calls.len());
    let first = run(&world, &calls, &mut forecast);
    assert_eq!(first.ran_twice, calls.len() - 1, "all but the first found another number");
    assert!(forecast.group(&calls).groups.iter().eq([all(0..calls.len())]));
    let second = run(&world, &calls, &mut forecast);
    assert_eq!(second.ran_twice, 0);
    assert_eq!(effects(&first), effects(&second));
}

#[test]
fn what_all_read_and_nobody_changes_is_not_contended() {
    let mut world = World::new(OWN_SLOT);
    let calls = calls(&mut world, |_| Vec::new());
    let mut forecast = Forecast::default();
    for _ in 0..2 {
        assert_eq!(run(&world, &calls, &mut forecast).ran_twice, 0);
        assert_eq!(forecast.group(&calls).groups.len(), calls.len());
    }
}

#[test]
fn calls_are_told_apart_by_the_addresses_among_their_arguments() {
    let mut world = World::new(NAMED_SLOT);
    let named = |index: usize| Address::repeat_byte(1 + (index % 3) as u8).into_word().to_vec();
    let calls = calls(&mut world, named);
    let mut forecast = Forecast::default();
    run(&world, &calls, &mut forecast);
    let groups = forecast.group(&calls).groups;
    assert_eq!(groups.len(), 3);
    assert!(groups.iter().all(|group| group.iter().map(|at| at % 3).collect::<BTreeSet<_>>().len() == 1), "{groups:?}");
    assert_eq!(run(&world, &calls, &mut forecast).ran_twice, 0);
}

#[test]
fn calls_that_are_alike_and_do_different_things_are_not_foreseen() {
    let mut world = World::new(NAMED_SLOT);
    // No addresses: to the forecast they are all alike.
    let calls = calls(&mut world, |index| U256::from(index % 3).to_be_bytes_vec());
    let mut forecast = Forecast::default();
    run(&world, &calls, &mut forecast);
    assert_eq!(forecast.group(&calls).groups.len(), calls.len());
}

#[test]
fn ether_for_one_account_is_contended_before_anything_was_seen() {
    let mut world = World::new(&[]);
    let receivers = [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2)];
    let (half, pay) = (world.wallets.len() / 2, |wallet: &mut Wallet, to| wallet.transfer(to, 1));
    let payments = world.wallets.iter_mut().enumerate();
    let payments: Vec<Recovered> = payments.map(|(index, wallet)| pay(wallet, receivers[index / half])).collect();
    let mut forecast = Forecast::default();
    assert!(forecast.group(&payments).groups.iter().eq([all(0..half), all(half..2 * half)]));
    assert_eq!(run(&world, &payments, &mut forecast).ran_twice, 0);
}

#[test]
fn what_one_sender_does_alone_is_not_contended() {
    let mut world = World::new(COUNTER);
    let to = TxKind::Call(world.contract);
    let mut call = |wallet: usize| {
        let input = Bytes::from_static(b"call");
        world.wallets[wallet].send(to, U256::ZERO, input, 60_000)
    };
    let (own, others) = ([call(0), call(0)], [call(1), call(2)]);
    let mut forecast = Forecast::default();
    run(&world, &own, &mut forecast);
    assert_eq!(forecast.group(&others).groups.len(), 2);
}

#[test]
fn what_is_no_longer_contended_is_forgotten() {
    let mut world = World::new(NAMED_SLOT);
    // Without addresses they are all of one kind.
    let same = calls(&mut world, |_| U256::ZERO.to_be_bytes_vec());
    let mut forecast = Forecast::default();
    run(&world, &same, &mut forecast);
    assert_eq!(forecast.group(&same).groups.len(), 1);
    world.wallets.iter_mut().for_each(|wallet| wallet.nonce = 0);
    let apart = calls(&mut world, |index| U256::from(index).to_be_bytes_vec());
    run(&world, &apart, &mut forecast);
    assert_eq!(forecast.group(&apart).groups.len(), apart.len());
}

#[test]
fn calls_that_fail_teach_nothing() {
    let mut world = World::new(COUNTER);
    let to = TxKind::Call(world.contract);
    let counted = calls(&mut world, |_| Vec::new());
    let mut forecast = Forecast::default();
    run(&world, &counted, &mut forecast);
    // Two by one sender, alone in a lane, that have no gas to count: the others' are foreseen all the same.
    let failing = &mut world.wallets[0];
    failing.nonce = 0;
    let input = || Bytes::from([b"call".as_slice(), Address::ZERO.into_word().as_slice()].concat());
    let failed: Vec<Recovered> = (0..2).map(|_| failing.send(to, U256::ZERO, input(), 22_000)).collect();
    run(&world, &failed, &mut forecast);
    assert_eq!(forecast.group(&counted).groups.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever cores and tables its keys were spread over.
    #[test]
    fn payments_are_together_that_share_a_sender_or_who_gets_ether(
        payments in prop::collection::vec((0_usize..20, 0_u64..40, prop::bool::weighted(0.7)), 0..60),
    ) {
        let mut world = World::new(&[]);
        let (mut sent, mut keys) = (Vec::new(), Vec::new());
        for (from, to, carries) in payments {
            let wallet = &mut world.wallets[from];
            // Some of them are wallets.
            let to = if to < 20 { Wallet::new(to).address() } else { Address::left_padding_from(&to.to_be_bytes()) };
            keys.push(vec![(wallet.address(), true), (if carries { to } else { wallet.address() }, true)]);
            sent.push(wallet.send(TxKind::Call(to), U256::from(carries), Bytes::new(), 21_000));
        }
        let footprints = keys.iter().enumerate().map(|(index, keys)| Footprint { index, keys });
        let expected = lanes(&footprints.collect::<Vec<_>>());
        prop_assert_eq!(Forecast::default().group(&sent).groups, expected);
    }
}
