//! `ocelli bench`.

pub mod pipeline;
pub mod tasks;

use crate::bench::figure::{Figure, Unit};
use clap::Subcommand;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};

/// Arguments of `ocelli bench`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pipeline: pipeline::Args,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Signed bytes in, durable block with every body out: transactions a second, by stages. What is measured if nothing
    /// is named.
    Pipeline(pipeline::Args),
    /// What a row and a column cost to check; with --out, the same tasks as files, for measuring a browser.
    Tasks(tasks::Args),
}

/// How figures are printed, and where measured chains are kept.
#[derive(Debug, clap::Args)]
struct Common {
    /// Folder for the measured chains, on the disk that is to be measured. It must not hold one; they are deleted at the end.
    #[arg(long, default_value = "target/bench-chain")]
    data_dir: PathBuf,
    /// Print a JSON object a line instead of a table: name, ours, peer, peer_name, unit, ratio.
    #[arg(long)]
    json: bool,
}

/// Measures and prints the figures.
///
/// # Errors
/// The folder is in use, or what was measured turned out wrong.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.what {
        None => pipeline::run(args.pipeline),
        Some(What::Pipeline(args)) => pipeline::run(args),
        Some(What::Tasks(args)) => tasks::run(args),
    }
}

/// Progress of one measurement, on standard error if that is a terminal.
fn progress(what: impl Into<String>) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {bar:40} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(100).with_style(style).with_message(what.into())
}

/// Runs `measure` with a folder of its own under `dir`, which is gone afterwards.
fn with_folder<T>(dir: &Path, measure: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let made = !dir.exists();
    let measured = measure(dir);
    crate::store::Store::reset(dir)?;
    if made {
        // Somebody else's files in it are theirs to remove.
        let _ = std::fs::remove_dir(dir);
    }
    measured
}

fn print(figures: &[Figure], json: bool) -> anyhow::Result<()> {
    if json {
        for figure in figures {
            println!("{}", serde_json::to_string(figure)?);
        }
        return Ok(());
    }
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
    Ok(())
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
