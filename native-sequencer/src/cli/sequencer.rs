//! `ocelli sequencer`.

use crate::{
    genesis_file::GenesisFile,
    node::{self, NodeOptions},
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
    std::fs::create_dir_all(&data_dir).with_context(|| format!("creating {}", data_dir.display()))?;
    node::run(NodeOptions {
        listen: config.listen,
        data_dir,
        genesis: GenesisFile::read(&base.join(config.genesis))?.open()?,
        key: Arc::new(read_key(&base.join(config.key_file))?),
        lie: None,
    })
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
