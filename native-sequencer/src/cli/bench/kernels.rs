//! `ocelli bench kernels`.

use super::{Output, show};
use crate::bench::kernels::{self, Kernel, Size};

/// Arguments of `ocelli bench kernels`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kernel; named several times, one after the other; all if none is named.
    #[arg(long, value_enum)]
    kernel: Vec<Kernel>,
    /// Keys in the trees.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u32,
    /// Keys that are updated as one batch.
    #[arg(long, default_value_t = 10_000)]
    batch: u32,
    /// Rounds, in which ours and the peer's take turns; figures are their medians.
    #[arg(long, default_value_t = 11)]
    rounds: u32,
    /// Leave peers out, and say what memory a key of the tree takes: to be trusted of `--kernel tree` alone, for what a kernel before
    /// it gave back is taken again without being counted.
    #[arg(long)]
    alone: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let size = Size { rounds: args.rounds.max(1), keys: args.keys, batch: args.batch, alone: args.alone };
    let kernels = if args.kernel.is_empty() { Kernel::ALL } else { &args.kernel };
    args.output.print(
        kernels.iter().copied(),
        |kernel| kernel.name().to_owned(),
        |kernel, dir, bar| kernels::run(kernel, size, dir, show(bar)),
    )
}
