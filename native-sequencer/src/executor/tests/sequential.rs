//! What runs in parallel equals what runs one after the other, whatever the transactions do to each other, however threads take
//! turns and whatever is expected of them: the same receipts, the same state, the same transactions refused, and rows and columns
//! that every verifier accepts.
//!
//! Random transactions are executed a million times in some three minutes on two cores; `OCELLI_EXECUTED` names another number. They
//! are half as many, as each world is executed twice, the second time with what was learned in the first, and both times count.
//! Threads are held up at random. What fails names the seed of its worlds, and `OCELLI_SEED` has them made again.

use super::{
    super::{ExecutedBlock, Forecast, Recent, Used, execute, schedule},
    effects,
};
use crate::state::{Codes, Overlay, Snapshot, Writes};
use alloy_primitives::{B256, Bytes, U256};
use ocelli_core::{
    block::{AssembledBlock, assemble, rebuild_cells, rebuild_columns},
    column::{SplitError, verify_column},
    evm::{Env, Executed, Refused, RowEffects, RowExecutor, Source},
    lanes::Lanes,
    merkle::Frontier,
    parallel::OneByOne,
    receipt::Receipt,
    row::{ExecutedRow, RowBuilder, execute_closing, execute_opening, execute_row, verify_row},
    transaction::Recovered,
    tree::Tree,
};
use ocelli_tests::{chain::TestChain, programs::programs};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    iter::Sum,
    ops::{Add, RangeInclusive},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Executions of transactions in parallel, unless the environment says otherwise.
const EXECUTED: usize = 1_000_000;
/// With fewer, chance may have it that something does not happen often enough.
const EXECUTED_ENOUGH: usize = 100 * BLOCK;
/// Most transactions of one block.
const BLOCK: usize = 48;
/// Most threads.
const THREADS: usize = 6;
/// Most worlds that are checked side by side.
const WORKERS: usize = 8;
/// Worlds of which what was learned in the first is expected in the last.
const WORLDS_FORESEEN: u32 = 16;

/// A chain whose rows are so short that lanes are longer.
struct World {
    chain: TestChain,
    snapshot: Snapshot,
    transactions: Vec<Recovered>,
}

fn worlds() -> impl Strategy<Value = World> {
    (programs(BLOCK), 1..12_u32, 4..64_u32).prop_map(|(program, row_transactions, column_accesses)| {
        let mut chain = program.chain(column_accesses);
        chain.config.params.limits.row_transactions = row_transactions;
        let codes = Codes::default();
        chain.state.codes.iter().for_each(|(hash, code)| codes.insert(*hash, code.clone()));
        let snapshot = Snapshot { tree: chain.state.tree.clone(), codes: Arc::new(codes) };
        World { chain, snapshot, transactions: program.transactions() }
    })
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.transactions.iter().map(|one| (one.sender(), one.nonce(), one.to()))).finish()
    }
}

/// The state after the opening row.
fn opened(env: &Env<'_>, world: &World) -> Overlay<Snapshot> {
    let mut state = Overlay::new(world.snapshot.clone());
    let opening = execute_opening(env, &state).expect("opens");
    state.writes.apply(&opening.effects);
    state
}

fn execute_alone(
    env: &Env<'_>,
    state: &Overlay<Snapshot>,
    transaction: &Recovered,
) -> (Result<Executed, Refused>, RowEffects) {
    let mut executor = RowExecutor::new(env, state);
    let result = executor.execute(transaction, |_| true);
    (result, executor.finish())
}

/// What is refused when it is tried: of each group, what is refused after those of the group before it and nothing else.
fn refused_when_tried(env: &Env<'_>, world: &World, groups: &Lanes) -> Vec<(usize, Refused)> {
    let opened = opened(env, world);
    let sender = |at: &usize| world.transactions[*at].sender();
    let mut refused = Vec::new();
    for group in groups.iter() {
        let mut state = opened.clone();
        for (place, at) in group.iter().enumerate() {
            let (result, effects) = execute_alone(env, &state, &world.transactions[*at]);
            state.writes.apply(&effects);
            let Err(why) = result else { continue };
            // Somebody else's transaction may have made it invalid, and that one may be left out.
            let is_shared = group[..place].iter().any(|before| sender(before) != sender(at));
            let may_be_valid = is_shared && matches!(why, Refused::Invalid(_));
            refused.push((*at, if may_be_valid { Refused::NotAccepted } else { why }));
        }
    }
    refused.sort_unstable_by_key(|(at, _)| *at);
    refused
}

