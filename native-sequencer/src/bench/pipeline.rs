//! The whole pipeline: signed bytes in, durable block with every body out; the peer gets the same bytes, by turns.

use super::{
    BenchError,
    chain::{MadeBlock, MeasuredChain, Stages},
    figure::{Figure, Unit, median},
    line::RawBlock,
    top::{Saved, TOPS, saved},
    workload::{Setting, Workload, World},
};
use alloy_primitives::Bytes;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Blocks that are measured stage by stage.
const STAGED: usize = 5;

/// Blocks whose transactions are signed at a time, and which then follow one another without a break.
const IN_LINE: usize = 8;

/// The name of the peer.
const PEER: &str = "rust-node-stack";

/// Wall time of each stage of the peer's block.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerStages {
    /// Decoding, and recovering the senders.
    pub recover: Duration,
    /// Executing, one transaction after the other.
    pub execute: Duration,
    /// Updating the tries, and the root.
    pub root: Duration,
}

/// How large a measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Transactions in a block.
    pub transactions: u32,
    /// How long it is sustained: the time of our stages, not counting what prepares them, nor the peer's.
    pub duration: Duration,
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
    let file = world.genesis(size.transactions)?;
    let mut chain = MeasuredChain::new(&file, dir)?;
    let mut peer = Peer::new(&file);
    drop(file);
    let setup = world.setup();
    chain.set_up(&setup)?;
    peer.block(&setup)?;
    // The first block finds everything cold.
    let raw = world.transactions(size.transactions);
    peer.block(&raw)?;
    let mut made = chain.block(&raw)?;
    let mut taken = Taken::default();
    while taken.stages.len() < STAGED {
        let raw = world.transactions(size.transactions);
        made = chain.block(&raw)?;
        taken.stages.push(made.stages);
        taken.peers.extend(peer.block(&raw)?);
    }
    let first = [(); 2].map(|()| RawBlock::from(world.transactions(size.transactions)));
    let mut of_peer = peer.run(Senders::default(), &first)?;
    let mut line = chain.line(&first)?;
    let mut sign = || [(); IN_LINE].map(|()| RawBlock::from(world.transactions(size.transactions)));
    let mut raws = sign();
    while taken.ours < size.duration || taken.blocks == 0 {
        let started = Instant::now();
        (made, line) = line.run(&raws)?;
        taken.ours += started.elapsed();
        // What our store still does beside, it does meanwhile, mostly, and not in the peer's time.
        let next = sign();
        let started = Instant::now();
        of_peer = peer.run(of_peer, &raws)?;
        taken.of_peer += started.elapsed();
        taken.blocks += raws.len();
        raws = next;
        progress((taken.ours.as_secs_f64() / size.duration.as_secs_f64()).min(1.0));
    }
    line.finish()?;
    let mut figures = throughput(setting.workload, size.transactions, &taken);
    figures.extend(bytes(setting.workload, size.transactions, &made)?);
    Ok(figures)
}

/// How long blocks took.
#[derive(Debug, Default)]
struct Taken {
    /// The stages of blocks that were made one stage after the other.
    stages: Vec<Stages>,
    /// The stages of the peer's blocks; empty if there is no peer.
    peers: Vec<PeerStages>,
    /// Blocks of which different ones were in different stages at the same time.
    blocks: usize,
    /// How long these took.
    ours: Duration,
    /// How long the same took the peer.
    of_peer: Duration,
}

/// Over the whole time where the stages of different blocks run at the same time, by medians for each stage by itself.
fn throughput(workload: Workload, transactions: u32, taken: &Taken) -> Vec<Figure> {
    let Taken { stages, peers, blocks, ours, of_peer } = taken;
    let name = workload.name();
    let figure = |name: String, ours: f64, peer: f64| {
        let figure = Figure::new(name, ours, Unit::TransactionsPerSecond);
        if peers.is_empty() { figure } else { figure.beside(PEER, peer) }
    };
    let stage = |part, of: fn(&Stages) -> Duration, of_peer: fn(&PeerStages) -> Duration| {
        let (ours, peer) = (stages.iter().map(of), peers.iter().map(of_peer));
        figure(format!("{name}.{part}"), each(transactions, ours), each(transactions, peer))
    };
    let sustained = |took: &Duration| f64::from(transactions) * *blocks as f64 / took.as_secs_f64();
    let store = each(transactions, stages.iter().map(|stages| stages.store));
    vec![
        figure(name.to_owned(), sustained(ours), sustained(of_peer)),
        stage("recover", |stages| stages.recover, |peer| peer.recover),
        stage("execute", |stages| stages.execute, |peer| peer.execute),
        stage("assemble", |stages| stages.assemble, |peer| peer.root),
        Figure::new(format!("{name}.store"), store, Unit::TransactionsPerSecond),
    ]
}

/// Transactions a second in half of the blocks.
fn each(transactions: u32, took: impl Iterator<Item = Duration>) -> f64 {
    f64::from(transactions) / median(took.map(|took| took.as_secs_f64()))
}

/// What a transaction takes in bodies and in the log.
fn bytes(workload: Workload, transactions: u32, made: &MadeBlock) -> Result<Vec<Figure>, BenchError> {
    let of_one = |part: &str, bytes: usize| {
        let name = format!("{}.{part}", workload.name());
        Figure::new(name, bytes as f64 / f64::from(transactions), Unit::BytesPerTransaction)
    };
    let sum = |bodies: &[Bytes]| bodies.iter().map(|body| body.len()).sum::<usize>();
    let columns = sum(&made.assembled.column_bodies);
    let mut figures = vec![
        of_one("row_body", sum(&made.assembled.row_bodies)),
        of_one("column_body", columns),
        of_one("log", made.logged as usize),
    ];
    for top in TOPS {
        let Saved { bodies, upkeep } =
            saved(top, &made.assembled).map_err(|_| BenchError::Invalid("a body does not decode"))?;
        figures.push(of_one(&format!("column_body_top_{}", top.name), columns.saturating_sub(bodies)));
        figures.push(of_one(&format!("top_{}", top.name), upkeep));
    }
    Ok(figures)
}

/// The stack of today's Rust nodes, given the same blocks.
#[cfg(feature = "peers")]
use super::peers::rust_node::{RustNode as Peer, Senders};

/// Nobody: this build has no peers.
#[cfg(not(feature = "peers"))]
struct Peer;

/// What nobody recovers.
#[cfg(not(feature = "peers"))]
#[derive(Default)]
struct Senders(());

#[cfg(not(feature = "peers"))]
impl Peer {
    fn new(_: &crate::genesis_file::GenesisFile) -> Self {
        Self
    }

    fn block(&mut self, _: &[Bytes]) -> Result<Option<PeerStages>, BenchError> {
        Ok(None)
    }

    fn run(&mut self, _: Senders, _: &[RawBlock]) -> Result<Senders, BenchError> {
        Ok(Senders(()))
    }
}
