//! What a pool promises, on a real chain with a real store and journal.

mod journal;
pub(crate) mod kit;
mod ordering;
mod promises;
mod under_way;

use super::*;
use crate::store;
use alloy_primitives::U256;
use kit::{Node, Offer, offer, send};
use ocelli_tests::wallet::{MAX_FEE, TIP, Wallet};
use std::{fs, path::Path};

#[tokio::test]
async fn an_accepted_transaction_waits_and_can_be_taken() {
    let node = Node::new(2);
    let (mut one, mut two) = (Wallet::new(0), Wallet::new(1));
    assert!(!node.pool.wait_for_work(Duration::ZERO));
    let mut announced = node.pool.subscribe();
    let sent = [one.transfer(two.address(), 1), one.transfer(two.address(), 2), two.transfer(one.address(), 3)];
    for transaction in &sent {
        assert_eq!(node.submit(transaction).await, Ok(transaction.hash()));
        assert_eq!(announced.try_recv(), Ok(transaction.hash()));
        assert_eq!(node.pool.get(&transaction.hash()).as_deref(), Some(transaction));
    }
    assert!(node.pool.wait_for_work(Duration::ZERO));
    assert_eq!((node.pool.pending(), node.pool.queued()), (3, 0));
    assert_eq!((node.pool.next_nonce(&one.address()), node.pool.next_nonce(&two.address())), (2, 1));
    // A round has one of each account.
    assert_eq!(node.pool.take(10, 7).transactions, [sent[0].clone(), sent[2].clone(), sent[1].clone()]);
    assert_eq!(node.pool.take(2, 7).transactions, [sent[0].clone(), sent[2].clone()]);
    assert_eq!(node.pool.take(10, MAX_FEE as u64 + 1).transactions, []);
}

#[tokio::test]
async fn bad_input_is_refused_in_words_that_wallets_know() {
    let mut node = Node::new(3);
    let (mut one, mut two) = (Wallet::new(0), Wallet::new(1));
    let to = two.address();
    let first = one.transfer(to, 1);
    node.submit(&first).await.expect("accepted");
    node.seal(std::slice::from_ref(&first));

    let poor = Wallet::new(77);
    let last = Wallet { nonce: u64::MAX, ..one.clone() };
    let second = one.transfer(to, 1);
    node.submit(&second).await.expect("accepted");
    let at = |nonce| offer(&one, Offer { nonce, ..Offer::default() });
    let encoded = |sent: &Recovered| sent.encoded().clone();
    let cases: Vec<(Bytes, &str)> = vec![
        (encoded(&first), "nonce too low: next nonce 1, tx nonce 0"),
        (encoded(&second), "already known"),
        (encoded(&at(1 + limits::POOL_NONCE_AHEAD)), "nonce too high"),
        (encoded(&offer(&poor, Offer::default())), "insufficient funds for gas * price + value"),
        (
            encoded(&offer(&one, Offer { nonce: 2, fee: 6, tip: 0, ..Offer::default() })),
            "max fee per gas less than block base fee",
        ),
        (
            encoded(&offer(&one, Offer { nonce: 1, value: 9, ..Offer::default() })),
            "replacement transaction underpriced",
        ),
        (kit::raw(&one, Offer { nonce: 2, gas: 20_999, ..Offer::default() }), "intrinsic gas too low"),
        (kit::raw(&one, Offer { nonce: 2, gas: (1 << 24) + 1, ..Offer::default() }), "gas limit"),
        (
            kit::raw(&one, Offer { nonce: 2, fee: 10, tip: 11, ..Offer::default() }),
            "max priority fee per gas higher than max fee per gas",
        ),
        (kit::raw(&one, Offer { nonce: 2, chain: 1, ..Offer::default() }), "invalid chain id"),
        (kit::raw(&last, Offer { nonce: u64::MAX, ..Offer::default() }), "nonce has max value"),
        (kit::raw_legacy_without_chain(&one), "only replay-protected"),
        (Bytes::from_static(&[3, 0xc0]), "transaction type not valid"),
        (Bytes::from_static(&[9, 0xc0]), "transaction type not valid"),
        (Bytes::from_static(b"not a transaction"), "transaction"),
        (Bytes::new(), "invalid transaction"),
        (vec![2; 200_000].into(), "oversized data"),
    ];
    for (raw, words) in cases {
        let text = node.pool.submit(raw).await.expect_err(words).to_string();
        assert!(text.contains(words), "{text} instead of {words}");
    }
    assert_eq!(node.pool.pending() + node.pool.queued(), 1, "nothing of these was kept");
    two.nonce = 0;
    node.submit(&two.transfer(to, 1)).await.expect("the pool goes on");
}

