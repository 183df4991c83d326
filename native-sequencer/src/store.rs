//! The store: the append-only log of blocks and what restarting needs, in one file, `chain.redb`.
//!
//! Guaranteed: a block whose [`Store::append`] returned is there after any crash, and a block is there as a whole or not at
//! all. What [`Store::open`] recovers is the state after the last block, and after each of the
//! [`limits::HISTORY_BLOCKS`] before it, checked against the state roots of their headers; nothing is executed again.
//!
//! How: the transaction that appends block h also brings the snapshot (`leaves`) from the state after block h − 257 to the
//! one after h − 256. Opening reads the snapshot and puts on top of it what the blocks since wrote, one by one.
//!
//! It assumes that nobody else writes into the folder, which a lock sees to.

mod archive;
mod error;
mod folder;
mod import;
mod recover;
mod replay;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    block::{SealedBlock, StoredBlock, StoredLeaf},
    limits,
};
use alloy_primitives::{B256, Bytes};
use error::Failure;
use folder::{Folder, NEW_CHAIN_FILE, io_error, sync_folder};
use ocelli_core::{certificate::Certificate, genesis::ChainConfig, header::SignedHeader, tree::Tree, wire};
use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, WriteTransaction};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};
use tables::{
    BLOCKS, CERTIFICATES, CODES, DIFFS, FORMAT, GENESIS, HASHES, HEADERS, LEAVES, META, META_CONFIG, META_FORMAT,
    META_GENESIS, META_SNAPSHOT, PLACES,
};

pub use archive::{Archive, ArchiveError};
pub use error::StoreError;
pub(crate) use folder::{CHAIN_FILE, DAMAGED_POOL_FILE, EVIDENCE_FOLDER, NEW_POOL_FILE, POOL_FILE};
pub use import::{ImportError, Imported, import};
pub use recover::Recovered;
pub use replay::ReplayError;

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The block's height.
    pub height: u64,
    /// The row.
    pub row: u32,
    /// The index in the row.
    pub index: u32,
}

/// The last block stored; genesis if there is none.
#[derive(Clone, Copy, Debug)]
struct Last {
    height: u64,
    hash: B256,
}

/// The log of one chain's blocks.
#[derive(Debug)]
pub struct Store {
    database: Database,
    path: PathBuf,
    last: Mutex<Last>,
    // Let go after the database is closed: fields are dropped in this order.
    _folder: Folder,
}

impl Store {
    /// Opens the store of the chain `config` in the folder `dir`, making both if they are not there, and recovers what it
    /// holds. `genesis` is the chain's first state and `codes` the code that it refers to.
    ///
    /// # Errors
    /// [`StoreError`]: the folder is in use, belongs to another chain or release, or is damaged.
    pub fn open(
        dir: &Path,
        config: &ChainConfig,
        genesis: &Tree,
        codes: &[(B256, Bytes)],
    ) -> Result<(Self, Recovered), StoreError> {
        if genesis.root() != config.state_root {
            return Err(StoreError::OtherGenesisState { found: genesis.root().0, expected: config.state_root.0 });
        }
        let folder = Folder::take(dir)?;
        let path = dir.join(CHAIN_FILE);
        if !path.exists() {
            make(dir, &path, config, genesis, codes)?;
        }
        let database = Database::builder()
            .set_cache_size(limits::STORE_CACHE_BYTES)
            .open(&path)
            .map_err(|error| Failure::from(error).at(&path))?;
        check_chain(&database, &path, config)?;
        let started = Instant::now();
        let recovered = recover::recover(&database, config).map_err(|failure| failure.at(&path))?;
        tracing::info!(
            height = recovered.head.header.height,
            keys = recovered.head.state.len(),
            milliseconds = started.elapsed().as_millis() as u64,
            "opened {}",
            path.display()
        );
        let last = Mutex::new(Last { height: recovered.head.header.height, hash: recovered.head.hash });
        Ok((Self { database, path, last, _folder: folder }, recovered))
    }

