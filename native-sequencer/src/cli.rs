//! The command line of `ocelli`.

#![allow(clippy::print_stdout, reason = "what a command prints is its result")]

pub mod bench;
pub mod dev;
pub mod export;
pub mod inspect;
pub mod sequencer;
mod size;
pub mod verify;

use clap::{Parser, Subcommand, ValueEnum};

/// An EVM chain that browser tabs verify: one computer orders and executes, any number of small verifiers check.
#[derive(Debug, Parser)]
#[command(name = "ocelli", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,ocelli_sequencer::pool=debug`.
    #[arg(long, global = true, env = "OCELLI_LOG", default_value = "info", help_heading = "Logging")]
    log: String,
    /// How to log: for people, or one JSON object a line.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, help_heading = "Logging")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a development chain: funded accounts, JSON-RPC, the verifier API and the demo page on one address.
    Dev(dev::Args),
    /// Run a sequencer as a configuration file says.
    Sequencer(sequencer::Args),
    /// Verify a chain: fetch every block, check it, and attest if given a key. Exits with 3 when it finds a fault.
    Verify(verify::Args),
    /// Write a chain's blocks to a file.
    Export(export::ExportArgs),
    /// Read a chain's blocks from a file, checking every task of every block.
    Import(export::ImportArgs),
    /// Show a block's rows, columns, lanes and sizes as a table.
    Inspect(inspect::Args),
    /// Measure: kernels, executor, pipeline, tasks, network, restart.
    Bench(bench::Args),
}

/// Ends the process with this status; what there is to say has been said.
#[derive(Debug, thiserror::Error)]
#[error("status {0}")]
pub struct Status(pub u8);

/// Runs the program with the arguments of the process.
///
/// # Errors
/// Whatever stopped the command, with what to do about it.
pub fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    start_logging(&cli)?;
    match cli.command {
        Command::Dev(args) => dev::run(args),
        Command::Sequencer(args) => sequencer::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Export(args) => export::export(args),
        Command::Import(args) => export::import(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Bench(args) => bench::run(args),
    }
}

fn start_logging(cli: &Cli) -> anyhow::Result<()> {
    use std::io::IsTerminal;
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_new(&cli.log)?;
    // Colours are for people: a file or a pipe gets none.
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match cli.log_format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
