//! A promise is given only for what can be kept, and what is promised is in by its height, whatever else happens.

use super::{
    super::queue::{Limits, Queue, Standing, Terms},
    kit::{Node, Offer, offer},
    *,
};
use ocelli_core::params::Params;
use ocelli_tests::chain::params;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

impl Node {
    pub(super) async fn promise(&self, transaction: &Recovered) -> Result<Window, Rejected> {
        let answers = self.pool.submit_all(vec![transaction.encoded().clone()], true).await;
        let [answer] = <[_; 1]>::try_from(answers).expect("one answer");
        answer.map(|accepted| {
            assert_eq!(*accepted.transaction, *transaction);
            accepted.window.expect("a promise was asked for")
        })
    }

    pub(super) async fn refusal_of(&self, transaction: &Recovered) -> NoPromise {
        let waiting = self.pool.pending() + self.pool.queued();
        let refused = self.promise(transaction).await;
        assert_eq!(self.pool.pending() + self.pool.queued(), waiting, "nothing is kept of it");
        match refused {
            Err(Rejected::NoPromise(why)) => why,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn at(wallet: &Wallet, nonce: u64) -> Recovered {
    offer(wallet, Offer { nonce, ..Offer::default() })
}

pub(super) fn dearer(wallet: &Wallet, nonce: u64) -> Recovered {
    offer(wallet, Offer { nonce, fee: 2 * MAX_FEE, tip: 2 * TIP, ..Offer::default() })
}

#[tokio::test]
async fn a_promise_counts_from_the_first_block_that_can_have_it() {
    let node = Node::new(2);
    let window = node.promise(&at(&Wallet::new(0), 0)).await.expect("promised");
    assert_eq!(window, Window { after: 0, height: limits::PROMISE_BLOCKS });
    // A block is under way, and what is taken now is not in it.
    let _ = node.pool.take(0, 7);
    let window = node.promise(&at(&Wallet::new(1), 0)).await.expect("promised");
    assert_eq!(window, Window { after: 1, height: 1 + limits::PROMISE_BLOCKS });
}

#[tokio::test]
async fn what_can_become_worthless_is_not_promised() {
    let delegate = [&[0xef, 1, 0], [9; 20].as_slice()].concat();
    let (one, delegated, mut authority, mut sponsor) = (Wallet::new(0), Wallet::new(1), Wallet::new(2), Wallet::new(3));
    let node = Node::with_codes(4, &[(delegated.address(), delegate)]);
    assert_eq!(node.refusal_of(&at(&one, 1)).await, NoPromise::NotReady);
    let large = offer(&one, Offer { gas: 230_000, ..Offer::default() });
    assert_eq!(node.refusal_of(&large).await, NoPromise::Large(large.hash()));
    assert_eq!(node.refusal_of(&at(&delegated, 1)).await, NoPromise::Delegated);

    node.submit(&large).await.expect("accepted without a promise");
    assert_eq!(node.refusal_of(&at(&one, 1)).await, NoPromise::Large(large.hash()));
    let sponsored = sponsor.delegate(&mut authority.clone(), Address::repeat_byte(9));
    node.submit(&sponsored).await.expect("accepted");
    assert_eq!(node.refusal_of(&authority.transfer(one.address(), 1)).await, NoPromise::Delegated);
}

#[tokio::test]
async fn a_transaction_behind_a_cheaper_one_is_not_promised() {
    let node = Node::new(1);
    let one = Wallet::new(0);
    node.submit(&at(&one, 0)).await.expect("accepted");
    assert_eq!(node.refusal_of(&dearer(&one, 1)).await, NoPromise::Before(at(&one, 0).hash()));
    node.promise(&at(&one, 1)).await.expect("promised");
    let cheap = offer(&one, Offer { nonce: 2, fee: 7, tip: 0, ..Offer::default() });
    node.promise(&cheap).await.expect("promised");
}

#[test]
fn a_fee_below_the_next_base_fee_is_not_promised() {
    let (params, mut queue) = (small_params(), Queue::new(Limits::default()));
    let standing = Standing { balance: U256::MAX, ..Standing::default() };
    let one = Arc::new(offer(&Wallet::new(0), Offer { fee: 99, tip: 0, ..Offer::default() }));
    let terms = |base_fee| Terms { params: &params, base_fee, height: 9 };
    let refused = queue.promise(&one, standing, &terms(100));
    assert_eq!(refused, Err(Rejected::NoPromise(NoPromise::Fee { base_fee: 100 })));
    assert_eq!(queue.promise(&one, standing, &terms(99)), Ok(()));
    queue.made_durable(&one.hash());
    assert_eq!(queue.take(10, 100), (vec![], 0), "no block takes it whose base fee is higher");
    assert_eq!(queue.take(10, 99), (vec![one], 1));
}

#[tokio::test]
async fn nothing_takes_the_place_of_what_is_promised_or_comes_before_it() {
    let node = Node::new(2);
    let (one, mut two) = (Wallet::new(0), Wallet::new(1));
    node.submit(&at(&one, 0)).await.expect("accepted");
    node.submit(&at(&one, 1)).await.expect("accepted");
    let window = node.promise(&at(&one, 1)).await.expect("what waits can be promised");
    assert_eq!(node.promise(&at(&one, 1)).await, Ok(window), "and again");
    node.submit(&at(&one, 2)).await.expect("accepted");
    for nonce in 0..2 {
        let refused = node.submit(&dearer(&one, nonce)).await;
        let known = at(&one, nonce).hash();
        assert_eq!(refused, Err(Rejected::Promised { known, height: window.height }));
        assert_eq!(node.promise(&dearer(&one, nonce)).await, refused.map(|_| window));
    }
    node.submit(&dearer(&one, 2)).await.expect("what is not promised can be replaced");
    let authorization = two.delegate(&mut one.clone(), Address::repeat_byte(9));
    assert_eq!(node.submit(&authorization).await, Err(Rejected::AuthorityReserved(one.address())));
}

#[tokio::test]
async fn what_was_promised_in_vain_can_be_replaced_afterwards() {
    let mut node = Node::new(2);
    let (one, mut two) = (Wallet::new(0), Wallet::new(1));
    let window = node.promise(&at(&one, 0)).await.expect("promised");
    // As if their base fee were above what it offers.
    for height in 1..=window.height {
        assert!(node.submit(&dearer(&one, 0)).await.is_err(), "before block {height}");
        node.seal(&[two.transfer(one.address(), 1)]);
    }
    node.submit(&dearer(&one, 0)).await.expect("replaces");
    assert_eq!(node.pool.take(10, 7), Taken { transactions: vec![dearer(&one, 0)], promised: 0 });
}

#[tokio::test]
async fn a_restart_keeps_what_was_promised() {
    let mut node = Node::new(2);
    let (one, two) = (Wallet::new(0), Wallet::new(1));
    // Its predecessor comes last in the journal.
    node.submit(&dearer(&one, 1)).await.expect("accepted");
    node.submit(&dearer(&one, 0)).await.expect("accepted");
    node.submit(&offer(&two, Offer { fee: 10 * MAX_FEE, tip: 10 * TIP, ..Offer::default() })).await.expect("accepted");
    let window = node.promise(&dearer(&one, 1)).await.expect("promised");
    for _ in 0..2 {
        node.reopen();
        let taken = node.pool.take(10, 7);
        assert_eq!((taken.promised, &taken.transactions[..2]), (2, &[dearer(&one, 0), dearer(&one, 1)][..]));
        let replacement = offer(&one, Offer { fee: 10 * MAX_FEE, tip: 10 * TIP, ..Offer::default() });
        let known = dearer(&one, 0).hash();
        assert_eq!(node.submit(&replacement).await, Err(Rejected::Promised { known, height: window.height }));
    }
    assert_eq!(node.produce().len(), 3);
}

#[tokio::test]
async fn a_restart_brings_back_nothing_that_makes_a_promise_worthless() {
    let mut node = Node::new(3);
    let (one, mut two, mut own) = (Wallet::new(0), Wallet::new(1), Wallet::new(2));
    let authorization = two.delegate(&mut one.clone(), Address::repeat_byte(9));
    node.submit(&authorization).await.expect("accepted");
    // The journal keeps what leaves the pool like this.
    node.pool.drop_refused(&authorization.hash(), &Refused::RowGas);
    node.promise(&at(&one, 0)).await.expect("promised");
    let itself = own.delegate(&mut Wallet { nonce: 1, ..own.clone() }, Address::repeat_byte(9));
    let window = node.promise(&itself).await.expect("promised");
    assert_eq!(node.promise(&itself).await, Ok(window), "what it authorizes itself is no reason against it");
    node.reopen();
    assert_eq!(node.pool.get(&authorization.hash()), None);
    assert_eq!(node.pool.take(10, 7), Taken { transactions: vec![at(&one, 0), itself], promised: 2 });
}

#[tokio::test]
async fn a_height_that_no_promise_can_have_is_not_believed() {
    let mut node = Node::new(2);
    let (last, beyond) = (2 + limits::PROMISE_BLOCKS, 3 + limits::PROMISE_BLOCKS);
    let mut journal = node.journal();
    for (seed, height) in [(0, last), (1, beyond)] {
        let one = at(&Wallet::new(seed), 0);
        let check: Vec<u8> = height.to_be_bytes().iter().zip(one.hash()).map(|(height, hash)| height ^ hash).collect();
        let length = (one.encoded().len() as u32).to_be_bytes();
        journal.extend([&length[..], &height.to_be_bytes(), one.encoded(), &check].concat());
    }
    node.reopen_with_journal(&journal);
    let taken = node.pool.take(10, 7);
    assert_eq!((taken.promised, taken.transactions.len()), (1, 2));
    assert_eq!(taken.transactions[0], at(&Wallet::new(0), 0));
}

#[test]
fn a_row_has_room_for_every_key_that_a_promised_transaction_may_use() {
    let one = Arc::new(at(&Wallet::new(0), 0));
    let promised = |body_bytes| {
        let mut params = small_params();
        params.limits.row_body_bytes = body_bytes;
        let standing = Standing { balance: U256::MAX, ..Standing::default() };
        Queue::new(Limits::default()).promise(&one, standing, &Terms { params: &params, base_fee: 1, height: 9 })
    };
    // BLOCKHASH reads up to 256 slots, and the builder of a row's body counts 123 bytes for each.
    let hashes = 256 * ocelli_core::row::body::BYTES_A_KEY as u32;
    assert_eq!(promised(hashes), Err(Rejected::NoPromise(NoPromise::Large(one.hash()))));
    assert_eq!(promised(hashes + 10_000), Ok(()));
}

#[tokio::test]
async fn what_is_promised_is_in_the_next_block_however_full_it_is() {
    let node = Node::with_params(30, |params| params.gas_limit = 210_000);
    // Some of which set aside most of the block's gas while they run.
    for seed in 0..29 {
        let gas = if seed % 3 == 0 { 200_000 } else { 21_000 };
        let dear = Offer { fee: 9 * MAX_FEE, tip: 9 * TIP, gas, ..Offer::default() };
        node.submit(&offer(&Wallet::new(seed), dear)).await.expect("accepted");
    }
    let cheap = Wallet::new(29);
    for nonce in 0..5 {
        node.promise(&at(&cheap, nonce)).await.expect("promised");
    }
    assert_eq!(node.refusal_of(&at(&cheap, 5)).await, NoPromise::TooMuch);
    let block = node.producer().make_block().expect("makes blocks").expect("of what waits");
    let included = block.transactions.iter().filter(|one| one.sender == cheap.address()).count();
    assert_eq!(included, 5);
    node.promise(&at(&cheap, 5)).await.expect("there is room again");
}

#[tokio::test]
async fn a_long_lane_of_another_account_goes_behind_what_is_promised() {
    let node = Node::new(2);
    let (hot, one) = (Wallet::new(0), Wallet::new(1));
    let lane: Vec<Bytes> = (0..1_000).map(|nonce| dearer(&hot, nonce).encoded().clone()).collect();
    assert!(node.pool.submit_all(lane, false).await.iter().all(Result::is_ok));
    node.promise(&at(&one, 0)).await.expect("promised");
    assert_eq!(node.pool.take(1, 7), Taken { transactions: vec![at(&one, 0)], promised: 1 });
}

/// Accounts that ask for promises, while others send what pays more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_promise_is_kept_under_load() {
    const PROMISED: u64 = 6;
    let node = Node::with_params(12, |params| params.gas_limit = 40 * 21_000);
    let (pool, chain) = (node.pool.clone(), node.pool.shared.chain.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let (mut producer, stopped) = (node.producer(), stop.clone());
    let making = std::thread::spawn(move || producer.run(|| stopped.load(Ordering::Acquire)).expect("makes blocks"));
    let noise = (PROMISED..12).map(|seed| {
        let pool = pool.clone();
        tokio::spawn(async move {
            for nonce in 0..60 {
                let _ = pool.submit(dearer(&Wallet::new(seed), nonce).encoded().clone()).await;
            }
        })
    });
    let noise: Vec<_> = noise.collect();
    let asking = (0..PROMISED).map(|seed| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut given = Vec::new();
            for nonce in 0..20 {
                let one = at(&Wallet::new(seed), nonce);
                loop {
                    match pool.submit_all(vec![one.encoded().clone()], true).await.remove(0) {
                        Ok(accepted) => break given.push((one.hash(), accepted.window.expect("asked for"))),
                        Err(Rejected::NoPromise(NoPromise::TooMuch)) => tokio::task::yield_now().await,
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            given
        })
    });
    let mut given = Vec::new();
    for one in asking.collect::<Vec<_>>() {
        given.extend(one.await.expect("asked"));
    }
    for one in noise {
        one.await.expect("sent");
    }
    while pool.pending() > 0 {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Release);
    making.join().expect("ends");
    assert_eq!(given.len() as u64, PROMISED * 20);
    for (hash, window) in given {
        let place = chain.place_of(&hash).expect("reads").expect("is in");
        assert!(window.after < place.height && place.height <= window.height, "{place:?} {window:?}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Admit(u64, u64, bool),
    Promise(u64, u64, bool),
    Block(u64),
}

fn change() -> impl Strategy<Value = Change> {
    let one = || (0..3_u64, 0..6_u64, any::<bool>());
    prop_oneof![
        4 => one().prop_map(|(account, nonce, dear)| Change::Admit(account, nonce, dear)),
        4 => one().prop_map(|(account, nonce, dear)| Change::Promise(account, nonce, dear)),
        1 => (0..3_u64).prop_map(Change::Block),
    ]
}

fn small_params() -> Params {
    Params { gas_limit: 12 * 21_000, ..params(Address::ZERO) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One block, of half the gas, can take all that is promised, and takes it before anything else.
    #[test]
    fn all_that_is_promised_can_be_taken_at_once(changes in prop::collection::vec(change(), 1..40)) {
        let params = small_params();
        let mut queue = Queue::new(Limits::default());
        let mut nonces = [0_u64; 3];
        let (mut height, mut promised) = (0, B256Map::<u64>::default());
        let made = |account, nonce, dear| {
            let wallet = Wallet::new(account);
            Arc::new(if dear { dearer(&wallet, nonce) } else { at(&wallet, nonce) })
        };
        let standing = |nonce| Standing { nonce, balance: U256::MAX, delegated: false };
        for change in changes {
            match change {
                Change::Admit(account, nonce, dear) => {
                    let one = made(account, nonce, dear);
                    if queue.admit(one.clone(), standing(nonces[account as usize])).is_ok() {
                        queue.made_durable(&one.hash());
                    }
                }
                Change::Promise(account, nonce, dear) => {
                    let one = made(account, nonce, dear);
                    let terms = Terms { params: &params, base_fee: 1, height: height + 3 };
                    if queue.promise(&one, standing(nonces[account as usize]), &terms).is_ok() {
                        queue.made_durable(&one.hash());
                        promised.insert(one.hash(), height + 3);
                    }
                }
                Change::Block(account) => {
                    height += 1;
                    let nonce = &mut nonces[account as usize];
                    let address = Wallet::new(account).address();
                    let first = queue.take(usize::MAX, 1).0.into_iter().find(|one| one.sender() == address);
                    if let Some(first) = first {
                        *nonce += 1;
                        promised.remove(&first.hash());
                        queue.update(&address, standing(*nonce));
                    }
                    queue.release(height);
                    promised.retain(|_, by| *by > height);
                }
            }
            let (taken, held) = queue.take(usize::MAX, 1);
            let gas: u64 = taken[..held].iter().map(|one| one.gas_limit()).sum();
            prop_assert!(gas <= params.gas_limit / 2);
            let first: HashSet<B256> = taken[..held].iter().map(|one| one.hash()).collect();
            for hash in promised.keys() {
                prop_assert!(first.contains(hash), "{hash} is promised");
            }
        }
    }
}