#[tokio::test]
async fn a_gas_limit_above_a_blocks_is_refused() {
    let node = Node::with_params(1, |params| params.gas_limit = 100_000);
    let rejected = node.submit(&offer(&Wallet::new(0), Offer { gas: 100_001, ..Offer::default() })).await;
    assert_eq!(rejected, Err(Rejected::GasLimit { found: 100_001, limit: 100_000 }));
    assert!(rejected.unwrap_err().to_string().contains("exceeds block gas limit"));
}

#[tokio::test]
async fn contracts_send_nothing_and_delegated_accounts_little() {
    let (contract, delegated) = (Wallet::new(0), Wallet::new(1));
    let node = Node::with_codes(
        2,
        &[(contract.address(), vec![0x5f]), (delegated.address(), [&[0xef, 1, 0], [9; 20].as_slice()].concat())],
    );
    let refused = node.submit(&offer(&contract, Offer { nonce: 1, ..Offer::default() })).await;
    assert_eq!(refused, Err(Rejected::SenderHasCode(contract.address())));
    for nonce in 1..=limits::POOL_DELEGATED_TRANSACTIONS as u64 {
        node.submit(&offer(&delegated, Offer { nonce, ..Offer::default() })).await.expect("accepted");
    }
    let nonce = limits::POOL_DELEGATED_TRANSACTIONS as u64 + 1;
    let refused = node.submit(&offer(&delegated, Offer { nonce, ..Offer::default() })).await;
    assert_eq!(refused, Err(Rejected::DelegatedLimit));
    let dearer = Offer { nonce: 1, fee: 2 * MAX_FEE, tip: 2 * TIP, ..Offer::default() };
    node.submit(&offer(&delegated, dearer)).await.expect("replaces");
}

#[tokio::test]
async fn an_authorization_waits_only_for_accounts_with_few_transactions() {
    let node = Node::new(2);
    let (mut one, mut two) = (Wallet::new(0), Wallet::new(1));
    let early = one.delegate(&mut two.clone(), Address::repeat_byte(9));
    node.submit(&early).await.expect("accepted");
    for _ in 0..limits::POOL_DELEGATED_TRANSACTIONS {
        node.submit(&two.transfer(one.address(), 1)).await.expect("accepted");
    }
    assert_eq!(node.submit(&two.transfer(one.address(), 1)).await, Err(Rejected::DelegatedLimit));

    let node = Node::new(2);
    let (mut one, mut two) = (Wallet::new(0), Wallet::new(1));
    for _ in 0..=limits::POOL_DELEGATED_TRANSACTIONS {
        node.submit(&two.transfer(one.address(), 1)).await.expect("accepted");
    }
    let late = one.delegate(&mut two, Address::repeat_byte(9));
    assert_eq!(node.submit(&late).await, Err(Rejected::AuthorityReserved(two.address())));
}

#[tokio::test]
async fn what_all_waiting_transactions_cost_has_to_be_there() {
    let node = Node::new(1);
    let wallet = Wallet::new(0);
    let ether = 10_u64.pow(18);
    // Genesis gave 10,000 ether; 18 ether a transaction.
    let costly = |nonce| offer(&wallet, Offer { nonce, value: 18 * ether, ..Offer::default() });
    for nonce in 0..555 {
        node.submit(&costly(nonce)).await.expect("accepted");
    }
    let refused = node.submit(&costly(555)).await;
    assert!(matches!(refused, Err(Rejected::InsufficientFunds { .. })), "{refused:?}");
    let small = offer(&wallet, Offer { nonce: 555, value: ether, ..Offer::default() });
    node.submit(&small).await.expect("accepted");
}

