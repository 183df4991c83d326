//! Taking blocks over from a file, after checking them: every rule of every block, every row, every column. The file has rows;
//! columns are made of them, so whoever takes blocks over has the state after each.

use super::{
    Archive, ArchiveError, ReplayError, Store, StoreError,
    recover::Recovered,
    replay::{self, Verified},
};
use crate::{block::StoredBlock, chain::Head};
use alloy_primitives::B256;
use ocelli_core::{genesis::ChainConfig, header::Header, merkle::Frontier, params::ParamsError, tree::Tree};
use std::{io::Read, path::Path};

/// Blocks could not be taken over. Those before stay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file's chain has parameters that this build cannot use.
    #[error("the chain in the file: {0}")]
    Params(#[from] ParamsError),
    /// The file holds another chain than was asked for.
    #[error("the file holds the chain with genesis {found}, not {expected}")]
    OtherChain {
        /// The genesis hash in the file.
        found: B256,
        /// The genesis hash asked for.
        expected: B256,
    },
    /// The file begins after the end of the chain that is there.
    #[error(
        "the file goes on with block {found}, and the folder's chain ends with block {head}: import the blocks between first"
    )]
    Gap {
        /// The height of the last block there.
        head: u64,
        /// The height of the file's next block.
        found: u64,
    },
    /// The file has another block where the folder has one: one of the two is of a fork.
    #[error("block {0} in the file is not the one in the folder")]
    Fork(u64),
    /// A block does not pass the checks.
    #[error("block {height}: {error}")]
    Block {
        /// Its height.
        height: u64,
        /// What is wrong.
        error: ReplayError,
    },
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The genesis hash of the chain.
    pub genesis: B256,
    /// Blocks that were taken over; those that were there already are not counted.
    pub blocks: u64,
    /// The height of the last block in the folder.
    pub height: u64,
}

/// Takes the blocks of a file over into the folder `dir`, which is empty or holds the same chain. If `expected` is given, the
/// file has to hold the chain with that genesis hash; otherwise the file itself says which chain it is. `progress` is told
/// each height.
///
/// # Errors
/// [`ImportError`]; the blocks before the error stay.
pub fn import(
    dir: &Path,
    expected: Option<B256>,
    read: impl Read,
    mut progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let mut archive = Archive::open(read)?;
    let found = archive.config.genesis_hash();
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(ImportError::OtherChain { found, expected });
    }
    archive.config.params.validate()?;
    let (store, recovered) = Store::open(dir, &archive.config, &archive.genesis, &archive.codes)?;
    let mut importer = Importer::new(&store, archive.config.clone(), recovered);
    while let Some(stored) = archive.next_block()? {
        let height = stored.signed.header.height;
        importer.take(stored)?;
        progress(height);
    }
    Ok(Imported { genesis: found, blocks: importer.blocks, height: importer.head.height })
}

/// The end of the chain while blocks are appended to it.
pub(super) struct Importer<'a> {
    store: &'a Store,
    config: ChainConfig,
    head: Header,
    ancestors: Frontier,
    /// The state after `head`.
    state: Tree,
    codes: std::sync::Arc<crate::state::Codes>,
    blocks: u64,
}

impl<'a> Importer<'a> {
    pub(super) fn new(store: &'a Store, config: ChainConfig, recovered: Recovered) -> Self {
        let Head { header: head, ancestors, state, .. } = recovered.head;
        Self { store, config, head, ancestors, state, codes: recovered.codes, blocks: 0 }
    }

    pub(super) fn take(&mut self, stored: StoredBlock) -> Result<(), ImportError> {
        let height = stored.signed.header.height;
        if height <= self.head.height {
            let here = self.store.height_of(&stored.signed.header.hash())? == Some(height);
            return if here { Ok(()) } else { Err(ImportError::Fork(height)) };
        }
        if height != self.head.height + 1 {
            return Err(ImportError::Gap { head: self.head.height, found: height });
        }
        let verified = self.verify(stored).map_err(|error| ImportError::Block { height, error })?;
        let Verified { block, writes, state } = verified;
        self.store.append(&block, &writes)?;
        self.store.offer_state(height, &state);
        self.state = state;
        for (hash, code) in &block.stored.codes {
            self.codes.insert(*hash, code.clone());
        }
        self.head = block.header().clone();
        self.blocks += 1;
        Ok(())
    }

    fn verify(&mut self, stored: StoredBlock) -> Result<Verified, ReplayError> {
        replay::verify(&self.config, &self.head, &mut self.ancestors, stored, &self.state, &self.codes)
    }
}
