//! `ocelli bench`.

pub mod executor;
pub mod kernels;
pub mod network;
pub mod pipeline;
pub mod restart;
pub mod tasks;

use crate::bench::{
    BenchError,
    figure::{Figure, Unit},
    workload::{Setting, Workload},
};
use clap::Subcommand;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

/// Arguments of `ocelli bench`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[group(skip)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pipeline: pipeline::Args,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Signer recovery, Keccak-256 and tree updates, each in one thread; beside libsecp256k1, sha3, nomt and jmt.
    Kernels(kernels::Args),
    /// Two threads of the executor against one, and what 4, 16 and 64 cores would give: from independent transactions to one lane.
    Executor(executor::Args),
    /// Signed bytes in, durable block with every body out: transactions a second, by stages; beside the stack that today's
    /// Rust nodes are made of. What is measured if nothing is named.
    Pipeline(pipeline::Args),
    /// What a row and a column cost to check; with --out, the same tasks as files, for measuring a browser.
    Tasks(tasks::Args),
    /// Transactions on loopback: how many a second and how long answers and promises take, one by one and in bulk; beside anvil,
    /// if --anvil names it.
    Network(network::Args),
    /// How long a chain of so many transactions takes to open.
    Restart(restart::Args),
}

/// How figures are printed, and where measured chains are kept.
#[derive(Debug, clap::Args)]
struct Output {
    /// Folder for the measured chains, on the disk that is to be measured. It must not be there yet; it is deleted at the end.
    #[arg(long, default_value = "target/bench-chain")]
    data_dir: PathBuf,
    /// Print a JSON object a line instead of a table: name, ours, peer, peer_name, unit, ratio. Peers are measured by builds
    /// with the feature `peers`.
    #[arg(long)]
    json: bool,
}

/// The chain that is measured.
#[derive(Debug, clap::Args)]
struct World {
    /// Accounts in the state.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// The contracts of Uniswap V2: the folder `@uniswap` of npm's packages.
    #[arg(long, default_value = "node_modules/@uniswap")]
    uniswap: PathBuf,
}

impl World {
    fn setting(&self, workload: Workload) -> Setting {
        Setting { workload, accounts: self.accounts, uniswap: self.uniswap.clone() }
    }
}

/// Measures and prints the figures.
///
/// # Errors
/// The folder is in use, or what was measured turned out wrong.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.what {
        None => pipeline::run(args.pipeline),
        Some(What::Kernels(args)) => kernels::run(args),
        Some(What::Executor(args)) => executor::run(args),
        Some(What::Pipeline(args)) => pipeline::run(args),
        Some(What::Tasks(args)) => tasks::run(args),
        Some(What::Network(args)) => network::run(args),
        Some(What::Restart(args)) => restart::run(args),
    }
}

impl Output {
    /// Runs one measurement after the other, each in a folder of its own that is gone afterwards, and prints what comes out:
    /// lines as soon as they are known, a table at the end.
    fn print<T>(
        &self,
        measurements: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
        measure: impl Fn(T, &Path, &ProgressBar) -> Result<Vec<Figure>, BenchError>,
    ) -> anyhow::Result<()> {
        let mut all = Vec::new();
        for measurement in measurements {
            let bar = progress(name(&measurement));
            anyhow::ensure!(!self.data_dir.exists(), "{} is there already", self.data_dir.display());
            let measured = measure(measurement, &self.data_dir, &bar);
            bar.finish_and_clear();
            if self.data_dir.exists() {
                std::fs::remove_dir_all(&self.data_dir)?;
            }
            let figures = measured?;
            if self.json {
                figures.iter().try_for_each(print_line)?;
            }
            all.extend(figures);
        }
        if !self.json {
            print_table(&all);
        }
        Ok(())
    }
}

/// Progress of one measurement, on standard error if that is a terminal.
fn progress(what: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {elapsed}");
    ProgressBar::new(100).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what)
}

/// Moves `bar` to this part of the whole.
fn show(bar: &ProgressBar) -> impl FnMut(f64) {
    |part| bar.set_position((part * 100.0) as u64)
}

fn print_line(figure: &Figure) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(figure)?);
    Ok(())
}

fn print_table(figures: &[Figure]) {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(["what", "Ocelli", "unit", "peer", "", "times better"]);
    for figure in figures {
        let peer = figure.peer.map(|peer| number(peer, figure.unit)).unwrap_or_default();
        let ratio = figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let ours = number(figure.ours, figure.unit);
        let name = figure.peer_name.unwrap_or_default();
        table.add_row([&figure.name, &ours, figure.unit.symbol(), &peer, name, &ratio]);
    }
    for at in [1, 3, 5] {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
}

fn number(number: f64, unit: Unit) -> String {
    let digits = match unit {
        Unit::Bytes | Unit::Count => 0,
        _ if number >= 100.0 => 0,
        _ if number >= 10.0 => 1,
        _ => 2,
    };
    format!("{number:.digits$}")
}
