//! `ocelli bench pipeline`.

use super::{Output, World, show};
use crate::bench::{
    pipeline::{self, Size},
    workload::Workload,
};
use std::time::Duration;

/// Arguments of `ocelli bench pipeline`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the transactions do; named several times, one after the other; transfers, erc20 and swaps if none
    /// is named.
    #[arg(long, value_enum)]
    workload: Vec<Workload>,
    #[command(flatten)]
    world: World,
    /// Transactions in a block.
    #[arg(long, default_value_t = 10_000)]
    transactions: u32,
    /// How long each workload is sustained, in seconds of measured time.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size = Size { transactions: args.transactions, duration: Duration::from_secs(args.seconds) };
    let workloads = if args.workload.is_empty() { Workload::PIPELINE } else { &args.workload };
    let settings = workloads.iter().map(|workload| args.world.setting(*workload));
    args.output.print(
        settings,
        |setting| setting.workload.name().to_owned(),
        |setting, dir, bar| pipeline::run(&setting, size, dir, show(bar)),
    )
}
