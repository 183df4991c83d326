//! The queue against the rules it stands for, over random changes.

use super::{
    super::queue::{Limits, Queue, Standing},
    kit::{Offer, offer},
    *,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::OnceLock};

const ACCOUNTS: u64 = 3;
const NONCES: u64 = 6;
const FEES: [(u128, u128); 3] = [(100, 1), (120, 50), (200, 100)];

/// A transaction for each account, nonce and fee: signed once, since that takes the time.
fn transactions() -> &'static BTreeMap<(u64, u64, usize), Arc<Recovered>> {
    static MADE: OnceLock<BTreeMap<(u64, u64, usize), Arc<Recovered>>> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut made = BTreeMap::new();
        for account in 0..ACCOUNTS {
            let wallet = Wallet::new(account);
            for (nonce, (at, (fee, tip))) in
                (0..NONCES).flat_map(|nonce| FEES.iter().enumerate().map(move |fee| (nonce, fee)))
            {
                let one = offer(&wallet, Offer { nonce, fee: *fee, tip: *tip, ..Offer::default() });
                made.insert((account, nonce, at), Arc::new(one));
            }
        }
        made
    })
}

fn sender(account: u64) -> Address {
    transactions()[&(account, 0, 0)].sender()
}

#[derive(Clone, Debug)]
enum Change {
    Admit(u64, u64, usize),
    Durable(u64, u64, usize),
    Remove(u64, u64, usize),
    /// An account's nonce moves up by this, and its balance becomes enough for so many transactions.
    Block(u64, u64, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let one = || (0..ACCOUNTS, 0..NONCES, 0..FEES.len());
    prop_oneof![
        6 => one().prop_map(|(account, nonce, fee)| Change::Admit(account, nonce, fee)),
        6 => one().prop_map(|(account, nonce, fee)| Change::Durable(account, nonce, fee)),
        1 => one().prop_map(|(account, nonce, fee)| Change::Remove(account, nonce, fee)),
        2 => (0..ACCOUNTS, 0..3_u64, 0..8_u64).prop_map(|(account, up, rich)| Change::Block(account, up, rich)),
    ]
}

/// So many times a transaction of the middle price.
fn balance(count: u64) -> U256 {
    U256::from(count) * transactions()[&(0, 0, 1)].max_cost()
}

/// The same rules, as slowly and plainly as they can be written.
#[derive(Default)]
struct Model {
    standings: BTreeMap<u64, Standing>,
    waiting: BTreeMap<(u64, u64), (Arc<Recovered>, bool)>,
}

impl Model {
    fn standing(&self, account: u64) -> Standing {
        self.standings.get(&account).copied().unwrap_or(Standing { balance: balance(4), ..Standing::default() })
    }

    fn of(&self, account: u64) -> impl Iterator<Item = (&u64, &(Arc<Recovered>, bool))> {
        self.waiting.range((account, 0)..(account + 1, 0)).map(|((_, nonce), one)| (nonce, one))
    }

    /// Those that follow on each other from the nonce and can be paid for.
    fn ready(&self, account: u64) -> Vec<&(Arc<Recovered>, bool)> {
        let standing = self.standing(account);
        let mut cost = U256::ZERO;
        let following = (standing.nonce..).map_while(|nonce| self.waiting.get(&(account, nonce)));
        following
            .take_while(|(one, _)| {
                cost += one.max_cost();
                cost <= standing.balance
            })
            .collect()
    }

    fn admits(&self, account: u64, one: &Recovered) -> bool {
        let standing = self.standing(account);
        let known = self.waiting.get(&(account, one.nonce())).map(|(known, _)| known);
        let others: U256 =
            self.of(account).filter(|(nonce, _)| **nonce != one.nonce()).map(|(_, (other, _))| other.max_cost()).sum();
        let replaces = known.is_none_or(|known| {
            let tenth_more = |known: u128, new: u128| new > known && new * 100 >= known * 110;
            let tip = |one: &Recovered| one.max_priority_fee_per_gas().unwrap();
            tenth_more(known.max_fee_per_gas(), one.max_fee_per_gas()) && tenth_more(tip(known), tip(one))
        });
        one.nonce() >= standing.nonce && others + one.max_cost() <= standing.balance && replaces
    }

