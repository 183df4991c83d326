//! The executor's use of cores: two threads against one, and what more cores would give.
//!
//! What more would give is computed. In the trace of a run in one thread stands how long each piece of work took that could run
//! beside others; on so many cores a phase takes as long as the most loaded one, where each takes the longest piece that is
//! left. All else is counted as what only one core can do. Memory that cores share is not in this model.

use super::{
    BenchError,
    chain::MeasuredChain,
    figure::{Figure, Unit, median},
    workload::{Setting, World},
};
use crate::executor::ExecutedBlock;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Numbers of cores that are computed; the first is measured too.
const CORES: [usize; 4] = [2, 4, 16, 64];
/// Blocks that are made before anything is measured: so that calls have been seen before.
const SEEN: u32 = 2;

/// How large a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Transactions in a block.
    pub transactions: u32,
    /// Blocks that are executed, each by one thread and by two.
    pub rounds: u32,
}

/// Measures a workload on a new chain in the folder `dir`. `progress` is told the part of the work that is done.
///
/// # Errors
/// [`BenchError`].
pub fn run(
    setting: &Setting,
    size: Size,
    dir: &Path,
    mut progress: impl FnMut(f64),
) -> Result<Vec<Figure>, BenchError> {
    let mut world = World::new(setting)?;
    let mut chain = MeasuredChain::new(&world.genesis(size.transactions)?, dir)?;
    chain.set_up(&world.setup())?;
    let (one, two) = (threads(1)?, threads(2)?);
    let mut taken = Taken::default();
    for round in 0..SEEN + size.rounds {
        let raw = world.transactions(size.transactions);
        if round >= SEEN {
            let recovered = chain.recover(&raw)?;
            let timed = |threads: &ThreadPool| {
                threads.install(|| {
                    let started = Instant::now();
                    let block = chain.execute(&recovered)?;
                    Ok::<_, BenchError>((started.elapsed(), block))
                })
            };
            let (took, block) = timed(&one)?;
            taken.one.push(took);
            taken.add(took, &block);
            taken.two.push(timed(&two)?.0);
        }
        chain.block(&raw)?;
        progress(f64::from(round + 1) / f64::from(SEEN + size.rounds));
    }
    Ok(figures(setting.workload.name(), size.transactions, &taken))
}

fn threads(count: usize) -> Result<ThreadPool, BenchError> {
    ThreadPoolBuilder::new().num_threads(count).build().map_err(|_| BenchError::Invalid("no thread starts"))
}

/// How long blocks took.
#[derive(Debug, Default)]
struct Taken {
    one: Vec<Duration>,
    two: Vec<Duration>,
    /// By the model, for each number of [`CORES`].
    computed: [Vec<Duration>; CORES.len()],
    ran_twice: Vec<usize>,
}

impl Taken {
    fn add(&mut self, took: Duration, block: &ExecutedBlock) {
        for (cores, computed) in CORES.iter().zip(&mut self.computed) {
            computed.push(on_cores(took, &block.trace, *cores));
        }
        self.ran_twice.push(block.ran_twice);
    }
}

fn figures(name: &str, transactions: u32, taken: &Taken) -> Vec<Figure> {
    let rate = |took: &[Duration]| f64::from(transactions) / median(took.iter().map(Duration::as_secs_f64));
    let one = rate(&taken.one);
    let figure = |part: String, rate| {
        let figure = Figure::new(format!("executor.{name}.{part}"), rate, Unit::TransactionsPerSecond);
        figure.beside("one thread", one)
    };
    let computed = CORES.iter().zip(&taken.computed);
    let computed = computed.map(|(cores, took)| figure(format!("computed_{cores}"), rate(took)));
    let ran_twice = median(taken.ran_twice.iter().map(|count| *count as f64 / f64::from(transactions)));
    let ran_once = Figure::new(format!("executor.{name}.ran_once"), 100.0 * (1.0 - ran_twice), Unit::Percent);
    [figure("two_threads".to_owned(), rate(&taken.two))].into_iter().chain(computed).chain([ran_once]).collect()
}

/// How long a block that one thread executed in `took` would take so many cores, by the pieces of each phase.
fn on_cores(took: Duration, phases: &[Vec<Duration>], cores: usize) -> Duration {
    let beside: Duration = phases.iter().flatten().sum();
    took.saturating_sub(beside) + phases.iter().map(|pieces| most_loaded(pieces, cores)).sum::<Duration>()
}

/// How long the most loaded of so many cores works, if whichever is free takes the longest piece that is left.
fn most_loaded(pieces: &[Duration], cores: usize) -> Duration {
    let mut pieces = pieces.to_vec();
    pieces.sort_unstable();
    let mut loads = vec![Duration::ZERO; cores.max(1)];
    for piece in pieces.into_iter().rev() {
        if let Some(least) = loads.iter_mut().min() {
            *least += piece;
        }
    }
    loads.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(pieces: &[u64]) -> Vec<Duration> {
        pieces.iter().map(|piece| Duration::from_millis(*piece)).collect()
    }

    #[test]
    fn the_most_loaded_core_has_the_longest_piece_or_its_share() {
        assert_eq!(most_loaded(&milliseconds(&[4, 4, 4, 4]), 2), Duration::from_millis(8));
        assert_eq!(most_loaded(&milliseconds(&[3, 9, 3]), 2), Duration::from_millis(9));
        assert_eq!(most_loaded(&milliseconds(&[5, 1]), 1), Duration::from_millis(6));
        assert_eq!(most_loaded(&[], 4), Duration::ZERO);
    }

    #[test]
    fn what_one_core_has_to_do_stays() {
        let trace = [milliseconds(&[10, 10]), milliseconds(&[4, 4])];
        assert_eq!(on_cores(Duration::from_millis(30), &trace, 2), Duration::from_millis(2 + 10 + 4));
        assert_eq!(on_cores(Duration::from_millis(30), &trace, 64), Duration::from_millis(2 + 10 + 4));
        assert_eq!(on_cores(Duration::from_millis(30), &trace, 1), Duration::from_millis(30));
    }
}
