//! `ocelli bench tasks`.

use super::{Output, World};
use crate::bench::{
    tasks::{Size, Tasks},
    workload::Workload,
};
use std::path::PathBuf;

/// Arguments of `ocelli bench tasks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the transactions do.
    #[arg(long, value_enum, default_value_t = Workload::Transfers)]
    workload: Workload,
    #[command(flatten)]
    world: World,
    /// Transactions in the block. By default so many transfers that columns are almost full: a fuller one is split.
    #[arg(long, default_value_t = 7_800)]
    transactions: u32,
    /// Rows and columns measured, each.
    #[arg(long, default_value_t = 4)]
    tasks: usize,
    /// How often each is checked.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Write the tasks into this folder, as the verifier API would serve them.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size = Size { transactions: args.transactions, tasks: args.tasks, rounds: args.rounds.max(1) };
    args.output.print(
        [args.world.setting(args.workload)],
        |setting| format!("tasks of {}", setting.workload.name()),
        |setting, dir, _| {
            let tasks = Tasks::new(setting, size, dir)?;
            if let Some(out) = &args.out {
                tasks.write(out)?;
            }
            tasks.measure()
        },
    )
}
