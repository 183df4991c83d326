//! Whoever has a promise and believes one header can tell what became of it, and proofs about something else decide nothing.

use ocelli_core::{
    header::Header,
    key::Key,
    message::{ReceiptProof, StateProof},
    promise::{Breach, Outcome, Promise, Proofs, Undecided, VoidReason, Window},
    transaction::Recovered,
};
use ocelli_tests::{
    chain::{TestBlock, TestChain},
    wallet::{MAX_FEE, Wallet},
};

/// Two wallets and four blocks, in the third of which the first wallet's transaction is, or another one in its place.
struct Story {
    chain: TestChain,
    headers: Vec<Header>,
    promised: Recovered,
    promise: Promise,
    account: StateProof,
    used: Option<ReceiptProof>,
}

fn receipt(block: &TestBlock) -> ReceiptProof {
    let row = &block.rows[1];
    let (height, manifest) = (block.signed.header.height, &block.assembled.manifest);
    ReceiptProof::new(height, manifest, (1, 0), &row.body().transactions, &row.receipts).expect("a transaction")
}

/// What is in the third block, given two transactions of one nonce.
fn story(choose: impl FnOnce(&Recovered, &Recovered) -> Option<Recovered>) -> Story {
    let (mut one, mut two) = (Wallet::new(0), Wallet::new(1));
    let mut chain = TestChain::new([&one, &two]);
    let promised = one.clone().transfer(two.address(), 1);
    let third = choose(&promised, &one.transfer(two.address(), 2));
    let mut headers = Vec::new();
    let mut used = None;
    for height in 1..=4 {
        let transaction = third.clone().filter(|_| height == 3).unwrap_or_else(|| two.transfer(one.address(), 1));
        let block = chain.block(&[std::slice::from_ref(&transaction)]);
        if third.as_ref() == Some(&transaction) {
            used = Some(receipt(&block));
        }
        headers.push(block.signed.header.clone());
    }
    let promise = Promise::new(&promised, Window { after: 1, height: 4 }, headers[3].term);
    let account = StateProof::new(4, &chain.state.tree, &[Key::Account(one.address())]);
    Story { chain, headers, promised, promise, account, used }
}

impl Story {
    fn proofs(&self) -> Proofs<'_> {
        Proofs { headers: &self.headers, account: &self.account, used: self.used.as_ref() }
    }

    fn judge(&self, promise: &Promise, proofs: &Proofs<'_>) -> Result<Outcome, Undecided> {
        promise.judge(&self.promised, proofs, &self.chain.config.params)
    }

    fn outcome(&self) -> Result<Outcome, Undecided> {
        self.judge(&self.promise, &self.proofs())
    }
}

#[test]
fn a_promised_transaction_that_is_in_is_a_promise_kept() {
    let story = story(|promised, _| Some(promised.clone()));
    assert_eq!(story.outcome(), Ok(Outcome::Kept));
    let fewer = Proofs { headers: &story.headers[1..], ..story.proofs() };
    assert_eq!(story.judge(&story.promise, &fewer), Ok(Outcome::Kept));
}

#[test]
fn one_that_is_not_in_is_a_promise_broken() {
    assert_eq!(story(|_, _| None).outcome(), Ok(Outcome::Broken(Breach::NotIncluded)));
    assert_eq!(story(|_, other| Some(other.clone())).outcome(), Ok(Outcome::Broken(Breach::Displaced)));
}

#[test]
fn a_promise_of_another_term_is_void() {
    let story = story(|_, _| None);
    let promise = Promise { term: story.promise.term + 1, ..story.promise };
    assert_eq!(story.judge(&promise, &story.proofs()), Ok(Outcome::Void(VoidReason::HandOver)));
}

#[test]
fn only_the_base_fees_of_the_blocks_that_count_make_a_promise_void() {
    let story = story(|_, _| None);
    // A fee that only the first block's base fee is not above: the base fee rises when blocks are full, so headers are made.
    let mut headers = story.headers.clone();
    for (at, header) in headers.iter_mut().enumerate() {
        header.base_fee = if at == 0 { 0 } else { MAX_FEE as u64 + 1 };
    }
    relink(&mut headers);
    let after =
        |after| story.judge(&Promise { after, ..story.promise }, &Proofs { headers: &headers, ..story.proofs() });
    assert_eq!(after(1), Ok(Outcome::Void(VoidReason::BaseFee)));
    assert_eq!(after(0), Ok(Outcome::Broken(Breach::NotIncluded)), "it could have been in the first block");
}

fn relink(headers: &mut [Header]) {
    for at in 1..headers.len() {
        headers[at].parent = headers[at - 1].hash();
    }
}

#[test]
fn proofs_about_something_else_decide_nothing() {
    let story = story(|promised, _| Some(promised.clone()));
    let proofs = story.proofs();
    let judge = |proofs: &Proofs<'_>| story.judge(&story.promise, proofs);
    assert_eq!(judge(&Proofs { used: None, ..proofs }), Err(Undecided::NotShown));
    assert_eq!(judge(&Proofs { headers: &story.headers[2..], ..proofs }), Err(Undecided::Headers), "one is missing");
    assert_eq!(judge(&Proofs { headers: &story.headers[..3], ..proofs }), Err(Undecided::Headers), "too early");
    let mut unlinked = story.headers.clone();
    unlinked[1].base_fee += 1;
    assert_eq!(judge(&Proofs { headers: &unlinked, ..proofs }), Err(Undecided::Headers));
    let other = StateProof::new(4, &story.chain.state.tree, &[Key::Account(Wallet::new(1).address())]);
    assert_eq!(judge(&Proofs { account: &other, ..proofs }), Err(Undecided::OtherAccount));
    let other = Wallet::new(0).transfer(Wallet::new(2).address(), 9);
    let judged = story.promise.judge(&other, &proofs, &story.chain.config.params);
    assert_eq!(judged, Err(Undecided::OtherTransaction));
    let mut altered = story.used.clone().expect("used");
    altered.receipt.gas_used += 1;
    assert!(matches!(judge(&Proofs { used: Some(&altered), ..proofs }), Err(Undecided::Used(_))));
}
