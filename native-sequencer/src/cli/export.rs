//! `ocelli export` and `ocelli import`: a chain as a file.

use super::dev::{GENESIS_FILE, default_data_dir};
use crate::{genesis_file::GenesisFile, store, store::Store};
use alloy_primitives::B256;
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::PathBuf,
};

/// Arguments of `ocelli export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The file to write; it must not exist.
    file: PathBuf,
    /// The chain's data folder; no process may be using it.
    #[arg(long, env = "OCELLI_DATA_DIR", default_value_os_t = default_data_dir())]
    data_dir: PathBuf,
    /// The chain's genesis file; without it, genesis.json in the data folder.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// The last height to write; without it, the head.
    #[arg(long, value_name = "HEIGHT")]
    to: Option<u64>,
}

/// Arguments of `ocelli import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The file to read.
    file: PathBuf,
    /// The folder that gets the chain: empty, or with blocks of the same chain. To run it afterwards, put the chain's
    /// genesis.json there, which is not in the file.
    #[arg(long, env = "OCELLI_DATA_DIR", default_value_os_t = default_data_dir())]
    data_dir: PathBuf,
    /// The genesis hash that the chain must have. Without it the file itself says which chain it is.
    #[arg(long, value_name = "HASH")]
    genesis: Option<B256>,
}

/// Writes blocks 1 to the head.
///
/// # Errors
/// The folder or the file cannot be used.
pub fn export(args: ExportArgs) -> anyhow::Result<()> {
    let genesis_file = args.genesis.unwrap_or_else(|| args.data_dir.join(GENESIS_FILE));
    let genesis = GenesisFile::read(&genesis_file)?.open()?;
    let (store, recovered) = Store::open(&args.data_dir, &genesis.config, &genesis.state, &genesis.codes)?;
    let head = recovered.head.header.height;
    let to = args.to.unwrap_or(head);
    if to > head {
        bail!("the chain's head is {head}: there is no block {to}");
    }
    let file = File::create_new(&args.file).with_context(|| format!("creating {}", args.file.display()))?;
    let bar = progress_bar(to)?;
    store.export(1, to, BufWriter::new(&file), |height| bar.set_position(height))?;
    file.sync_all().with_context(|| format!("writing {}", args.file.display()))?;
    bar.finish_and_clear();
    println!("{}: blocks 1 to {to} of the chain {}", args.file.display(), genesis.config.genesis_hash());
    Ok(())
}

/// Checks every task of every block in the file and appends them.
///
/// # Errors
/// The folder or the file cannot be used, or a block is wrong. Blocks before it stay.
pub fn import(args: ImportArgs) -> anyhow::Result<()> {
    let file = File::open(&args.file).with_context(|| format!("opening {}", args.file.display()))?;
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} block {pos}, {per_sec}")?);
    let done = store::import(&args.data_dir, args.genesis, BufReader::new(file), |height| bar.set_position(height))?;
    bar.finish_and_clear();
    println!("{} blocks checked and taken; the head of chain {} is {}", done.blocks, done.genesis, done.height);
    Ok(())
}

fn progress_bar(length: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} blocks, {per_sec}, {eta} left")?;
    Ok(ProgressBar::new(length).with_style(style))
}
