//! What can go wrong with a store, in words that say what to do.

use crate::block::Unfit;
use alloy_primitives::B256;
use std::path::PathBuf;

/// The store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has the folder open.
    #[error("{} is held by another process{}: stop it first, or choose another --data-dir", dir.display(), by(.process))]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The id of the process, if it could be read.
        process: Option<u32>,
    },
    /// The folder holds another chain.
    #[error(
        "{} belongs to the chain with genesis {found}, not {expected}: choose another --data-dir or start with --reset",
        path.display()
    )]
    OtherChain {
        /// The file.
        path: PathBuf,
        /// The genesis hash of the chain it holds.
        found: B256,
        /// The genesis hash asked for.
        expected: B256,
    },
    /// Another release wrote the file, in a layout that this one does not know.
    #[error(
        "{} has format {found}, and this release reads format {expected}: use the release that wrote it, or start over with \
         --reset",
        path.display()
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format that can be read.
        expected: u32,
    },
    /// The file holds something that the store never writes.
    #[error(
        "{} is damaged ({what}): restore the folder from a copy (a sequencer then starts with --raise-term), or start over with \
         --reset",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The log ends before what was made of it.
    #[error(
        "{} lacks block {height}, which the folder `index` beside it was made of: if the file is an earlier copy and meant to be \
         gone on with, delete that folder (the sequencer then starts with --raise-term); otherwise restore the newer file",
        path.display()
    )]
    ShortLog {
        /// The log.
        path: PathBuf,
        /// The height of the block.
        height: u64,
    },
    /// The index, or a snapshot, holds something that the store never writes.
    #[error("{} is damaged ({what}): delete it, and it is made again from the other files", path.display())]
    DamagedIndex {
        /// The file, or the folder of all of them.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The index can take no more blocks. Nothing of the block was stored, unless it is the first to find this.
    #[error("{} cannot be written ({why}): restart once the disk is well", path.display())]
    IndexStopped {
        /// Its folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A folder that is not to be emptied, because its content was not made by this program.
    #[error("{} is not empty and was not made by ocelli: nothing in it was deleted. Choose another --data-dir", dir.display())]
    Foreign {
        /// The folder.
        dir: PathBuf,
    },
    /// The genesis state is not the one that the chain's configuration names: the caller's fault.
    #[error("the genesis state has root {found}, and the configuration names {expected}")]
    OtherGenesisState {
        /// The root of the state given.
        found: B256,
        /// The root in the configuration.
        expected: B256,
    },
    /// A block that does not follow on the last one stored: the caller's fault. Nothing was stored.
    #[error("block {height} with parent {parent} does not follow on block {head} with hash {head_hash}")]
    NotNext {
        /// The height of the block.
        height: u64,
        /// What it names as parent.
        parent: B256,
        /// The height of the last block.
        head: u64,
        /// The hash of the last block.
        head_hash: B256,
    },
    /// A leaf that no state has: the caller's fault. Nothing was stored.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The database could not do what it was asked to.
    #[error("{}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: redb::Error,
    },
}

fn by(process: &Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

/// What goes wrong inside, where the file's path is not known.
#[derive(Debug)]
pub(super) enum Failure {
    /// See [`StoreError::Damaged`].
    Damaged(String),
    /// See [`StoreError::Database`].
    Database(redb::Error),
}

impl Failure {
    /// The failure of the file at `path`.
    pub(super) fn at(self, path: &std::path::Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Damaged(what) | Self::Database(redb::Error::Corrupted(what)) => StoreError::Damaged { path, what },
            // So redb says that the file is no database of its own.
            Self::Database(redb::Error::Io(source)) if is_format_error(&source) => {
                StoreError::Damaged { path, what: source.to_string() }
            }
            Self::Database(redb::Error::Io(source)) => StoreError::Io { path, source },
            Self::Database(redb::Error::DatabaseAlreadyOpen) => {
                let dir = path.parent().map(PathBuf::from).unwrap_or(path);
                StoreError::InUse { dir, process: None }
            }
            Self::Database(source) => StoreError::Database { path, source },
        }
    }
}

fn is_format_error(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

impl From<Unfit> for Failure {
    fn from(error: Unfit) -> Self {
        Self::Damaged(error.to_string())
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Database(error.into())
            }
        }
    )*};
}

from_redb!(redb::DatabaseError, redb::TransactionError, redb::TableError, redb::StorageError, redb::CommitError);
