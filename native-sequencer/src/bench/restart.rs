//! Restarting: how long a chain of so many transactions takes to open.

use super::{
    BenchError,
    chain::MeasuredChain,
    figure::{Figure, Unit, median},
    workload::{Setting, Workload, World},
};
use crate::store::Store;
use std::path::Path;

/// How large a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Accounts in the first state.
    pub accounts: u32,
    /// Transactions in the chain, at least; blocks are whole.
    pub transactions: u32,
    /// Transactions in a block.
    pub block: u32,
    /// How often it is opened.
    pub rounds: u32,
}

/// Makes a chain in the folder `dir` and opens it again and again.
///
/// # Errors
/// [`BenchError`].
pub fn run(size: Size, dir: &Path, mut progress: impl FnMut(f64)) -> Result<Vec<Figure>, BenchError> {
    let mut world = World::new(&Setting::of(Workload::Transfers, size.accounts))?;
    let mut chain = MeasuredChain::new(&world.genesis(size.block)?, dir)?;
    let blocks = size.transactions.div_ceil(size.block).max(1);
    for block in 0..blocks {
        chain.block(&world.transactions(size.block))?;
        progress(f64::from(block + 1) / f64::from(blocks));
    }
    let since_snapshot = chain.since_snapshot()?;
    if since_snapshot.is_none() {
        tracing::warn!("no snapshot was due yet, so what is opened begins with its first state, which is in memory");
    }
    let mut took = Vec::new();
    for _ in 0..size.rounds {
        let (reopened, duration) = chain.reopen(dir)?;
        took.push(duration.as_secs_f64());
        chain = reopened;
    }
    let transactions = f64::from(blocks * size.block);
    let disk = Store::bytes(dir).map_err(|source| BenchError::File { path: dir.to_owned(), source })?;
    Ok(vec![
        Figure::new("restart", median(took), Unit::Seconds),
        Figure::new("restart.transactions", transactions, Unit::Count),
        Figure::new("restart.blocks", since_snapshot.unwrap_or(u64::from(blocks)) as f64, Unit::Count),
        Figure::new("restart.disk", disk as f64 / transactions, Unit::BytesPerTransaction),
    ])
}