#[tokio::test]
async fn a_replacement_has_to_offer_a_tenth_more_in_both_numbers() {
    let node = Node::new(1);
    let wallet = Wallet::new(0);
    let with = |fee, tip| offer(&wallet, Offer { fee, tip, ..Offer::default() });
    let first = with(1_000, 100);
    node.submit(&first).await.expect("accepted");
    for (fee, tip) in [(1_099, 110), (1_100, 109), (1_000, 110), (1_100, 100), (5_000, 0)] {
        let refused = node.submit(&with(fee, tip)).await;
        assert_eq!(refused, Err(Rejected::Underpriced { known: first.hash() }), "{fee} {tip}");
    }
    let second = with(1_100, 110);
    node.submit(&second).await.expect("accepted");
    assert_eq!(node.pool.get(&first.hash()), None);
    assert_eq!(node.pool.take(10, 7).transactions, [second]);
}

#[tokio::test]
async fn a_gap_waits_until_it_is_filled() {
    let node = Node::new(1);
    let wallet = Wallet::new(0);
    let at = |nonce| offer(&wallet, Offer { nonce, ..Offer::default() });
    for nonce in [2, 1, 4] {
        node.submit(&at(nonce)).await.expect("accepted");
    }
    assert!(!node.pool.wait_for_work(Duration::ZERO));
    assert_eq!((node.pool.take(10, 7).transactions.len(), node.pool.pending(), node.pool.queued()), (0, 0, 3));
    assert_eq!(node.pool.next_nonce(&wallet.address()), 0);
    node.submit(&at(0)).await.expect("accepted");
    assert_eq!(node.pool.take(10, 7).transactions, [at(0), at(1), at(2)]);
    assert_eq!((node.pool.pending(), node.pool.queued()), (3, 1));
    assert_eq!(node.pool.next_nonce(&wallet.address()), 3);
}

#[tokio::test]
async fn a_sealed_block_takes_its_transactions_and_those_it_displaces() {
    let mut node = Node::new(2);
    let (mut one, two) = (Wallet::new(0), Wallet::new(1));
    let sent = [one.transfer(two.address(), 1), one.transfer(two.address(), 2), one.transfer(two.address(), 3)];
    for transaction in &sent {
        node.submit(transaction).await.expect("accepted");
    }
    // The block has another transaction with the second nonce than the pool.
    let other = offer(&one, Offer { nonce: 1, value: 99, ..Offer::default() });
    node.seal(&[sent[0].clone(), other]);
    assert_eq!(node.pool.take(10, 7).transactions, [sent[2].clone()]);
    assert_eq!(node.pool.refusal(&sent[0].hash()), None);
    let reason = node.pool.refusal(&sent[1].hash()).expect("a reason");
    assert_eq!(reason, "its nonce was used in block 1");
    assert_eq!(node.pool.next_nonce(&one.address()), 3);
    node.seal(&[sent[2].clone()]);
    assert_eq!((node.pool.pending(), node.pool.queued()), (0, 0));
    assert_eq!(node.pool.next_nonce(&one.address()), 3);
}

#[tokio::test]
async fn a_delegation_moves_the_authoritys_nonce_too() {
    let mut node = Node::new(2);
    let (mut one, mut two) = (Wallet::new(0), Wallet::new(1));
    let waiting = [two.clone().transfer(one.address(), 1), offer(&two, Offer { nonce: 1, ..Offer::default() })];
    for transaction in &waiting {
        node.submit(transaction).await.expect("accepted");
    }
    let delegation = one.delegate(&mut two, Address::repeat_byte(9));
    node.submit(&delegation).await.expect("accepted");
    node.seal(&[delegation]);
    assert_eq!(node.pool.get(&waiting[0].hash()), None);
    assert_eq!(node.pool.take(10, 7).transactions, [waiting[1].clone()]);
}