/// The places of `order` that the transaction at `at` of the list may have run before: none of its sender's earlier ones comes
/// after it, and none of the later ones before it.
fn places(transactions: &[Recovered], order: &[usize], at: usize) -> RangeInclusive<usize> {
    let is_of_sender = |other: &usize| transactions[*other].sender() == transactions[at].sender();
    let from = order.iter().rposition(|other| is_of_sender(other) && *other < at).map_or(0, |before| before + 1);
    let to = order.iter().position(|other| is_of_sender(other) && *other > at).unwrap_or(order.len());
    from..=to
}

/// What one transaction after the other does, in this order: a receipt for each, and what is written. All of `refused` are refused
/// for the same reason here.
///
/// A block does not tell where it refused what it ran and refused. But that depends on the sender's account alone: where lanes run
/// side by side no other lane uses that, and what ran behind them ran in this order. So at one of the places where a transaction
/// may have run, it finds here what it found there.
fn one_after_the_other(
    env: &Env<'_>,
    world: &World,
    order: &[usize],
    refused: &[(usize, Refused)],
) -> (Vec<Receipt>, Overlay<Snapshot>) {
    let mut state = opened(env, world);
    let mut executed: Vec<Executed> = Vec::new();
    let places = |(at, why)| (places(&world.transactions, order, at), at, why);
    let mut refused: Vec<_> = refused.iter().cloned().map(places).collect();
    for place in 0..=order.len() {
        refused.retain(|(places, at, why)| {
            let is_refused = || execute_alone(env, &state, &world.transactions[*at]).0.as_ref() == Err(why);
            !(places.contains(&place) && is_refused())
        });
        let Some(at) = order.get(place) else { break };
        let (result, effects) = execute_alone(env, &state, &world.transactions[*at]);
        executed.push(result.expect("valid"));
        state.writes.apply(&effects);
    }
    assert!(refused.is_empty(), "refused in parallel alone: {refused:?}");
    let base_fees = executed.iter().map(|executed| executed.base_fee).sum();
    let tips = executed.iter().map(|executed| executed.tip).sum();
    let closing = execute_closing(env, &state, base_fees, tips).expect("closes");
    state.writes.apply(&closing.effects);
    (executed.into_iter().map(|executed| executed.receipt).collect(), state)
}

/// Each row as it is when its transactions are executed for it and nothing is repeated.
fn check_rows_alone(env: &Env<'_>, world: &World, block: &ExecutedBlock) {
    let mut writes = Writes::default();
    let last = block.rows.len() - 1;
    for (at, (row, members)) in block.rows.iter().zip(&block.members).enumerate() {
        let mut state = Overlay { below: &world.snapshot, writes: std::mem::take(&mut writes) };
        if (1..last).contains(&at) {
            let mut builder = RowBuilder::new(env, &state);
            for member in members {
                builder.push(&world.transactions[*member]).expect("valid");
            }
            check_same(&builder.finish(), row);
        }
        for access in &row.effects.accesses {
            assert_eq!(state.load(&access.key), Ok((access.version, access.before)), "row {at}: {:?}", access.key);
        }
        state.writes.apply(&row.effects);
        writes = state.writes;
    }
}

fn check_same(alone: &ExecutedRow, row: &ExecutedRow) {
    assert_eq!((&alone.receipts, alone.totals), (&row.receipts, row.totals));
    assert_eq!(alone.effects.accesses, row.effects.accesses);
    assert_eq!(alone.effects.codes_used, row.effects.codes_used);
    assert_eq!(alone.effects.codes_made, row.effects.codes_made);
}

fn check_verifiers_accept(env: &Env<'_>, world: &World, block: &AssembledBlock, rows: &[ExecutedRow]) {
    let (chain, tree) = (&world.chain, &world.snapshot.tree);
    let made: HashMap<B256, Bytes> = rows.iter().flat_map(|row| row.effects.codes_made.iter().cloned()).collect();
    let code = |hash: &B256| chain.state.codes.get(hash).or(made.get(hash)).cloned();
    for index in 0..rows.len() {
        let task = block.row_task(index).expect("a task");
        verify_row(env, &block.manifest, index, &task, code).expect("a valid row");
    }
    for (index, body) in block.column_bodies.iter().enumerate() {
        verify_column(env, &block.manifest, index, body).expect("a valid column");
    }
    check_rows_give_columns(env, block, tree, code);
}