    /// Whether the folder `dir` has a chain.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(CHAIN_FILE).exists()
    }

    /// Deletes the chain in the folder `dir` and the pool's journal. Other files stay. A folder that is not there or is empty
    /// is no error.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] if this program never used the folder, [`StoreError::InUse`] if a process uses it.
    pub fn reset(dir: &Path) -> Result<(), StoreError> {
        Folder::reset(dir)
    }

    /// Appends `block`; it is durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::NotNext`] if it is not the child of the last block. With any error, nothing of it was stored.
    pub fn append(&self, block: &SealedBlock) -> Result<(), StoreError> {
        let started = Instant::now();
        let header = block.header();
        let mut last = self.last.lock();
        if last.height.checked_add(1) != Some(header.height) || last.hash != header.parent {
            let (height, parent) = (header.height, header.parent);
            return Err(StoreError::NotNext { height, parent, head: last.height, head_hash: last.hash });
        }
        self.write(|transaction| write_block(transaction, block))?;
        *last = Last { height: header.height, hash: block.hash };
        metrics::histogram!("ocelli_store_append_seconds").record(started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Appends a certificate; it is durable when this returns. One for the same height replaces it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn append_certificate(&self, certificate: &Certificate) -> Result<(), StoreError> {
        let encoded = certificate.encode();
        self.write(|transaction| {
            transaction.open_table(CERTIFICATES)?.insert(certificate.height, encoded.as_slice())?;
            Ok(())
        })
    }

    /// The block with this height.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or is damaged.
    pub fn block(&self, height: u64) -> Result<Option<StoredBlock>, StoreError> {
        self.read(|transaction| {
            let encoded = transaction.open_table(BLOCKS)?.get(height)?;
            encoded.map(|encoded| recover::decode_block(height, encoded.value())).transpose()
        })
    }

    /// The signed header of the block with this height.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or is damaged.
    pub fn signed_header(&self, height: u64) -> Result<Option<SignedHeader>, StoreError> {
        self.read(|transaction| {
            let encoded = transaction.open_table(HEADERS)?.get(height)?;
            encoded.map(|encoded| tables::decode_header(height, encoded.value())).transpose()
        })
    }

    /// The height of the block with this hash; genesis is none.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn height_of(&self, hash: &B256) -> Result<Option<u64>, StoreError> {
        self.read(|transaction| Ok(transaction.open_table(HASHES)?.get(&hash.0)?.map(|height| height.value())))
    }

    /// Where the transaction with this hash is.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn place_of(&self, transaction: &B256) -> Result<Option<Place>, StoreError> {
        self.read(|read| {
            let place = read.open_table(PLACES)?.get(&transaction.0)?.map(|place| place.value());
            Ok(place.map(|(height, row, index)| Place { height, row, index }))
        })
    }

    /// The first certificate for `height` or above: what shows that the block at `height` is attested.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or is damaged.
    pub fn certificate_at_or_after(&self, height: u64) -> Result<Option<Certificate>, StoreError> {
        self.read(|transaction| {
            let first = transaction.open_table(CERTIFICATES)?.range(height..)?.next().transpose()?;
            first.map(|(height, encoded)| recover::decode_certificate(height.value(), encoded.value())).transpose()
        })
    }

    /// The newest certificate.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails or is damaged.
    pub fn latest_certificate(&self) -> Result<Option<Certificate>, StoreError> {
        self.read(recover::latest_certificate)
    }

    fn read<T>(&self, body: impl FnOnce(&redb::ReadTransaction) -> Result<T, Failure>) -> Result<T, StoreError> {
        let read = || body(&self.database.begin_read()?);
        read().map_err(|failure| failure.at(&self.path))
    }

    fn write(&self, body: impl FnOnce(&WriteTransaction) -> Result<(), Failure>) -> Result<(), StoreError> {
        commit(&self.database, body).map_err(|failure| failure.at(&self.path))
    }
}

/// Runs `body` in a transaction that is durable when this returns.
fn commit(database: &Database, body: impl FnOnce(&WriteTransaction) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut transaction = database.begin_write()?;
    // Otherwise opening after a crash reads the whole file.
    transaction.set_quick_repair(true);
    body(&transaction)?;
    Ok(transaction.commit()?)
}

