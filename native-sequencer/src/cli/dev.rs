//! `ocelli dev`.

use crate::{
    dev,
    genesis_file::GenesisFile,
    node::{self, NodeOptions},
    producer::lie::Lie,
    store::Store,
};
use anyhow::{Context, bail};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The genesis file that a development chain writes into its data folder.
pub(crate) const GENESIS_FILE: &str = "genesis.json";

/// Arguments of `ocelli dev`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port on 127.0.0.1 for JSON-RPC, the verifier API and the page.
    #[arg(long, default_value_t = 8545, conflicts_with = "listen")]
    port: u16,
    /// Address and port to listen on, instead of 127.0.0.1.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Folder for the chain; it continues where it stopped.
    #[arg(long, env = "OCELLI_DATA_DIR", default_value_os_t = default_data_dir())]
    data_dir: PathBuf,
    /// Forget the chain in the data folder and begin a new one.
    #[arg(long)]
    reset: bool,
    /// Registered verifiers of a new chain, each of equal weight, with keys of the test mnemonic (m/44'/60'/1'/0/i).
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    verifiers: u32,
    /// Room for the bodies of columns, which are what verifiers check columns with: so many MiB, GiB or TiB, or `all`. The oldest are
    /// deleted; those of the last blocks are made again when they are asked for, and rows are kept for ever.
    #[arg(long, value_name = "SIZE", default_value = "32GiB", value_parser = super::size::parse)]
    keep_columns: u64,
    /// Do not print the accounts.
    #[arg(long)]
    quiet: bool,
    /// For tests: lie in one row of the block at this height.
    #[arg(long, hide = true, value_name = "HEIGHT")]
    test_lie: Option<u64>,
}

/// Where a development chain is kept if nothing else is said.
pub(super) fn default_data_dir() -> PathBuf {
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local").join("share")));
    base.unwrap_or_else(|| PathBuf::from(".")).join("ocelli").join("dev")
}

fn forget_genesis(data_dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(data_dir.join(GENESIS_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs a development chain until the process is told to stop.
///
/// # Errors
/// Whatever keeps it from starting or going on.
pub fn run(args: Args) -> anyhow::Result<()> {
    if args.reset {
        Store::reset(&args.data_dir)?;
        forget_genesis(&args.data_dir)?;
    }
    std::fs::create_dir_all(&args.data_dir).with_context(|| format!("creating {}", args.data_dir.display()))?;
    let path = args.data_dir.join(GENESIS_FILE);
    let file = if path.exists() {
        GenesisFile::read(&path)?
    } else if Store::is_in(&args.data_dir) {
        bail!(
            "{0} has a chain, but not its {GENESIS_FILE}: put that there, or start over with --reset",
            args.data_dir.display()
        );
    } else {
        let file = dev::genesis(args.verifiers)?;
        file.write(&path)?;
        file
    };
    if !args.quiet {
        println!("{}", dev::banner()?);
    }
    node::run(NodeOptions {
        listen: args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], args.port))),
        data_dir: args.data_dir,
        genesis: file.open()?,
        key: Arc::new(dev::key(dev::Purpose::Sequencer, 0)?),
        raise_term: false,
        keep_columns: args.keep_columns,
        lie: args.test_lie.map(|height| Lie { height }),
    })
}
