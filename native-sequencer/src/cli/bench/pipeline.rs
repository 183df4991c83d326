//! `ocelli bench pipeline`.

use super::{Common, print, progress, with_folder};
use crate::bench::{
    pipeline::{self, Size},
    workload::Workload,
};
use std::time::Duration;

/// Arguments of `ocelli bench pipeline`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the transactions do; once for each workload, all if none is named.
    #[arg(long, value_enum)]
    workload: Vec<Workload>,
    /// Accounts in the state.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// Transactions in a block.
    #[arg(long, default_value_t = 10_000)]
    transactions: u32,
    /// How long each workload is sustained, in seconds of measured time.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size =
        Size { accounts: args.accounts, transactions: args.transactions, duration: Duration::from_secs(args.seconds) };
    let all = Workload::ALL;
    let workloads = if args.workload.is_empty() { all } else { &args.workload };
    let mut figures = Vec::new();
    for workload in workloads {
        let bar = progress(workload.name());
        figures.extend(with_folder(&args.common.data_dir, |dir| {
            let done = |part: f64| bar.set_position((part * 100.0) as u64);
            Ok(pipeline::run(*workload, size, dir, done)?)
        })?);
        bar.finish_and_clear();
    }
    print(&figures, args.common.json)
}