    fn apply(&mut self, change: &Change) -> bool {
        match *change {
            Change::Admit(account, nonce, fee) => {
                let one = &transactions()[&(account, nonce, fee)];
                let admitted = self.admits(account, one);
                if admitted {
                    self.waiting.insert((account, nonce), (one.clone(), false));
                }
                return admitted;
            }
            Change::Durable(account, nonce, fee) => {
                let hash = transactions()[&(account, nonce, fee)].hash();
                if let Some((_, durable)) =
                    self.waiting.get_mut(&(account, nonce)).filter(|(one, _)| one.hash() == hash)
                {
                    *durable = true;
                }
            }
            Change::Remove(account, nonce, fee) => {
                let hash = transactions()[&(account, nonce, fee)].hash();
                self.waiting.retain(|_, (one, _)| one.hash() != hash);
            }
            Change::Block(account, up, rich) => {
                let before = self.standing(account);
                let after = Standing { nonce: before.nonce + up, balance: balance(rich), delegated: false };
                self.standings.insert(account, after);
                self.waiting.retain(|(of, nonce), (one, _)| {
                    let unpaid = after.balance < before.balance && one.max_cost() > after.balance;
                    *of != account || (*nonce >= after.nonce && !unpaid)
                });
            }
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_queue_is_what_its_rules_say(changes in prop::collection::vec(change(), 1..60)) {
        let (mut queue, mut model) = (Queue::new(Limits::default()), Model::default());
        for change in &changes {
            let standing = |account| model.standing(account);
            match *change {
                Change::Admit(account, nonce, fee) => {
                    let one = transactions()[&(account, nonce, fee)].clone();
                    let admitted = queue.admit(one, standing(account)).is_ok();
                    prop_assert_eq!(admitted, model.apply(change));
                }
                Change::Durable(account, nonce, fee) => {
                    queue.made_durable(&transactions()[&(account, nonce, fee)].hash());
                    model.apply(change);
                }
                Change::Remove(account, nonce, fee) => {
                    queue.remove(&transactions()[&(account, nonce, fee)].hash());
                    model.apply(change);
                }
                Change::Block(account, ..) => {
                    model.apply(change);
                    queue.update(&sender(account), model.standing(account));
                }
            }
            compare(&queue, &model)?;
        }
    }

    #[test]
    fn a_full_queue_lets_go_of_the_cheapest_idle_ones(admits in prop::collection::vec((0..ACCOUNTS, 0..NONCES, 0..FEES.len()), 1..60)) {
        let limits = Limits { transactions: 5, ..Limits::default() };
        let mut queue = Queue::new(limits);
        let standing = Standing { balance: balance(1_000), ..Standing::default() };
        for one in &admits {
            let one = &transactions()[one];
            let before: Vec<_> = queue.all().into_iter().map(|(one, _)| one).collect();
            let idle = queue.idle();
            let result = queue.admit(one.clone(), standing);
            queue.made_durable(&one.hash());
            prop_assert!(queue.len() <= 5);
            let after: Vec<_> = queue.all().into_iter().map(|(one, _)| one).collect();
            let gone: Vec<_> = before.iter().filter(|old| !queue.contains(&old.hash())).collect();
            match result {
                Ok(()) => {
                    prop_assert!(gone.len() <= 1);
                    // Replaced, or let go of.
                    for old in gone.into_iter().filter(|old| (old.sender(), old.nonce()) != (one.sender(), one.nonce())) {
                        prop_assert!(idle > 0);
                        let of_others = after.iter().filter(|kept| kept.sender() == old.sender());
                        prop_assert!(of_others.clone().all(|kept| kept.nonce() != old.nonce()));
                    }
                }
                Err(Rejected::Full) => prop_assert!(gone.is_empty() && before.len() == 5),
                Err(_) => prop_assert!(gone.is_empty()),
            }
        }
    }
}

fn compare(queue: &Queue, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(queue.len(), model.waiting.len());
    prop_assert_eq!(queue.bytes(), model.waiting.values().map(|(one, _)| one.encoded().len()).sum::<usize>());
    let ready: usize = (0..ACCOUNTS).map(|account| model.ready(account).len()).sum();
    prop_assert_eq!(queue.idle(), model.waiting.len() - ready);
    for ((account, _), (one, durable)) in &model.waiting {
        prop_assert!(queue.contains(&one.hash()));
        prop_assert_eq!(queue.get(&one.hash()).is_some(), *durable, "of account {}", account);
    }
    for base_fee in [0, 110, 150, 250] {
        let taken = queue.take(usize::MAX, base_fee).0;
        let mut expected = 0;
        for account in 0..ACCOUNTS {
            let usable = model.ready(account).into_iter();
            let usable = usable.take_while(|(one, durable)| *durable && one.max_fee_per_gas() >= u128::from(base_fee));
            let usable: Vec<B256> = usable.map(|(one, _)| one.hash()).collect();
            let found = taken.iter().filter(|one| one.sender() == sender(account)).map(|one| one.hash());
            prop_assert_eq!(found.collect::<Vec<_>>(), usable.clone());
            expected += usable.len();
            if base_fee == 0 {
                prop_assert_eq!(queue.has_ready(), !taken.is_empty());
                let next = model.waiting.contains_key(&(account, model.standing(account).nonce));
                if next {
                    let following = (model.standing(account).nonce..)
                        .take_while(|nonce| model.waiting.get(&(account, *nonce)).is_some_and(|(_, durable)| *durable));
                    let expected = model.standing(account).nonce + following.count() as u64;
                    prop_assert_eq!(queue.next_nonce(&sender(account)), Some(expected));
                }
            }
        }
        prop_assert_eq!(taken.len(), expected);
    }
    Ok(())
}

#[test]
fn long_queues_do_not_delay_other_accounts_and_tips_decide_in_a_round() {
    let mut queue = Queue::new(Limits::default());
    let standing = Standing { balance: balance(1_000), ..Standing::default() };
    let mut admit = |account, nonce, fee| {
        let one = &transactions()[&(account, nonce, fee)];
        queue.admit(one.clone(), standing).expect("admitted");
        queue.made_durable(&one.hash());
    };
    (0..NONCES).for_each(|nonce| admit(0, nonce, 2));
    admit(1, 0, 0);
    admit(2, 0, 1);
    let order: Vec<(Address, u64)> = queue.take(4, 0).0.iter().map(|one| (one.sender(), one.nonce())).collect();
    let [zero, one, two] = [0, 1, 2].map(|seed| Wallet::new(seed).address());
    assert_eq!(order, [(zero, 0), (two, 0), (one, 0), (zero, 1)]);
}

#[test]
fn a_ready_newcomer_displaces_an_idle_one_and_an_idle_one_only_a_cheaper() {
    let limits = Limits { transactions: 2, ..Limits::default() };
    let mut queue = Queue::new(limits);
    let standing = Standing { balance: balance(1_000), ..Standing::default() };
    let one = |account, nonce, fee| transactions()[&(account, nonce, fee)].clone();
    queue.admit(one(0, 3, 1), standing).expect("room");
    queue.admit(one(0, 4, 2), standing).expect("room");
    assert_eq!(queue.admit(one(1, 3, 1), standing), Err(Rejected::Full), "idle, and no dearer");
    queue.admit(one(1, 0, 0), standing).expect("ready, whatever it pays");
    assert!(!queue.contains(&one(0, 3, 1).hash()) && queue.contains(&one(0, 4, 2).hash()));
    queue.admit(one(2, 0, 0), standing).expect("ready");
    assert_eq!(queue.admit(one(2, 1, 2), standing), Err(Rejected::Full), "nothing is idle");
    assert_eq!(queue.len(), 2);
}

#[test]
fn one_account_cannot_fill_the_queue() {
    let size = transactions()[&(0, 0, 0)].encoded().len();
    let mut queue = Queue::new(Limits { account_bytes: 2 * size + 1, ..Limits::default() });
    let standing = Standing { balance: balance(1_000), ..Standing::default() };
    let mut admit = |nonce| queue.admit(transactions()[&(0, nonce, 0)].clone(), standing);
    assert_eq!((admit(0), admit(1), admit(2)), (Ok(()), Ok(()), Err(Rejected::AccountFull)));
}
