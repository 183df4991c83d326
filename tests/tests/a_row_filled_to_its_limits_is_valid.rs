//! Whatever the builder takes into a row, the checks accept: a row is never full for one and overfull for the other.

use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use ocelli_core::{
    evm::{Env, Refused},
    row::RowBuilder,
    transaction::Recovered,
};
use ocelli_tests::{chain::TestChain, wallet::Wallet};

/// As many of `transactions` as one row of the next block takes, and why it took no more.
fn fill(chain: &TestChain, transactions: &[Recovered]) -> (usize, Option<Refused>) {
    let env = Env::after(&chain.config, &chain.head, chain.head.time_ms + 100);
    let mut row = RowBuilder::new(&env, &chain.state);
    for (taken, transaction) in transactions.iter().enumerate() {
        if let Err(refused) = row.push_if(transaction, |_| true) {
            return (taken, Some(refused));
        }
    }
    (transactions.len(), None)
}

#[test]
fn of_calldata_that_costs_more_than_it_spends() {
    // EIP-7623: of a transaction that does nothing but carry data, the floor is paid, 2.5 times what execution spends.
    let mut wallet = Wallet::new(0);
    let mut chain = TestChain::new([&wallet]);
    let data = Bytes::from(vec![0xff; 100_000]);
    let target = TxKind::Call(Address::repeat_byte(9));
    let floor = 21_000 + 40 * data.len() as u64;
    let transactions: Vec<_> = (0..8).map(|_| wallet.send(target, U256::ZERO, data.clone(), floor)).collect();

    let (taken, refused) = fill(&chain, &transactions);
    assert_eq!(refused, Some(Refused::RowGas));
    assert_eq!(taken, 4, "four floors are below 2^24 gas, five are not");
    assert_eq!(chain.block(&[&transactions[..taken]]).check(), Ok(None));
}

#[test]
fn of_a_precompile_that_fails_and_takes_all_gas() {
    let mut wallet = Wallet::new(0);
    let mut chain = TestChain::new([&wallet]);
    // Calls point evaluation, 0x0a, with 192 zero bytes and all gas but a 64th, and goes on when it fails.
    let (deploy, contract) = wallet.deploy(&hex!("5f 5f 60c0 5f 5f 600a 5a f1 00"));
    assert_eq!(chain.block(&[&[deploy]]).check(), Ok(None));

    let gas = 15_000_000;
    let call = wallet.send(TxKind::Call(contract), U256::ZERO, Bytes::new(), gas);
    let env = Env::after(&chain.config, &chain.head, chain.head.time_ms + 100);
    let executed = RowBuilder::new(&env, &chain.state).push(&call).expect("a row takes it");
    assert!(executed.receipt.success && executed.gas_spent > gas * 9 / 10, "{executed:?}");
    assert!(executed.work > executed.gas_spent + 50_000, "what it did counts");
    assert!(executed.work < executed.gas_spent + 4_000_000, "what it took and did nothing with does not");
    assert_eq!(chain.block(&[&[call]]).check(), Ok(None));
}
