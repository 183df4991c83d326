//! Transactions on loopback: how many a second are taken, and how long each answer takes.
//!
//! A node is started as a process of its own, and so is the peer; both get the same transactions over the same number of
//! connections, by turns. JSON-RPC connections are closed loops: each sends the next transaction when the last one is answered.
//! Promises are asked for at a fixed rate, over the binary API, alone and beside an account that keeps a thousand waiting. What
//! is sent in bulk comes over one WebSocket, as much as the pool has room for, while blocks are made of it.

mod bulk;
mod connection;
mod paced;
mod process;

use super::{
    BenchError,
    figure::{Figure, Unit, median, quantile},
    workload::{Setting, Workload, World},
};
use alloy_primitives::{Bytes, keccak256};
use connection::Connection;
use paced::Pace;
use process::Process;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Accounts, all of which sign. Far more than requests are under way, so that no nonce overtakes the one before.
const ACCOUNTS: u32 = 20_000;
/// Most transactions a second that are made ready for one turn.
const MOST_PER_SECOND: u32 = 20_000;
/// Transactions that are sent in bulk in one turn: fewer than wait in the pool at most, if no block took any.
const BULK: u32 = 60_000;
/// How long it waits before it looks again whether all of them are in blocks.
const LOOK: Duration = Duration::from_millis(2);
/// How long what was sent in bulk may take to be in blocks; it takes seconds.
const SEALED: Duration = Duration::from_secs(60);

/// How large a measurement is.
#[derive(Clone, Debug)]
pub struct Size {
    /// Connections that send, or ask for promises.
    pub connections: usize,
    /// Connections that send and wait for the receipt.
    pub waiting: usize,
    /// How long one turn takes.
    pub turn: Duration,
    /// Turns of each.
    pub rounds: u32,
    /// Promises that are asked for a second.
    pub promises: u32,
    /// The binary of Foundry's anvil, if that is to be measured beside.
    pub anvil: Option<PathBuf>,
}

/// How a transaction is handed in.
#[derive(Clone, Copy, Debug)]
enum Method {
    /// The answer is the hash.
    Send,
    /// The answer is the receipt (EIP-7966).
    SendSync,
}

impl Method {
    const fn rpc(self) -> &'static str {
        match self {
            Self::Send => "eth_sendRawTransaction",
            Self::SendSync => "eth_sendRawTransactionSync",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Send => "network.send",
            Self::SendSync => "network.send_sync",
        }
    }
}

/// What one turn came to.
#[derive(Clone, Copy, Debug)]
struct Turn {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A node with the transactions that it has not been sent yet.
struct Target {
    process: Process,
    world: World,
    /// The next nonce of the account with the long lane.
    lane: u64,
}

impl Target {
    fn new(process: Process, world: World) -> Self {
        Self { process, world, lane: 0 }
    }

    fn turn(&mut self, method: Method, size: &Size) -> Result<Turn, BenchError> {
        let most = MOST_PER_SECOND * size.turn.as_secs().max(1) as u32;
        let transactions = self.world.transactions(most);
        let (turn, sent) =
            runtime()?.block_on(send(self.process.address(), method, &transactions, (size, self.process.patient())))?;
        // The next turn goes on with the first one that was not sent, so that no nonce is left out.
        self.world.take_back(most - sent as u32);
        Ok(turn)
    }

    /// Asks for promises, beside a long lane of another account or without one.
    fn promises(&mut self, size: &Size, beside_lane: bool) -> Result<Turn, BenchError> {
        let pace = Pace { rate: f64::from(size.promises), connections: size.connections, turn: size.turn };
        let most = size.promises * (size.turn.as_secs().max(1) as u32 + 1);
        let transactions = self.world.transactions(most);
        let (address, world, next, stop) = (self.process.address(), &self.world, self.lane, AtomicBool::new(false));
        let asking = async {
            let promised = paced::promises(address, &transactions, &pace).await;
            stop.store(true, Ordering::Relaxed);
            promised
        };
        let ((turn, sent), lane) = if beside_lane {
            let keeping = paced::keep_a_lane_hot(address, |nonces| world.lane(nonces), next, &stop);
            runtime()?.block_on(async { tokio::try_join!(asking, keeping) })?
        } else {
            (runtime()?.block_on(asking)?, next)
        };
        self.lane = lane;
        self.world.take_back(most - sent as u32);
        Ok(turn)
    }

