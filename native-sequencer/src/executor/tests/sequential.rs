//! What runs in parallel equals what runs one after the other, whatever the transactions do to each other, however threads take
//! turns and whatever is expected of them: the same receipts, the same state, and rows and columns that every verifier accepts.
//!
//! A million transactions are executed, in some three minutes on two cores; `OCELLI_EXECUTED` names another number. What fails names
//! the seed of its worlds, and `OCELLI_SEED` has them made again.

use super::{
    super::{ExecutedBlock, Forecast, Recent, execute},
    effects,
};
use crate::state::{Codes, Overlay, Snapshot, Writes};
use alloy_primitives::{B256, Bytes, U256};
use ocelli_core::{
    block::{AssembledBlock, assemble, rebuild_cells, rebuild_columns},
    column::verify_column,
    evm::{Env, Executed, RowExecutor, Source},
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
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Transactions executed, unless the environment says otherwise.
const TRANSACTIONS: usize = 1_000_000;
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

/// What one transaction after the other does, in this order: a receipt for each, and what is written.
fn one_after_the_other(env: &Env<'_>, snapshot: &Snapshot, order: &[&Recovered]) -> (Vec<Receipt>, Overlay<Snapshot>) {
    let mut state = Overlay::new(snapshot.clone());
    let opening = execute_opening(env, &state).expect("opens");
    state.writes.apply(&opening.effects);
    let mut executed: Vec<Executed> = Vec::new();
    for transaction in order {
        let mut executor = RowExecutor::new(env, &state);
        executed.push(executor.execute(transaction, |_| true).expect("valid"));
        let effects = executor.finish();
        state.writes.apply(&effects);
    }
    let base_fees = executed.iter().map(|executed| executed.base_fee).sum();
    let tips = executed.iter().map(|executed| executed.tip).sum();
    let closing = execute_closing(env, &state, base_fees, tips).expect("closes");
    state.writes.apply(&closing.effects);
    (executed.into_iter().map(|executed| executed.receipt).collect(), state)
}

/// Each row as it is when its transactions are executed for it and nothing is repeated.
fn check_rows_alone(env: &Env<'_>, world: &World, block: &ExecutedBlock, by_bytes: &HashMap<&Bytes, &Recovered>) {
    let mut writes = Writes::default();
    let last = block.rows.len() - 1;
    for (at, row) in block.rows.iter().enumerate() {
        let mut state = Overlay { below: &world.snapshot, writes: std::mem::take(&mut writes) };
        if (1..last).contains(&at) {
            let mut builder = RowBuilder::new(env, &state);
            for bytes in &row.transactions {
                builder.push(by_bytes[bytes]).expect("valid");
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

fn check_verifiers_accept(env: &Env<'_>, world: &World, rows: &[ExecutedRow]) {
    let chain = &world.chain;
    let moment = (env.time_ms, 0);
    let (config, head, tree) = (&chain.config, &chain.head, &world.snapshot.tree);
    // Columns are so small here that a block may need too many: the producer then takes fewer transactions.
    let Ok(block) = assemble(config, head, &mut Frontier::default(), moment, tree, rows) else { return };
    let made: HashMap<B256, Bytes> = rows.iter().flat_map(|row| row.effects.codes_made.iter().cloned()).collect();
    let code = |hash: &B256| chain.state.codes.get(hash).or(made.get(hash)).cloned();
    for index in 0..rows.len() {
        let task = block.row_task(index).expect("a task");
        verify_row(env, &block.manifest, index, &task, code).expect("a valid row");
    }
    for (index, body) in block.column_bodies.iter().enumerate() {
        verify_column(env, &block.manifest, index, body).expect("a valid column");
    }
    check_rows_give_columns(env, &block, tree, code);
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

/// What is remembered changes nothing, and is what the state holds.
fn check_what_is_remembered(world: &World, block: &ExecutedBlock, again: impl FnOnce(&Recent) -> ExecutedBlock) {
    let tree = &world.snapshot.tree;
    let used = block.rows.iter().flat_map(|row| &row.effects.accesses).map(|access| access.key);
    let held = used.map(|key| world.snapshot.load(&key).map(|(version, value)| (key, version, value)));
    let mut recent = Recent::default();
    recent.go_on((tree.root(), tree.root()), held.collect::<Result<Vec<_>, _>>().expect("values"), &[]);
    let again = again(&recent);
    assert_eq!(effects(&again), effects(block));

    let chain = &world.chain;
    let Ok(made) = assemble(&chain.config, &chain.head, &mut Frontier::default(), (1, 0), tree, &block.rows) else {
        return;
    };
    recent.go_on((tree.root(), made.state.root()), block.read.iter().copied(), &made.writes);
    let after = Snapshot { tree: made.state, codes: world.snapshot.codes.clone() };
    for (key, found) in recent.iter() {
        assert_eq!(Ok(found), after.load(&key), "{key:?}");
    }
}

fn check(world: &World, threads: &ThreadPool, forecast: &mut Forecast) -> usize {
    let env = Env::after(&world.chain.config, &world.chain.head, world.chain.head.time_ms + 100);
    let run = |forecast: &mut Forecast, recent: &Recent| {
        threads.install(|| execute(&env, &world.snapshot, &world.transactions, 0, forecast, recent)).expect("executes")
    };
    let mut as_before = forecast.clone();
    let block = run(forecast, &Recent::default());
    check_what_is_remembered(world, &block, |recent| run(&mut as_before, recent));
    let by_bytes: HashMap<&Bytes, &Recovered> = world.transactions.iter().map(|one| (one.encoded(), one)).collect();
    let order: Vec<&Recovered> =
        block.rows.iter().flat_map(|row| &row.transactions).map(|bytes| by_bytes[bytes]).collect();
    assert_eq!(order.len() + block.refused.len(), world.transactions.len(), "none is lost, none is there twice");
    for (row, members) in block.rows.iter().zip(&block.members) {
        assert!(members.iter().map(|at| world.transactions[*at].encoded()).eq(&row.transactions));
    }

    let (receipts, state) = one_after_the_other(&env, &world.snapshot, &order);
    assert!(block.rows.iter().flat_map(|row| &row.receipts).eq(&receipts));
    let mut written = Overlay::new(world.snapshot.clone());
    block.rows.iter().for_each(|row| written.writes.apply(&row.effects));
    for access in block.rows.iter().flat_map(|row| &row.effects.accesses) {
        let value = |found: &Overlay<Snapshot>| found.load(&access.key).expect("a value").1;
        assert_eq!(value(&written), value(&state), "{:?}", access.key);
    }
    check_rows_alone(&env, world, &block, &by_bytes);
    check_verifiers_accept(&env, world, &block.rows);
    order.len()
}

/// One thread that checks worlds.
struct Worker<'a> {
    /// Transactions that are to be executed by all workers together.
    left: &'a AtomicUsize,
    seed: u64,
}

impl Worker<'_> {
    /// Checks until nothing is left; how many slots were foreseen.
    fn run(&self) -> usize {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let pools: Vec<ThreadPool> = (1..=THREADS).map(pool).collect();
        let seed = U256::from(self.seed).to_be_bytes::<32>();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
        let (mut forecast, mut foreseen) = (Forecast::default(), 0);
        for number in 0.. {
            if self.left.load(Ordering::Relaxed) == 0 {
                break;
            }
            // It comes to know contracts that are elsewhere, or others, in the next worlds.
            if number % WORLDS_FORESEEN == 0 {
                forecast = Forecast::default();
            }
            let (world, pool) = (worlds(), 0..THREADS).new_tree(&mut runner).expect("a world").current();
            let executed: usize = (0..2).map(|_| check(&world, &pools[pool], &mut forecast)).sum();
            foreseen += forecast.layouts().slots(world.transactions.iter()).keys.len();
            let less = |left: usize| Some(left.saturating_sub(executed));
            let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
        foreseen
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
    let wanted = number("OCELLI_EXECUTED").map_or(TRANSACTIONS, |wanted| wanted as usize);
    let left = &AtomicUsize::new(wanted);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS) as u64;
    let seed = number("OCELLI_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let foreseen: usize = thread::scope(|scope| {
        let work = |at| scope.spawn(move || Worker { left, seed: seed.wrapping_add(at) }.run());
        let workers: Vec<_> = (0..workers).map(work).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker fails")).sum()
    });
    // Of few transactions, none may use what it names.
    assert!(foreseen > 0 || wanted < BLOCK * 100, "what calls name is among what they use");
}
