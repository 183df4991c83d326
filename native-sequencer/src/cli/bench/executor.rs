//! `ocelli bench executor`.

use super::{Output, World, show};
use crate::bench::{
    executor::{self, Size},
    workload::Workload,
};

/// Arguments of `ocelli bench executor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the transactions do; named several times, one after the other; transfers, zipf, hot-pair and mix if none is named.
    #[arg(long, value_enum)]
    workload: Vec<Workload>,
    #[command(flatten)]
    world: World,
    /// Transactions in a block.
    #[arg(long, default_value_t = 10_000)]
    transactions: u32,
    /// Blocks that are executed, each by one thread and by two; figures are medians.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size = Size { transactions: args.transactions, rounds: args.rounds.max(1) };
    let workloads = if args.workload.is_empty() { Workload::EXECUTOR } else { &args.workload };
    let settings = workloads.iter().map(|workload| args.world.setting(*workload));
    args.output.print(
        settings,
        |setting| setting.workload.name().to_owned(),
        |setting, dir, bar| executor::run(&setting, size, dir, show(bar)),
    )
}