fn check_rows_give_columns(
    env: &Env<'_>,
    block: &AssembledBlock,
    before: &Tree,
    code: impl Fn(&B256) -> Option<Bytes> + Copy,
) {
    let execute = |(index, body): (usize, &Bytes)| execute_row(env, &block.manifest, index, body, code);
    let rows = block.row_bodies.iter().enumerate().map(execute).collect::<Result<Vec<_>, _>>().expect("valid rows");
    assert_eq!(rebuild_cells(&OneByOne, &block.manifest, &rows).as_ref(), Some(&block.cells));
    let rebuilt = rebuild_columns(&OneByOne, &block.manifest, before, &rows);
    assert_eq!(rebuilt.first_other(&block.manifest), None);
    assert!(rebuilt.columns.iter().map(|column| &column.body[..]).eq(block.column_bodies.iter().map(|body| &body[..])));
    assert_eq!((&rebuilt.writes, rebuilt.state.root()), (&block.writes, block.state.root()));
}

/// What is remembered changes nothing; it is given back.
fn check_what_is_remembered(
    world: &World,
    block: &ExecutedBlock,
    again: impl FnOnce(&Recent) -> ExecutedBlock,
) -> Recent {
    let tree = &world.snapshot.tree;
    let used = block.rows.iter().flat_map(|row| &row.effects.accesses).map(|access| access.key);
    let held = used.map(|key| world.snapshot.load(&key).map(|(version, value)| (key, version, value)));
    let mut recent = Recent::default();
    let read = held.collect::<Result<_, _>>().expect("values");
    recent.go_on((tree.root(), tree.root()), &Used { read, shared: Vec::new() }, &[]);
    let again = again(&recent);
    assert_eq!(effects(&again), effects(block));
    recent
}

/// What is remembered after a block is what the state holds then.
fn check_what_is_remembered_next(world: &World, block: &ExecutedBlock, made: &AssembledBlock, mut recent: Recent) {
    let roots = (world.snapshot.tree.root(), made.state.root());
    recent.go_on(roots, &block.used, &made.writes);
    let after = Snapshot { tree: made.state.clone(), codes: world.snapshot.codes.clone() };
    for (key, found) in recent.iter() {
        assert_eq!(Ok(found), after.load(&key), "{key:?}");
    }
}

/// Each transaction of the list is in a row or refused; those in rows, in order.
fn check_none_is_lost(world: &World, block: &ExecutedBlock) -> Vec<usize> {
    assert_eq!(block.rows.len(), block.members.len());
    for (row, members) in block.rows.iter().zip(&block.members) {
        assert!(members.iter().map(|at| world.transactions[*at].encoded()).eq(&row.transactions));
    }
    let order: Vec<usize> = block.members.iter().flatten().copied().collect();
    let mut all: Vec<usize> = order.iter().copied().chain(block.refused.iter().map(|(at, _)| *at)).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..world.transactions.len()), "none is lost, none is there twice");
    // Without this, the test might never end.
    assert!(!order.is_empty(), "what is valid before all others is in a row");
    order
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default)]
struct Checked {
    /// Transactions in blocks, each time they are executed.
    executed: usize,
    blocks: usize,
    /// Those of the blocks that verifiers and what is remembered next were checked with.
    assembled: usize,
    /// Slots that were foreseen.
    foreseen: usize,
}

impl Add for Checked {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            executed: self.executed + other.executed,
            blocks: self.blocks + other.blocks,
            assembled: self.assembled + other.assembled,
            foreseen: self.foreseen + other.foreseen,
        }
    }
}

