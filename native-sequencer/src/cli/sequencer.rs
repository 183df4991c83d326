//! `ocelli sequencer`.

use crate::{
    genesis_file::GenesisFile,
    node::{self, NodeOptions},
    store::Store,
};
use alloy_primitives::B256;
use anyhow::{Context, bail};
use ocelli_core::signature::SecretKey;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Arguments of `ocelli sequencer`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file (TOML): listen, data_dir, genesis, key_file; docs/operating.md describes it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Make a new chain: the data folder must not have one. Without it, the folder must.
    #[arg(long)]
    new: bool,
    /// Go on in the next term: after the data folder was restored from a copy, since headers that the copy lacks are signed.
    #[arg(long, conflicts_with = "new")]
    raise_term: bool,
    /// Room for the bodies of columns, which are what verifiers check columns with: so many MiB, GiB or TiB, or `all`. The oldest are
    /// deleted; those of the last blocks are made again when they are asked for, and rows are kept for ever.
    #[arg(long, value_name = "SIZE", default_value = "32GiB", value_parser = super::size::parse)]
    keep_columns: u64,
}

/// A sequencer's configuration file. Relative paths are relative to the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Address and port of JSON-RPC, the verifier API and the page.
    listen: SocketAddr,
    /// Folder for the chain.
    data_dir: PathBuf,
    /// The genesis file.
    genesis: PathBuf,
    /// A file with the key that signs headers: 32 bytes in hexadecimal.
    key_file: PathBuf,
}

/// Runs a sequencer until the process is told to stop.
///
/// # Errors
/// Whatever keeps it from starting or going on.
pub fn run(args: Args) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&args.config).with_context(|| format!("reading {}", args.config.display()))?;
    let config: Config = toml::from_str(&text).with_context(|| format!("in {}", args.config.display()))?;
    let base = args.config.parent().unwrap_or(Path::new("."));
    let data_dir = base.join(config.data_dir);
    refuse_if_unexpected(&data_dir, args.new)?;
    std::fs::create_dir_all(&data_dir).with_context(|| format!("creating {}", data_dir.display()))?;
    node::run(NodeOptions {
        listen: config.listen,
        data_dir,
        genesis: GenesisFile::read(&base.join(config.genesis))?.open()?,
        key: Arc::new(read_key(&base.join(config.key_file))?),
        raise_term: args.raise_term,
        keep_columns: args.keep_columns,
        lie: None,
    })
}

/// A chain that is begun twice has two first blocks, and whoever has both proves the sequencer faulty.
fn refuse_if_unexpected(data_dir: &Path, new: bool) -> anyhow::Result<()> {
    match (Store::is_in(data_dir), new) {
        (false, false) => bail!(
            "{0} has no chain. If this chain never ran, start with --new; if it did, its data folder is elsewhere (not mounted?), \
             and a new one would sign the first blocks a second time",
            data_dir.display()
        ),
        (true, true) => bail!("{} has a chain already: start without --new", data_dir.display()),
        _ => Ok(()),
    }
}

/// Reads a secret key: 32 bytes in hexadecimal, with or without 0x.
///
/// # Errors
/// The file cannot be read, can be read by others, or holds something else.
pub fn read_key(path: &Path) -> anyhow::Result<SecretKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading the key file {}", path.display()))?;
    refuse_if_shared(path)?;
    let bytes: B256 = text.trim().parse().ok().with_context(|| {
        format!("{} does not hold a key: 64 hexadecimal digits, with or without 0x", path.display())
    })?;
    SecretKey::from_bytes(&bytes.0).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

#[cfg(unix)]
fn refuse_if_shared(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{0} can be read by others; chmod 600 {0}", path.display());
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_shared(_: &Path) -> anyhow::Result<()> {
    Ok(())
}
