//! Promises at a fixed rate: how long each takes, counted from when it was due, so that a node that falls behind shows it.

use super::{
    super::{BenchError, figure::quantile},
    Connection, Turn,
};
use alloy_primitives::Bytes;
use ocelli_core::message::{Submission, Verdict, Verdicts};
use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Where submissions are sent.
const PATH: &str = "/v1/transactions";
/// How long to wait before a transaction is handed in again for which there was no room.
const ROOM: Duration = Duration::from_millis(5);
/// How long to wait before the hot account's lane is filled up again: less than a block takes.
const REFILL: Duration = Duration::from_millis(20);
/// Most transactions of the hot account that wait.
const LANE: u64 = 1_000;

/// How promises are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Transactions a second.
    pub(super) rate: f64,
    /// Connections, by turns.
    pub(super) connections: usize,
    /// How long.
    pub(super) turn: Duration,
}

/// Asks for promises of `transactions`, in order; how many were sent.
pub(super) async fn promises(address: &str, transactions: &[Bytes], pace: &Pace) -> Result<(Turn, usize), BenchError> {
    let started = Instant::now();
    let loops = (0..pace.connections).map(|first| async move {
        let mut connection = Connection::open(address).await?;
        let mut took = Vec::new();
        for (at, raw) in transactions.iter().enumerate().skip(first).step_by(pace.connections) {
            let due = started + Duration::from_secs_f64(at as f64 / pace.rate);
            if due > started + pace.turn {
                break;
            }
            let now = Instant::now();
            tokio::time::sleep_until(due.into()).await;
            // A timer that rings late is the measuring side's fault, a connection that was not free yet the node's.
            let asked = if now > due { due } else { Instant::now() };
            promise(&mut connection, raw).await?;
            took.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        Ok::<_, BenchError>(took)
    });
    let took: Vec<Vec<f64>> = futures_util::future::try_join_all(loops).await?;
    let elapsed = started.elapsed().as_secs_f64();
    let took: Vec<f64> = took.into_iter().flatten().collect();
    let of = |part| quantile(took.iter().copied(), part);
    Ok((Turn { per_second: took.len() as f64 / elapsed, p50_ms: of(0.5), p99_ms: of(0.99) }, took.len()))
}

async fn promise(connection: &mut Connection, raw: &Bytes) -> Result<(), BenchError> {
    let body = Submission { promise: true, transactions: vec![raw.clone()] }.encode();
    loop {
        match verdicts(connection, &body).await?.pop() {
            Some(Verdict::Promised(_)) => return Ok(()),
            Some(Verdict::Refused { code, .. }) if matches!(code.as_str(), "full" | "no_promise") => {
                tokio::time::sleep(ROOM).await;
            }
            other => return Err(connection.failed(&format!("no promise: {other:?}"))),
        }
    }
}

async fn verdicts(connection: &mut Connection, body: &[u8]) -> Result<Vec<Verdict>, BenchError> {
    let answer = connection.post(PATH, "application/octet-stream", body).await?;
    let verdicts = Verdicts::decode(&answer);
    Ok(verdicts.map_err(|_| connection.failed(&String::from_utf8_lossy(&answer)))?.0)
}

/// Keeps a thousand transactions of one account waiting, made by `lane` for a range of nonces from `next` on, until told to
/// stop; the nonce after the last one.
pub(super) async fn keep_a_lane_hot(
    address: &str,
    lane: impl Fn(Range<u64>) -> Vec<Bytes>,
    mut next: u64,
    stop: &AtomicBool,
) -> Result<u64, BenchError> {
    let mut connection = Connection::open(address).await?;
    let mut size = LANE;
    while !stop.load(Ordering::Relaxed) {
        let body = Submission { promise: false, transactions: lane(next..next + size) }.encode();
        // A little more once there is room for all of it: who sends too far ahead is refused.
        while !stop.load(Ordering::Relaxed) {
            let verdicts = verdicts(&mut connection, &body).await?;
            let refused = verdicts.iter().find_map(|one| match one {
                Verdict::Refused { code, .. } if code != "already_known" && code != "nonce_too_low" => Some(code),
                _ => None,
            });
            match refused.map(String::as_str) {
                None => {
                    next += size;
                    break;
                }
                Some("nonce_too_high" | "full") => tokio::time::sleep(REFILL).await,
                Some(code) => return Err(connection.failed(code)),
            }
        }
        size = LANE / 10;
    }
    Ok(next)
}
