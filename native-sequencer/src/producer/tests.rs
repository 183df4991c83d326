//! Blocks that are made while the one before them is sealed.

use super::*;
use crate::pool::tests::kit::{Node, Offer, offer};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use ocelli_core::key::Key;
use ocelli_tests::{
    bytecode::Code,
    wallet::{TIP, Wallet},
};

/// Makes one block on top of what was made before, with one transaction.
fn make(producer: &mut Producer) -> MadeBlock {
    producer.make().expect("makes blocks").expect("of what waits")
}

#[tokio::test]
async fn a_block_is_made_on_the_one_that_is_being_sealed() {
    let node = Node::new(1);
    let one = Wallet::new(0);
    let at = |nonce| offer(&one, Offer { nonce, ..Offer::default() });
    let mut producer = node.producer();
    node.submit(&at(0)).await.expect("accepted");
    let first = make(&mut producer);
    let (hash, before) = (first.header().hash(), node.published().hash);
    producer.seal(first).expect("begins");
    node.submit(&at(1)).await.expect("accepted");
    let second = make(&mut producer);
    assert_eq!((second.header().height, second.header().parent), (2, hash));
    assert_eq!((second.signed.header.height, &second.transactions), (2, &vec![at(1)]));
    producer.seal(second).expect("begins");
    let sealed = producer.sealer.wait().expect("seals").expect("the second one");
    assert_ne!(before, hash);
    assert_eq!((node.published().hash, node.pool.pending()), (sealed.hash, 0));
}

#[tokio::test]
async fn what_a_block_deploys_runs_in_the_next_one_before_it_is_published() {
    let mut node = Node::new(2);
    let (mut one, two) = (Wallet::new(0), Wallet::new(1));
    let (deploying, contract) = one.deploy(&Code::new().number(7).store(1).bytes());
    let mut producer = node.producer();
    node.submit(&deploying).await.expect("accepted");
    let first = make(&mut producer);
    // The store has another block at its height, so it is never published.
    let (other, writes) = node.assemble(&[offer(&two, Offer::default())]);
    node.append(&other, &writes);
    producer.seal(first).expect("begins");
    node.submit(&one.send(TxKind::Call(contract), U256::ZERO, Bytes::new(), 100_000)).await.expect("accepted");
    let second = make(&mut producer);
    assert!(second.executed.rows[1].receipts[0].success);
    let slot = Key::Slot(contract, U256::ONE).path();
    assert_eq!(second.writes().iter().filter(|leaf| leaf.path == slot).count(), 1);
}

#[tokio::test]
async fn a_block_that_cannot_be_made_durable_ends_production_though_nothing_else_can_be_made() {
    let mut node = Node::new(2);
    let (one, two) = (Wallet::new(0), Wallet::new(1));
    let mut producer = node.producer();
    node.submit(&offer(&one, Offer::default())).await.expect("accepted");
    let first = make(&mut producer);
    let (other, writes) = node.assemble(&[offer(&two, Offer::default())]);
    node.append(&other, &writes);
    producer.seal(first).expect("begins");
    assert!(matches!(producer.make(), Err(ProducerError::Store(StoreError::NotNext { .. }))));
    // Nor does it go on from what is published, with another block at the height of the one that failed.
    node.submit(&offer(&two, Offer::default())).await.expect("accepted");
    assert!(matches!(producer.make_block(), Err(ProducerError::SealerEnded)));
    assert_eq!(node.published().header.height, 0);
}

#[tokio::test]
async fn what_a_block_refuses_waits_until_it_is_durable_why() {
    let mut node = Node::new(3);
    let (authority, mut sponsor, two) = (Wallet::new(0), Wallet::new(1), Wallet::new(2));
    let own = offer(&authority, Offer { tip: TIP / 2, ..Offer::default() });
    let mut producer = node.producer();
    // Uses the nonce of the other one.
    node.submit(&sponsor.delegate(&mut authority.clone(), Address::repeat_byte(9))).await.expect("accepted");
    node.submit(&own).await.expect("accepted");
    let first = make(&mut producer);
    assert_eq!(first.refused.len(), 1);
    let (other, writes) = node.assemble(&[offer(&two, Offer::default())]);
    node.append(&other, &writes);
    producer.seal(first).expect("begins");
    assert!(producer.sealer.wait().is_err());
    assert!(node.pool.get(&own.hash()).is_some(), "a crash now would leave it valid");
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_not_published_nor_what_was_made_on_it() {
    let mut node = Node::new(2);
    let (one, two) = (Wallet::new(0), Wallet::new(1));
    let mut producer = node.producer();
    for nonce in 0..2 {
        node.submit(&offer(&one, Offer { nonce, ..Offer::default() })).await.expect("accepted");
    }
    let first = make(&mut producer);
    // The store has another block at its height, so it takes this one no more.
    let (other, writes) = node.assemble(&[offer(&two, Offer::default())]);
    node.append(&other, &writes);
    producer.seal(first).expect("begins");
    node.submit(&offer(&one, Offer { nonce: 2, ..Offer::default() })).await.expect("accepted");
    let second = make(&mut producer);
    assert_eq!(second.header().height, 2);
    assert!(matches!(producer.seal(second), Err(ProducerError::Store(StoreError::NotNext { .. }))));
    assert_eq!(node.published().header.height, 0);
    assert_eq!(node.pool.pending(), 3, "all of it still waits");
}
