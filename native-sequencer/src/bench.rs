//! Measuring: kernels, the pipeline, what tasks cost to check.
//!
//! Figures are medians, beside a peer's where there is one. Nothing here is asserted: machines differ and are shared.
//! `npm run bench` runs all of it and writes `docs/benchmarks.md`.

pub mod chain;
pub mod figure;
pub mod pipeline;
pub mod signers;
pub mod tasks;
pub mod token;
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
    /// A file could not be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
