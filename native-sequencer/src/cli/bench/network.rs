//! `ocelli bench network`.

use super::{Output, show};
use crate::bench::network::{self, Size};
use std::{path::PathBuf, time::Duration};

/// Arguments of `ocelli bench network`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Connections that send, each the next transaction when the last one is answered.
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Connections that send and get the receipt, for which each waits until the transaction is in a block.
    #[arg(long, default_value_t = 2_000)]
    waiting: usize,
    /// How long one turn takes, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Turns of each, for each way of sending; figures are their medians.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Promises that are asked for a second, each when it is due.
    #[arg(long, default_value_t = 10_000)]
    promises: u32,
    /// The binary of Foundry's anvil, which is measured beside, by turns.
    #[arg(long)]
    anvil: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size = Size {
        connections: args.connections.max(1),
        waiting: args.waiting.max(1),
        turn: Duration::from_secs(args.seconds.max(1)),
        rounds: args.rounds.max(1),
        promises: args.promises.max(1),
        anvil: args.anvil,
    };
    args.output.print(
        [size],
        |_| "transactions on loopback".to_owned(),
        |size, dir, bar| network::run(&size, dir, show(bar)),
    )
}
