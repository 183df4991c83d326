//! `ocelli bench restart`.

use super::{Output, show};
use crate::bench::restart::{self, Size};

/// Arguments of `ocelli bench restart`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Accounts in the first state.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// Transactions in the chain.
    #[arg(long, default_value_t = 200_000)]
    transactions: u32,
    /// Transactions in a block.
    #[arg(long, default_value_t = 2_000)]
    block: u32,
    /// How often it is opened; the figure is the median.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size = Size {
        accounts: args.accounts,
        transactions: args.transactions,
        block: args.block.max(1),
        rounds: args.rounds.max(1),
    };
    args.output.print([size], |_| "restart".to_owned(), |size, dir, bar| restart::run(size, dir, show(bar)))
}