impl Sum for Checked {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

fn check(world: &World, threads: &ThreadPool, forecast: &mut Forecast) -> Checked {
    let chain = &world.chain;
    let env = Env::after(&chain.config, &chain.head, chain.head.time_ms + 100);
    let groups = threads.install(|| forecast.group(&world.transactions)).groups;
    let run = |forecast: &mut Forecast, recent: &Recent| {
        threads.install(|| execute(&env, &world.snapshot, &world.transactions, 0, forecast, recent)).expect("executes")
    };
    let mut as_before = forecast.clone();
    let block = run(forecast, &Recent::default());
    let recent = check_what_is_remembered(world, &block, |recent| run(&mut as_before, recent));
    let order = check_none_is_lost(world, &block);

    let tried = refused_when_tried(&env, world, &groups);
    let (when_tried, when_run) = block.refused.split_at(tried.len().min(block.refused.len()));
    assert_eq!(when_tried, tried);
    let (receipts, state) = one_after_the_other(&env, world, &order, when_run);
    assert!(block.rows.iter().flat_map(|row| &row.receipts).eq(&receipts));
    let mut written = Overlay::new(world.snapshot.clone());
    block.rows.iter().for_each(|row| written.writes.apply(&row.effects));
    for access in block.rows.iter().flat_map(|row| &row.effects.accesses) {
        let value = |found: &Overlay<Snapshot>| found.load(&access.key).expect("a value").1;
        assert_eq!(value(&written), value(&state), "{:?}", access.key);
    }
    check_rows_alone(&env, world, &block);

    let (moment, tree) = ((env.time_ms, 0), &world.snapshot.tree);
    let checked = Checked { executed: order.len(), blocks: 1, ..Checked::default() };
    match assemble(&chain.config, &chain.head, &mut Frontier::default(), moment, tree, &block.rows) {
        Ok(made) => {
            check_verifiers_accept(&env, world, &made, &block.rows);
            check_what_is_remembered_next(world, &block, &made, recent);
            Checked { assembled: 1, ..checked }
        }
        // Columns are so small here that a block may need too many: the producer then takes fewer transactions.
        Err(SplitError) => checked,
    }
}

/// One thread that checks worlds.
struct Worker<'a> {
    /// Executions that all workers together have still to come to.
    left: &'a AtomicUsize,
    seed: u64,
}

impl Worker<'_> {
    /// So many threads, which are disturbed.
    fn pool(&self, threads: usize) -> ThreadPool {
        let seed = self.seed;
        let disturb = move |thread: usize| schedule::disturb(seed.wrapping_add(thread as u64));
        ThreadPoolBuilder::new().num_threads(threads).start_handler(disturb).build().expect("threads")
    }

    /// Checks until nothing is left.
    fn run(&self) -> Checked {
        let pools: Vec<ThreadPool> = (1..=THREADS).map(|threads| self.pool(threads)).collect();
        let seed = U256::from(self.seed).to_be_bytes::<32>();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
        let (mut forecast, mut checked) = (Forecast::default(), Checked::default());
        for number in 0.. {
            if self.left.load(Ordering::Relaxed) == 0 {
                break;
            }
            // It comes to know contracts that are elsewhere, or others, in the next worlds.
            if number % WORLDS_FORESEEN == 0 {
                forecast = Forecast::default();
            }
            let (world, pool) = (worlds(), 0..THREADS).new_tree(&mut runner).expect("a world").current();
            let of_world: Checked = (0..2).map(|_| check(&world, &pools[pool], &mut forecast)).sum();
            let foreseen = forecast.layouts().slots(world.transactions.iter()).keys.len();
            checked = checked + Checked { foreseen, ..of_world };
            let less = |left: usize| Some(left.saturating_sub(of_world.executed));
            let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
        checked
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.left.store(0, Ordering::Relaxed);
            eprintln!("the same worlds again: OCELLI_SEED={}", self.seed);
        }
    }
}

/// A number in the environment.
fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

#[test]
fn what_runs_in_parallel_equals_one_after_the_other() {
    let wanted = number("OCELLI_EXECUTED").map_or(EXECUTED, |wanted| wanted as usize);
    let left = &AtomicUsize::new(wanted);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS) as u64;
    let seed = number("OCELLI_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let checked: Checked = thread::scope(|scope| {
        let work = |at| scope.spawn(move || Worker { left, seed: seed.wrapping_add(at) }.run());
        let workers: Vec<_> = (0..workers).map(work).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker fails")).sum()
    });
    if wanted >= EXECUTED_ENOUGH {
        assert!(checked.foreseen > 0, "what calls name is among what they use");
        // A block needs too many columns only if they are of the smallest that worlds have.
        assert!(checked.assembled * 2 > checked.blocks, "most blocks are cut into columns: {checked:?}");
    }
}
