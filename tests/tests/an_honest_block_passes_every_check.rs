//! Blocks made of executed rows pass every check, whatever the transactions are and however they are grouped.

use alloy_primitives::{Address, TxKind, U256, hex};
use ocelli_tests::{chain::TestChain, wallet::Wallet};

fn wallets(count: u64) -> Vec<Wallet> {
    (0..count).map(Wallet::new).collect()
}

#[test]
fn transfers_of_every_type_in_many_rows() {
    let mut wallets = wallets(8);
    let mut chain = TestChain::new(&wallets);
    for round in 0..6_u64 {
        let to = |from: u64| wallet_address((from + round) % 11);
        let transfers: Vec<_> = (0..8_u64)
            .map(|from| {
                let wallet = &mut wallets[from as usize];
                match from % 3 {
                    0 => wallet.transfer(to(from), 1_000 + round),
                    1 => wallet.transfer_legacy(to(from), 7),
                    _ => wallet.transfer_2930(to(from), 5),
                }
            })
            .collect();
        let block = chain.block(&[&transfers[..3], &transfers[3..4], &transfers[4..]]);
        assert_eq!(block.check(), Ok(None), "round {round}");
    }
}

fn wallet_address(seed: u64) -> Address {
    Wallet::new(seed).address()
}

#[test]
fn contracts_that_store_log_revert_and_read_block_hashes() {
    let mut wallets = wallets(3);
    let mut chain = TestChain::new(&wallets);
    // Adds calldata's first word to slot 0, stores the parent's hash in slot 1, logs; reverts if the word is zero.
    let runtime = hex!("5f35 80 15 601f 57 5f54 01 80 5f55 6001 43 03 40 6001 55 5f52 60aa 60205f a1 00 5b 5f5ffd");
    let (deploy, contract) = wallets[0].deploy(&runtime);
    assert_eq!(chain.block(&[&[deploy]]).check(), Ok(None));

    let call = |wallet: &mut Wallet, word: u64| {
        wallet.send(TxKind::Call(contract), U256::ZERO, U256::from(word).to_be_bytes_vec().into(), 200_000)
    };
    for _ in 0..3 {
        let calls = [call(&mut wallets[0], 5), call(&mut wallets[1], 0), call(&mut wallets[2], 9)];
        let block = chain.block(&[&calls[..2], &calls[2..]]);
        assert_eq!(block.check(), Ok(None));
        let logs: usize = block.rows.iter().flat_map(|row| &row.receipts).map(|receipt| receipt.logs.len()).sum();
        assert_eq!(logs, 2, "two calls log, one reverts");
    }
}

#[test]
fn a_delegation_and_a_block_without_transactions() {
    let mut wallets = wallets(2);
    let mut chain = TestChain::new(&wallets);
    let (one, two) = wallets.split_at_mut(1);
    let delegation = one[0].delegate(&mut two[0], Address::repeat_byte(9));
    assert_eq!(chain.block(&[&[delegation]]).check(), Ok(None));
    assert_eq!(chain.block(&[]).check(), Ok(None));
}
