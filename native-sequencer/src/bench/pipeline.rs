//! The whole pipeline: signed bytes in, durable block with every body out.

use super::{
    BenchError,
    chain::{MadeBlock, MeasuredChain, Stages},
    figure::{Figure, Unit, median},
    workload::{Workload, World},
};
use std::{path::Path, time::Duration};

/// Fewest blocks that are measured, however long they take.
const BLOCKS: usize = 5;

/// How large a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Accounts in the state.
    pub accounts: u32,
    /// Transactions in a block.
    pub transactions: u32,
    /// How long it is sustained: the stages' time, not counting what prepares them.
    pub duration: Duration,
}

/// Measures `workload` on a new chain in the folder `dir`. `progress` is told the part of the work that is done.
///
/// # Errors
/// [`BenchError`].
pub fn run(
    workload: Workload,
    size: Size,
    dir: &Path,
    mut progress: impl FnMut(f64),
) -> Result<Vec<Figure>, BenchError> {
    let mut world = World::new(workload, size.accounts)?;
    let mut chain = MeasuredChain::new(&world.genesis(size.transactions)?, dir)?;
    // The first block finds everything cold.
    let mut made = chain.block(&world.transactions(size.transactions))?;
    let mut stages: Vec<Stages> = Vec::new();
    let mut taken = Duration::ZERO;
    while taken < size.duration || stages.len() < BLOCKS {
        made = chain.block(&world.transactions(size.transactions))?;
        taken += made.stages.total();
        stages.push(made.stages);
        progress((taken.as_secs_f64() / size.duration.as_secs_f64()).min(1.0));
    }
    let mut figures = throughput(workload, size.transactions, &stages);
    figures.extend(bytes(workload, size.transactions, &made));
    Ok(figures)
}

/// Over the whole time for all stages together, by medians for each.
fn throughput(workload: Workload, transactions: u32, stages: &[Stages]) -> Vec<Figure> {
    let name = workload.name();
    let total: f64 = stages.iter().map(|stages| stages.total().as_secs_f64()).sum();
    let sustained = f64::from(transactions) * stages.len() as f64 / total;
    let stage = |part, of: fn(&Stages) -> Duration| {
        let rate = f64::from(transactions) / median(stages.iter().map(|stages| of(stages).as_secs_f64()));
        Figure::new(format!("{name}.{part}"), rate, Unit::TransactionsPerSecond)
    };
    vec![
        Figure::new(name, sustained, Unit::TransactionsPerSecond),
        stage("recover", |stages| stages.recover),
        stage("execute", |stages| stages.execute),
        stage("assemble", |stages| stages.assemble),
        stage("store", |stages| stages.store),
    ]
}

/// What a transaction takes in bodies and in the log.
fn bytes(workload: Workload, transactions: u32, made: &MadeBlock) -> Vec<Figure> {
    let of_one = |part, bytes: usize| {
        let name = format!("{}.{part}", workload.name());
        Figure::new(name, bytes as f64 / f64::from(transactions), Unit::BytesPerTransaction)
    };
    let sum = |bodies: &[alloy_primitives::Bytes]| bodies.iter().map(|body| body.len()).sum();
    vec![
        of_one("row_body", sum(&made.assembled.row_bodies)),
        of_one("column_body", sum(&made.assembled.column_bodies)),
        of_one("log", made.sealed.stored.encode().len()),
    ]
}
