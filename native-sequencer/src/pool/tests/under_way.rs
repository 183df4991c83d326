//! What is taken for a block may be in it whatever becomes of the pool meanwhile, so no promise is given that it could break.

use super::{
    super::intake::{self, Submission},
    kit::{Node, Offer, offer},
    promises::{at, dearer},
    *,
};

#[tokio::test]
async fn what_was_taken_is_not_replaced_by_something_promised() {
    let mut node = Node::new(1);
    let one = Wallet::new(0);
    node.submit(&at(&one, 0)).await.expect("accepted");
    assert_eq!(node.pool.take(10, 7).transactions, [at(&one, 0)]);
    assert_eq!(node.refusal_of(&dearer(&one, 0)).await, NoPromise::UnderWay);
    // Nor one by one, nor does what comes behind count with what is not sure to be in.
    node.submit(&dearer(&one, 0)).await.expect("replaces");
    assert_eq!(node.refusal_of(&dearer(&one, 0)).await, NoPromise::UnderWay);
    assert_eq!(node.refusal_of(&dearer(&one, 1)).await, NoPromise::UnderWay);
    node.seal(&[at(&one, 0)]);
    node.promise(&dearer(&one, 1)).await.expect("it is known what was in");
}

#[tokio::test]
async fn an_authorization_that_was_taken_counts_until_the_block_is_sealed() {
    let (mut node, authority, mut sponsor) = (Node::new(2), Wallet::new(0), Wallet::new(1));
    let sponsored = sponsor.delegate(&mut authority.clone(), Address::repeat_byte(9));
    node.submit(&sponsored).await.expect("accepted");
    assert_eq!(node.pool.take(10, 7).transactions, std::slice::from_ref(&sponsored));
    let another = offer(&Wallet::new(1), Offer { fee: 2 * MAX_FEE, tip: 2 * TIP, gas: 100_000, ..Offer::default() });
    node.submit(&another).await.expect("replaces");
    assert_eq!(node.refusal_of(&at(&authority, 0)).await, NoPromise::UnderWay);
    node.seal(&[sponsored]);
    assert_eq!(node.refusal_of(&at(&authority, 1)).await, NoPromise::Delegated);
}

#[tokio::test]
async fn what_was_not_taken_can_be_replaced_by_something_promised() {
    let node = Node::new(1);
    let one = Wallet::new(0);
    node.submit(&at(&one, 0)).await.expect("accepted");
    assert_eq!(node.pool.take(0, 7).transactions, []);
    node.promise(&dearer(&one, 0)).await.expect("promised");
}

#[tokio::test]
async fn a_block_that_is_not_made_leaves_nothing_uncertain() {
    let node = Node::new(1);
    let one = Wallet::new(0);
    node.submit(&at(&one, 0)).await.expect("accepted");
    let _ = node.pool.take(10, 7);
    node.pool.drop_refused(&at(&one, 0).hash(), &Refused::RowGas);
    assert_eq!(node.refusal_of(&at(&one, 0)).await, NoPromise::UnderWay);
    node.pool.none_made();
    node.promise(&at(&one, 0)).await.expect("promised");
}

#[tokio::test]
async fn what_is_in_a_block_that_was_made_is_not_taken_for_the_next_one() {
    let mut node = Node::new(2);
    let (one, two) = (Wallet::new(0), Wallet::new(1));
    for sent in [at(&one, 0), at(&one, 1), dearer(&two, 0)] {
        node.submit(&sent).await.expect("accepted");
    }
    // What was taken and left out is taken again, and so is what follows on what was not.
    assert_eq!(node.pool.take(3, 7).transactions, [dearer(&two, 0), at(&one, 0), at(&one, 1)]);
    let (block, writes) = node.assemble(&[at(&one, 0)]);
    node.pool.made(block.header(), &writes);
    assert_eq!(node.pool.take(3, 7).transactions, [dearer(&two, 0), at(&one, 1)]);
    let (pending, waits) = (node.pool.next_nonce(&one.address()), node.pool.get(&at(&one, 0).hash()));
    assert_eq!((pending, waits.is_some()), (2, true), "it waits until it is published");
    // It is promised for blocks after the one that is being made.
    let window = node.promise(&at(&one, 2)).await.expect("promised");
    assert_eq!(window.after, 2);

    node.publish_made(&block, &writes);
    node.pool.sealed(&block, &writes);
    assert!(node.pool.get(&at(&one, 0).hash()).is_none());
    node.pool.none_made();
    assert_eq!(node.pool.take(3, 7).transactions, [at(&one, 1), at(&one, 2), dearer(&two, 0)]);
}

#[tokio::test]
async fn nothing_is_ready_when_all_of_it_is_in_a_block_that_was_made() {
    let mut node = Node::new(1);
    let one = Wallet::new(0);
    node.submit(&at(&one, 0)).await.expect("accepted");
    let _ = node.pool.take(10, 7);
    let (block, writes) = node.assemble(&[at(&one, 0)]);
    node.pool.made(block.header(), &writes);
    assert!(!node.pool.wait_for_work(Duration::ZERO));
    assert_eq!(node.pool.take(10, 7).transactions, []);
    node.submit(&at(&one, 1)).await.expect("accepted");
    assert!(node.pool.wait_for_work(Duration::ZERO));
    node.publish_made(&block, &writes);
    node.pool.sealed(&block, &writes);
    assert_eq!(node.pool.take(10, 7).transactions, [at(&one, 1)]);
}

