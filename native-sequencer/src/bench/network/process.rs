//! Nodes as processes of their own, on free ports, gone when they are dropped.

use super::super::{BenchError, workload::World};
use super::Connection;
use crate::{dev, genesis_file::GenesisFile};
use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The name of the peer.
pub(super) const ANVIL: &str = "anvil";
/// How long a node may take to answer for the first time.
const START: Duration = Duration::from_secs(60);
/// Time between two attempts.
const AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Process {
    child: Child,
    address: String,
    patient: bool,
}

impl Process {
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Whether it can be told how long to wait for a receipt.
    pub(super) const fn patient(&self) -> bool {
        self.patient
    }

    /// This program's own node, over a new chain in the folder `dir` that begins as `genesis` says.
    pub(super) fn ocelli(genesis: &GenesisFile, dir: &Path) -> Result<Self, BenchError> {
        let in_folder = |source| BenchError::File { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(in_folder)?;
        genesis.write(&dir.join(crate::cli::dev::GENESIS_FILE))?;
        let program = std::env::current_exe().map_err(in_folder)?;
        let address = free_address().map_err(in_folder)?;
        let mut command = Command::new(program);
        command.args(["--log", "error", "dev", "--quiet", "--listen", &address, "--data-dir"]).arg(dir);
        Self::start(command, address, true)
    }

    /// anvil as it comes: a block for each transaction, mined at once. The accounts of `world` are given funds.
    pub(super) fn anvil(binary: &Path, world: &World) -> Result<Self, BenchError> {
        let address = free_address().map_err(|source| BenchError::File { path: binary.to_owned(), source })?;
        let port = address.rsplit(':').next().unwrap_or_default();
        let mut command = Command::new(binary);
        let chain = dev::CHAIN_ID.to_string();
        command.args(["--silent", "--port", port, "--chain-id", &chain, "--hardfork", "osaka"]);
        let process = Self::start(command, address, false)?;
        process.block_on(async {
            let mut connection = Connection::open(&process.address).await?;
            for account in world.addresses() {
                let params = [account.to_string().into(), format!("{:#x}", u128::MAX).into()];
                connection.call("anvil_setBalance", &params).await?;
            }
            Ok(())
        })?;
        Ok(process)
    }

    fn start(mut command: Command, address: String, patient: bool) -> Result<Self, BenchError> {
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|source| BenchError::File { path: program.into(), source })?;
        let process = Self { child, address, patient };
        let started = Instant::now();
        loop {
            let answered =
                process.block_on(async { Connection::open(&process.address).await?.call("eth_chainId", &[]).await });
            match answered {
                Ok(_) => return Ok(process),
                Err(error) if started.elapsed() > START => return Err(error),
                Err(_) => std::thread::sleep(AGAIN),
            }
        }
    }

    fn block_on<T>(&self, work: impl Future<Output = Result<T, BenchError>>) -> Result<T, BenchError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|source| BenchError::File { path: "a runtime".into(), source })?.block_on(work)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> std::io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
