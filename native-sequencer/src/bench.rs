//! Measuring: kernels, the executor, the pipeline, the network, restarting, what tasks cost to check.
//!
//! Figures are medians, beside a peer's where there is one. Nothing here is asserted: machines differ and are shared.
//! `npm run bench` runs all of it and writes `docs/benchmarks.md`.

pub mod chain;
pub mod exchange;
pub mod executor;
pub mod figure;
pub mod kernels;
mod line;
pub mod network;
#[cfg(feature = "peers")]
pub mod peers;
pub mod pipeline;
pub mod restart;
pub mod signers;
pub mod tasks;
pub mod token;
pub mod top;
pub mod workload;

use crate::{genesis_file::GenesisFileError, store::StoreError};
use ocelli_core::{evm::StateError, transaction::TransactionError};

/// Measuring failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The genesis of the measured chain cannot be used.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    /// A block did not execute or assemble, or a task did not check.
    #[error("the measured chain is not valid: {0}")]
    Invalid(&'static str),
    /// A transaction was not well formed.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The state lacks code.
    #[error(transparent)]
    State(#[from] StateError),
    /// A contract that is measured is not there.
    #[error("{path} is missing: `npm ci` fetches the contracts of Uniswap, --uniswap says where they are")]
    Contracts {
        /// The file.
        path: std::path::PathBuf,
    },
    /// What is measured beside failed.
    #[error("{name}: {reason}")]
    Peer {
        /// The peer.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// A node does not answer, or not as it should.
    #[error("{address}: {reason}")]
    Network {
        /// The node's address.
        address: String,
        /// Why.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