    /// Sends in bulk: how many a second were taken, and how many a second were in blocks in the end.
    fn bulk(&mut self) -> Result<(f64, f64), BenchError> {
        let transactions = self.world.transactions(BULK);
        let started = Instant::now();
        let taken = bulk::send(self.process.address(), &transactions)?;
        let last = transactions.last().map(keccak256).unwrap_or_default().to_string();
        runtime()?.block_on(async {
            let mut connection = Connection::open(self.process.address()).await?;
            while connection.call("eth_getTransactionReceipt", &[last.clone().into()]).await?.is_null() {
                if started.elapsed() > SEALED {
                    return Err(connection.failed("the last transaction sent in bulk is in no block"));
                }
                tokio::time::sleep(LOOK).await;
            }
            Ok::<_, BenchError>(())
        })?;
        Ok((taken, f64::from(BULK) / started.elapsed().as_secs_f64()))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|source| BenchError::File { path: "a runtime".into(), source })
}

/// Measures a node over a new chain in the folder `dir`, and anvil beside it if `size` names its binary.
///
/// # Errors
/// [`BenchError`] if a node does not start or refuses a transaction.
pub fn run(size: &Size, dir: &Path, mut progress: impl FnMut(f64)) -> Result<Vec<Figure>, BenchError> {
    let world = World::new(&Setting::of(Workload::Transfers, ACCOUNTS))?;
    let mut ours = Target::new(Process::ocelli(&world.genesis(0)?, dir)?, world);
    let mut figures = Vec::new();
    for (at, method) in [Method::Send, Method::SendSync].into_iter().enumerate() {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for round in 0..size.rounds {
            own.push(ours.turn(method, size)?);
            let peer = size.anvil.as_deref().map(anvil).transpose()?;
            match peer.map(|mut peer| peer.turn(method, size)) {
                Some(Ok(turn)) => others.push(turn),
                Some(Err(error)) => tracing::warn!("no figure of {}: {error}", process::ANVIL),
                None => {}
            }
            progress((at as f64 + f64::from(round + 1) / f64::from(size.rounds)) / 5.0);
        }
        figures.extend(summary(method.name(), &own, &others));
    }
    let turns = (0..size.rounds).map(|_| ours.bulk()).collect::<Result<Vec<_>, _>>()?;
    let bulk = |name: &str, of: fn(&(f64, f64)) -> f64| {
        Figure::new(name, median(turns.iter().map(of)), Unit::TransactionsPerSecond)
    };
    figures.extend([bulk("network.bulk", |turn| turn.0), bulk("network.bulk.sealed", |turn| turn.1)]);
    progress(3.0 / 5.0);
    // At the end: an account that is refused a promise has a gap in its nonces, and what comes after waits.
    for (at, (name, beside_lane)) in PROMISES.into_iter().enumerate() {
        let turns = (0..size.rounds).map(|_| ours.promises(size, beside_lane)).collect::<Result<Vec<_>, _>>()?;
        figures.extend(summary(name, &turns, &[]));
        progress((4 + at) as f64 / 5.0);
    }
    Ok(figures)
}

/// An anvil for one turn: it goes on mining what it took long after that, which would disturb the others'.
fn anvil(binary: &Path) -> Result<Target, BenchError> {
    let world = World::new(&Setting::of(Workload::Transfers, ACCOUNTS))?;
    Ok(Target::new(Process::anvil(binary, &world)?, world))
}

/// Figures of promises, and whether they are asked for beside a long lane.
const PROMISES: [(&str, bool); 2] = [("network.promise", false), ("network.promise_beside_hot_lane", true)];

fn summary(name: &str, own: &[Turn], peer: &[Turn]) -> Vec<Figure> {
    let figure = |part: &str, unit, of: fn(&Turn) -> f64| {
        let figure = Figure::new(format!("{name}{part}"), median(own.iter().map(of)), unit);
        if peer.is_empty() { figure } else { figure.beside(process::ANVIL, median(peer.iter().map(of))) }
    };
    vec![
        figure("", Unit::TransactionsPerSecond, |turn| turn.per_second),
        figure(".p50", Unit::Milliseconds, |turn| turn.p50_ms),
        figure(".p99", Unit::Milliseconds, |turn| turn.p99_ms),
    ]
}

/// A node that can be told how long to wait for a receipt is told to wait: on a busy machine its two seconds may not do.
fn params(method: Method, raw: &Bytes, patient: bool) -> Vec<serde_json::Value> {
    let raw = raw.to_string().into();
    match method {
        Method::SendSync if patient => vec![raw, (crate::limits::RECEIPT_WAIT_MOST.as_millis() as u64).into()],
        Method::Send | Method::SendSync => vec![raw],
    }
}

/// Sends in order until the turn is over or nothing is left; how many were sent.
async fn send(
    address: &str,
    method: Method,
    transactions: &[Bytes],
    (size, patient): (&Size, bool),
) -> Result<(Turn, usize), BenchError> {
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let connections = match method {
        Method::Send => size.connections,
        Method::SendSync => size.waiting,
    };
    let loops = (0..connections).map(|_| async {
        let mut connection = Connection::open(address).await?;
        let mut took = Vec::new();
        while started.elapsed() < size.turn {
            let Some(raw) = transactions.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let asked = Instant::now();
            connection.call(method.rpc(), &params(method, raw, patient)).await?;
            took.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        Ok::<_, BenchError>(took)
    });
    let took: Vec<Vec<f64>> = futures_util::future::try_join_all(loops).await?;
    let elapsed = started.elapsed().as_secs_f64();
    let took: Vec<f64> = took.into_iter().flatten().collect();
    let per_second = took.len() as f64 / elapsed;
    let turn =
        Turn { per_second, p50_ms: quantile(took.iter().copied(), 0.5), p99_ms: quantile(took.iter().copied(), 0.99) };
    Ok((turn, took.len()))
}
