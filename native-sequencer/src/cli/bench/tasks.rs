//! `ocelli bench tasks`.

use super::{Common, print, progress, with_folder};
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
    /// Accounts in the state.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
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
    common: Common,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size =
        Size { accounts: args.accounts, transactions: args.transactions, tasks: args.tasks, rounds: args.rounds };
    let bar = progress(format!("tasks of {}", args.workload.name()));
    let figures = with_folder(&args.common.data_dir, |dir| {
        let tasks = Tasks::new(args.workload, size, dir)?;
        bar.set_position(50);
        if let Some(out) = &args.out {
            tasks.write(out)?;
        }
        Ok(tasks.measure()?)
    })?;
    bar.finish_and_clear();
    print(&figures, args.common.json)
}