#[tokio::test]
async fn an_account_that_was_emptied_loses_what_it_cannot_pay_for() {
    let mut node = Node::new(1);
    let wallet = Wallet::new(0);
    let ether = 10_u64.pow(18);
    let cheap = offer(&wallet, Offer { nonce: 1, ..Offer::default() });
    let dear = offer(&wallet, Offer { nonce: 2, value: 18 * ether, ..Offer::default() });
    for transaction in [&cheap, &dear] {
        node.submit(transaction).await.expect("accepted");
    }
    let all = U256::from(9_999) * U256::from(ether);
    let emptying = kit::send(&wallet, 0, all);
    node.seal(&[emptying]);
    assert_eq!(node.pool.take(10, 7).transactions, [cheap]);
    assert_eq!(node.pool.refusal(&dear.hash()).as_deref(), Some("insufficient funds in block 1"));
}

#[tokio::test]
async fn what_was_refused_is_gone_and_its_reason_is_known() {
    let node = Node::new(1);
    let wallet = Wallet::new(0);
    let at = |nonce| offer(&wallet, Offer { nonce, ..Offer::default() });
    for nonce in 0..3 {
        node.submit(&at(nonce)).await.expect("accepted");
    }
    node.pool.drop_refused(&at(1).hash(), &Refused::RowWork);
    assert_eq!(node.pool.take(10, 7).transactions, [at(0)]);
    assert_eq!(node.pool.get(&at(1).hash()), None);
    assert!(node.pool.refusal(&at(1).hash()).expect("a reason").contains("work"));
    assert_eq!(node.pool.queued(), 1);
}

#[tokio::test]
async fn an_accepted_transaction_outlives_the_process() {
    let mut node = Node::new(2);
    let (mut one, two) = (Wallet::new(0), Wallet::new(1));
    let sent: Vec<Recovered> = (0..5).map(|at| one.transfer(two.address(), at)).collect();
    for transaction in &sent {
        node.submit(transaction).await.expect("accepted");
    }
    node.reopen();
    assert_eq!(node.pool.take(10, 7).transactions, sent);
    // A crash between a block and whatever the pool does about it: the pool hears of it only by opening.
    node.publish(&sent[..2]);
    node.reopen();
    assert_eq!(node.pool.take(10, 7).transactions, sent[2..]);
    assert_eq!(node.submit(&sent[3]).await, Err(Rejected::AlreadyKnown(sent[3].hash())));
    assert_eq!(node.submit(&sent[0]).await, Err(Rejected::NonceTooLow { next: 2, found: 0 }));
}

/// The journal has what left the pool as well, before what waits: it is no reason to refuse what waits.
#[tokio::test]
async fn what_was_accepted_is_back_whatever_stands_before_it_in_the_journal() {
    let mut node = Node::new(1);
    let wallet = Wallet::new(0);
    let ether = U256::from(10).pow(U256::from(18));
    let dear = offer(&wallet, Offer { nonce: 1, tip: TIP * 10, fee: MAX_FEE * 10, ..Offer::default() });
    let all = send(&wallet, 2, ether * U256::from(9_999));
    for gone in [&dear, &all] {
        node.submit(gone).await.expect("accepted");
        node.pool.drop_refused(&gone.hash(), &Refused::RowGas);
    }
    let kept = [send(&wallet, 0, ether * U256::from(9_000)), offer(&wallet, Offer { nonce: 1, ..Offer::default() })];
    for transaction in &kept {
        node.submit(transaction).await.expect("accepted");
    }
    node.reopen();
    assert_eq!(node.pool.take(10, 7).transactions, kept);
}