/// Makes the file of a chain without blocks. It gets its name when it is complete, so a crash leaves none or a whole one.
fn make(
    dir: &Path,
    path: &Path,
    config: &ChainConfig,
    genesis: &Tree,
    codes: &[(B256, Bytes)],
) -> Result<(), StoreError> {
    let new = dir.join(NEW_CHAIN_FILE);
    if new.exists() {
        fs::remove_file(&new).map_err(io_error(&new))?;
    }
    let fill = || {
        let database = Database::create(&new)?;
        commit(&database, |transaction| write_genesis(transaction, config, genesis, codes))
    };
    fill().map_err(|failure: Failure| failure.at(&new))?;
    fs::rename(&new, path).map_err(io_error(path))?;
    sync_folder(dir)
}

fn write_genesis(
    transaction: &WriteTransaction,
    config: &ChainConfig,
    genesis: &Tree,
    codes: &[(B256, Bytes)],
) -> Result<(), Failure> {
    tables::make_all(transaction)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
    meta.insert(META_GENESIS, config.genesis_hash().as_slice())?;
    meta.insert(META_CONFIG, wire::encode(config).as_slice())?;
    meta.insert(META_SNAPSHOT, 0_u64.to_be_bytes().as_slice())?;
    for table in [GENESIS, LEAVES] {
        let mut leaves = transaction.open_table(table)?;
        for leaf in genesis {
            leaves.insert(&leaf.path.0, wire::encode(&StoredLeaf::from(&leaf)).as_slice())?;
        }
    }
    write_codes(transaction, codes)
}

fn write_codes(transaction: &WriteTransaction, codes: &[(B256, Bytes)]) -> Result<(), Failure> {
    let mut table = transaction.open_table(CODES)?;
    for (hash, code) in codes {
        table.insert(&hash.0, code.as_ref())?;
    }
    Ok(())
}

fn write_block(transaction: &WriteTransaction, block: &SealedBlock) -> Result<(), Failure> {
    let height = block.header().height;
    let mut blocks = transaction.open_table(BLOCKS)?;
    let last = tables::head_height(&blocks)?;
    if last + 1 != height {
        return Err(Failure::Damaged(format!("its last block is {last}, where {} was expected", height - 1)));
    }
    blocks.insert(height, block.stored.encode().as_slice())?;
    transaction.open_table(HEADERS)?.insert(height, wire::encode(&block.stored.signed).as_slice())?;
    transaction.open_table(DIFFS)?.insert(height, wire::encode(&block.stored.writes).as_slice())?;
    transaction.open_table(HASHES)?.insert(&block.hash.0, height)?;
    let mut places = transaction.open_table(PLACES)?;
    for sealed in &block.transactions {
        let (row, index) = sealed.place;
        places.insert(&sealed.hash.0, (height, row, index))?;
    }
    write_codes(transaction, &block.stored.codes)?;
    advance_snapshot(transaction, height.saturating_sub(limits::HISTORY_BLOCKS))
}

/// Brings the snapshot up to the state after block `height`.
fn advance_snapshot(transaction: &WriteTransaction, height: u64) -> Result<(), Failure> {
    let mut diffs = transaction.open_table(DIFFS)?;
    let mut leaves = transaction.open_table(LEAVES)?;
    // One block as a rule; more after a change of HISTORY_BLOCKS.
    for entry in diffs.extract_from_if(..=height, |_, _| true)? {
        let (first, encoded) = entry?;
        for leaf in recover::decode_writes(first.value(), encoded.value())? {
            leaves.insert(&leaf.key.path().0, wire::encode(&leaf).as_slice())?;
        }
        transaction.open_table(META)?.insert(META_SNAPSHOT, first.value().to_be_bytes().as_slice())?;
    }
    Ok(())
}

fn check_chain(database: &Database, path: &Path, config: &ChainConfig) -> Result<(), StoreError> {
    let read = || {
        let transaction = database.begin_read()?;
        Ok((tables::meta(&transaction, META_FORMAT)?, tables::meta(&transaction, META_GENESIS)?))
    };
    let (format, genesis) = read().map_err(|failure: Failure| failure.at(path))?;
    let path = path.to_owned();
    let (found, expected) = (u32::from_be_bytes(format), FORMAT);
    if found != expected {
        return Err(StoreError::OtherFormat { path, found, expected });
    }
    let (found, expected) = (B256::new(genesis), config.genesis_hash());
    if found == expected { Ok(()) } else { Err(StoreError::OtherChain { path, found, expected }) }
}