#[tokio::test]
async fn of_two_blocks_under_way_each_is_uncertain_until_it_is_sealed() {
    let mut node = Node::new(2);
    let (one, two) = (Wallet::new(0), Wallet::new(1));
    node.submit(&at(&one, 0)).await.expect("accepted");
    let _ = node.pool.take(10, 7);
    let (block, writes) = node.assemble(&[at(&one, 0)]);
    node.pool.made(block.header(), &writes);
    node.submit(&at(&two, 0)).await.expect("accepted");
    assert_eq!(node.pool.take(10, 7).transactions, [at(&two, 0)]);
    for wallet in [&one, &two] {
        node.submit(&dearer(wallet, 0)).await.expect("replaces");
        assert_eq!(node.refusal_of(&dearer(wallet, 1)).await, NoPromise::UnderWay);
    }
    assert_eq!(
        node.pool.take(10, 7).transactions,
        [dearer(&two, 0)],
        "the other's nonce is used by the block that was made"
    );
    node.publish_made(&block, &writes);
    node.pool.sealed(&block, &writes);
    node.promise(&dearer(&one, 1)).await.expect("it is known what was in");
    node.submit(&offer(&two, Offer { fee: 4 * MAX_FEE, tip: 4 * TIP, ..Offer::default() })).await.expect("replaces");
    assert_eq!(node.refusal_of(&dearer(&two, 1)).await, NoPromise::UnderWay);
    node.pool.none_made();
    node.promise(&offer(&two, Offer { nonce: 1, ..Offer::default() })).await.expect("nothing is under way");
}

#[tokio::test]
async fn a_producer_that_makes_no_block_says_so() {
    // Nothing fits into a row, so what is taken is refused.
    let node = Node::with_params(1, |params| params.limits.row_gas = 20_000);
    let one = Wallet::new(0);
    node.submit(&at(&one, 0)).await.expect("accepted");
    assert!(node.producer().make_block().expect("no failure").is_none());
    assert!(node.pool.get(&at(&one, 0).hash()).is_none());
    assert_eq!(node.refusal_of(&at(&one, 0)).await, NoPromise::Large(at(&one, 0).hash()));
}

#[tokio::test]
async fn what_only_a_longer_attempt_refused_still_waits() {
    // A column a key, so a block holds some thirty accounts.
    let node = Node::with_params(80, |params| params.limits.column_accesses = 1);
    let (authority, mut sponsor) = (Wallet::new(78), Wallet::new(79));
    for seed in 0..78 {
        node.submit(&dearer(&Wallet::new(seed), 0)).await.expect("accepted");
    }
    // Goes before its authority's own, and uses the nonce of that.
    node.submit(&sponsor.delegate(&mut authority.clone(), Address::repeat_byte(9))).await.expect("accepted");
    let own = offer(&authority, Offer { tip: TIP / 2, ..Offer::default() });
    node.submit(&own).await.expect("accepted");
    let mut producer = node.producer();
    let block = producer.make_block().expect("makes blocks").expect("of what waits");
    assert!((1..78).contains(&block.transactions.len()), "{}", block.transactions.len());
    assert_eq!(node.pool.refusal(&own.hash()), None);
    assert!(node.pool.get(&own.hash()).is_some());
    while producer.make_block().expect("makes blocks").is_some() {}
    assert!(node.pool.refusal(&own.hash()).is_some(), "once the authorization is in");
}

/// Has the intake take a transaction that is to be promised, and the journal be done with it only after `meanwhile`.
async fn promised_late(
    node: &mut Node,
    one: &Recovered,
    meanwhile: impl FnOnce(&mut Node),
) -> Result<Accepted, Rejected> {
    let (answer, answers) = oneshot::channel();
    let submission = Submission { raws: vec![one.encoded().clone()], wants_promise: true, answer };
    let shared = node.pool.shared.clone();
    let batch = intake::admit(&shared, vec![submission]);
    meanwhile(node);
    intake::answer(&shared, batch, true);
    answers.await.expect("answered").remove(0)
}

#[tokio::test]
async fn no_promise_is_signed_for_what_is_gone() {
    let mut node = Node::new(1);
    let one = Wallet::new(0);
    let answer = promised_late(&mut node, &at(&one, 0), |node| node.seal(&[dearer(&one, 0)])).await;
    assert!(matches!(answer, Err(Rejected::NoPromise(NoPromise::Gone))), "{answer:?}");
    // What waited before may have been in.
    node.submit(&at(&one, 1)).await.expect("accepted");
    let answer = promised_late(&mut node, &at(&one, 1), |node| node.seal(&[at(&one, 1)])).await;
    assert!(answer.is_ok(), "{answer:?}");
    node.submit(&at(&one, 2)).await.expect("accepted");
    let refuse = |node: &mut Node| node.pool.drop_refused(&at(&one, 2).hash(), &Refused::RowGas);
    let answer = promised_late(&mut node, &at(&one, 2), refuse).await;
    assert!(matches!(answer, Err(Rejected::NoPromise(NoPromise::Gone))), "{answer:?}");
}

#[tokio::test]
async fn what_is_promised_too_late_waits_and_has_a_code_of_its_own() {
    let mut node = Node::new(2);
    let (one, mut two) = (Wallet::new(0), Wallet::new(1));
    let blocks = limits::PROMISE_BLOCKS - limits::PROMISE_BLOCKS_LEFT + 1;
    let seal = |node: &mut Node| (0..blocks).for_each(|_| node.seal(&[two.transfer(Address::ZERO, 1)]));
    let answer = promised_late(&mut node, &at(&one, 0), seal).await.expect_err("too late");
    assert_eq!((&answer, answer.reason()), (&Rejected::NoPromise(NoPromise::TooLate), "too_late"));
    assert!(node.pool.get(&at(&one, 0).hash()).is_some());
    let window = node.promise(&at(&one, 0)).await.expect("asked again");
    assert_eq!(window.after, blocks);
}