/// It has taken the place of one that is durable already, which the journal would lose.
#[test]
fn a_journal_is_rewritten_with_what_is_not_durable_yet() {
    let (wallet, mut queue) = (Wallet::new(0), Queue::new(queue::Limits::default()));
    let standing = Standing { balance: U256::MAX, ..Standing::default() };
    let [old, new] = [1, 10].map(|times| {
        let (tip, fee) = (TIP * times, MAX_FEE * times);
        Arc::new(offer(&wallet, Offer { tip, fee, ..Offer::default() }))
    });
    queue.admit(old.clone(), standing).expect("accepted");
    queue.made_durable(&old.hash());
    queue.admit(new.clone(), standing).expect("replaces");
    assert_eq!(queue.get(&new.hash()), None, "it is not durable");
    assert_eq!(queue.all(), [(new, None)]);
}

#[tokio::test]
async fn a_raised_term_is_that_of_every_block_to_come() {
    let node = Node::new(1);
    let mut wallet = Wallet::new(0);
    let mut terms = Vec::new();
    let (mut first, mut second) = (node.producer(), node.producer());
    second.raise_term();
    for producer in [&mut first, &mut second] {
        node.submit(&wallet.transfer(Address::ZERO, 1)).await.expect("accepted");
        let block = producer.make_block().expect("makes blocks").expect("of one transaction");
        terms.push(block.header().term);
    }
    node.submit(&wallet.transfer(Address::ZERO, 1)).await.expect("accepted");
    // As after a restart: the term is the head's.
    terms.push(node.producer().make_block().expect("makes blocks").expect("of one transaction").header().term);
    assert_eq!(terms, [0, 1, 1]);
}

#[tokio::test]
async fn after_a_fault_nothing_is_accepted() {
    let node = Node::new(1);
    node.pool.stop_for_fault(7);
    let refused = node.submit(&Wallet::new(0).transfer(Address::ZERO, 1)).await;
    assert_eq!(refused, Err(Rejected::Faulty { height: 7 }));
    assert!(node.pool.ready().is_err_and(|why| why.contains("block 7")));
    assert_eq!(node.pool.pending() + node.pool.queued(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_answered_each() {
    let node = Arc::new(Node::new(8));
    let mut tasks = Vec::new();
    for seed in 0..8 {
        let node = node.clone();
        tasks.push(tokio::spawn(async move {
            let mut wallet = Wallet::new(seed);
            for _ in 0..20 {
                let transaction = wallet.transfer(Address::ZERO, 1);
                let (one, two) = tokio::join!(node.submit(&transaction), node.submit(&transaction));
                let known = Err(Rejected::AlreadyKnown(transaction.hash()));
                assert!((one.is_ok() && two == known) || (two.is_ok() && one == known));
                assert!(node.pool.get(&transaction.hash()).is_some(), "known means durable");
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(node.pool.pending(), 160);
}

#[test]
fn reasons_are_bounded() {
    let mut reasons = Reasons::default();
    for at in 0..2 * limits::POOL_REASONS {
        reasons.note(U256::from(at).into(), "why".into());
    }
    assert_eq!((reasons.by_hash.len(), reasons.order.len()), (limits::POOL_REASONS, limits::POOL_REASONS));
}

/// The whole way, as a node goes it: submit, make blocks, stop in between, go on.
#[tokio::test]
async fn what_is_accepted_comes_into_blocks_in_the_order_of_nonces() {
    let mut node = Node::new(4);
    let mut wallets: Vec<Wallet> = (0..4).map(Wallet::new).collect();
    let mut sent = Vec::new();
    for round in 0..5 {
        for wallet in &mut wallets {
            sent.push(wallet.transfer(Address::repeat_byte(round), 1));
        }
    }
    // Each account's nonces arrive backwards, and the node stops twice.
    let mut included = Vec::new();
    for (at, transaction) in sent.iter().rev().enumerate() {
        node.submit(transaction).await.expect("accepted");
        if at % 7 == 6 {
            included.extend(node.produce());
            node.reopen();
        }
    }
    included.extend(node.produce());
    assert_eq!(node.pool.pending() + node.pool.queued(), 0);
    assert_eq!(included.len(), sent.len());
    for wallet in &wallets {
        let nonces = included.iter().filter(|sealed| sealed.0 == wallet.address()).map(|sealed| sealed.1);
        assert_eq!(nonces.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(node.pool.next_nonce(&wallet.address()), 5);
    }
}
