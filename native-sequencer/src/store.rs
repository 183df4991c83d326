//! The store: the append-only log of blocks and what restarting needs.
//!
//! ```text
//! blocks.log   every block, in order          appended and synced before a block is published
//! chain.redb   what the chain begins with; certificates
//! index/       what blocks are asked for by, and snapshots of the state; follows from the others
//! columns/     the bodies of columns, for a time; those of recent blocks follow from the others
//! ```
//!
//! Guaranteed: a block whose [`Store::append`] returned is there after any crash, and a block is there as a whole or not at
//! all. What [`Store::open`] recovers is the state after the last block, checked against the state root of its header, and
//! states after blocks before it. Nothing is executed again, but for the last blocks where a crash took their columns.
//!
//! How: whoever appends offers the state after the block, and when enough was written since the last snapshot, it becomes the next.
//! Opening reads a snapshot, or takes the first state, and puts on top of it what the blocks since wrote.
//!
//! It assumes that nobody else writes into the folder, which a lock sees to.

mod archive;
mod columns;
mod direct;
mod error;
mod folder;
mod import;
mod index;
mod log;
mod recover;
mod replay;
mod segment;
mod segments;
mod snapshot;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    block::{SealedBlock, StoredBlock, StoredLeaf},
    limits,
    state::Codes,
};
use alloy_primitives::{B256, Bytes};
use columns::Columns;
use error::Failure;
use folder::{Folder, NEW_CHAIN_FILE, io_error, sync_folder};
use index::Index;
use log::{Found, Log, Part};
use ocelli_core::{
    certificate::Certificate,
    genesis::ChainConfig,
    header::SignedHeader,
    key::Key,
    tree::{Leaf, Tree},
    wire,
};
use parking_lot::Mutex;
use recover::Files;
use redb::{Database, ReadableDatabase, WriteTransaction};
use segments::{Entry, Segments};
use snapshot::Snapshots;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use tables::{CERTIFICATES, FORMAT, GENESIS, META, META_CONFIG, META_FORMAT, META_GENESIS};

pub use archive::{Archive, ArchiveError};
pub use error::StoreError;
pub(crate) use folder::COLUMNS_FOLDER;
use folder::{CHAIN_FILE, INDEX_FOLDER, LOG_FILE};
pub(crate) use folder::{DAMAGED_POOL_FILE, EVIDENCE_FOLDER, NEW_POOL_FILE, POOL_FILE};
pub use import::{ImportError, Imported, import};
pub use recover::Recovered;
pub use replay::ReplayError;
pub(crate) use replay::{add_cells, add_columns};

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

/// About what one written leaf takes in the log.
const LEAF_BYTES: usize = 80;

/// The last block stored; genesis if there is none.
#[derive(Clone, Copy, Debug)]
struct Last {
    height: u64,
    hash: B256,
}

/// The log of one chain's blocks.
#[derive(Debug)]
pub struct Store {
    index: Index,
    snapshots: Snapshots,
    columns: Columns,
    log: Log,
    chain: Database,
    path: PathBuf,
    codes: Arc<Codes>,
    last: Mutex<Last>,
    // Let go after the files are closed: fields are dropped in this order.
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
        let started = Instant::now();
        let folder = Folder::take(dir)?;
        let (path, log_path) = (dir.join(CHAIN_FILE), dir.join(LOG_FILE));
        if !path.exists() {
            make(dir, &path, &log_path, config, genesis)?;
        }
        let chain = Database::builder().set_cache_size(limits::CHAIN_CACHE_BYTES).open(&path);
        let chain = chain.map_err(|error| Failure::from(error).at(&path))?;
        check_chain(&chain, &path, config)?;
        let read_certificate = || recover::latest_certificate(&chain.begin_read()?);
        let certificate = read_certificate().map_err(|failure| failure.at(&path))?;
        let certified = certificate.as_ref().map_or(0, |found| found.height);

        let codes = codes_of(codes);
        let (segments, snapshots) = open_index(dir, config.genesis_hash(), &codes)?;
        let log = open_log(&log_path, config, certified, &segments, &snapshots, &codes)?;
        let files = Files { segments: &segments, snapshots: &snapshots, log: &log, config, genesis };
        let recovered = recover::recover(&files, codes.clone(), certificate)?;
        tracing::info!(
            height = recovered.head.header.height,
            keys = recovered.head.state.len(),
            milliseconds = started.elapsed().as_millis() as u64,
            "opened {}",
            dir.display()
        );
        let columns = open_columns(dir, config, certified, &recovered)?;
        let index = Index::new(segments)?;
        let last = Mutex::new(Last { height: recovered.head.header.height, hash: recovered.head.hash });
        let store = Self { index, snapshots, columns, log, chain, path, codes, last, _folder: folder };
        store.rebuild_columns(config, certified, &recovered);
        Ok((store, recovered))
    }

    /// Makes again what is missing of the columns of the last blocks, as a crash or somebody took it.
    fn rebuild_columns(&self, config: &ChainConfig, certified: u64, recovered: &Recovered) {
        let missing = self.columns.next();
        let first = recovered.states.first().map_or(0, |(height, ..)| height + 1);
        if let Some((from, to)) = lost(missing, first, certified) {
            tracing::error!(
                from,
                to,
                "the columns of blocks are gone that no certificate covers, and the states before them are not at hand: who has not \
                 checked these blocks cannot check them here any more, and no certificate may come to cover them"
            );
        }
        let mut blocks = 0;
        for pair in recovered.states.windows(2) {
            let [(_, _, before), (height, block, _)] = pair else { continue };
            if *height < missing {
                continue;
            }
            let block = block.clone().map_or_else(|| self.open_block(config, *height).map(Arc::new), Ok);
            let rebuilt = block.map_err(|error| error.to_string()).and_then(|block| {
                add_columns(config, &block, before, &self.codes).map_err(|error| error.to_string())?;
                self.take_columns(&block);
                Ok(())
            });
            match rebuilt {
                Ok(()) => blocks += 1,
                Err(error) => tracing::warn!(height, error, "the columns of a block cannot be made again"),
            }
        }
        if blocks > 0 {
            tracing::info!(blocks, "columns of the last blocks were missing, and were made again");
        }
    }

    /// The block with this height, which the store has.
    fn open_block(&self, config: &ChainConfig, height: u64) -> Result<SealedBlock, StoreError> {
        let at = self.index.frame(height)?;
        let at = at.ok_or_else(|| self.log.damaged(format!("block {height} is not found")))?;
        recover::read_block(&self.log, config, Found { height, at })
    }

    fn take_columns(&self, block: &SealedBlock) {
        if let Some(bodies) = block.column_bodies() {
            self.columns.take(block.header().height, bodies.to_vec());
        }
    }

    /// Whether the folder `dir` has a chain.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(CHAIN_FILE).exists()
    }

    /// How many bytes the files of the chain in the folder `dir` have.
    ///
    /// # Errors
    /// If one of them cannot be looked at.
    pub fn bytes(dir: &Path) -> std::io::Result<u64> {
        let mut bytes = 0;
        for name in [CHAIN_FILE, LOG_FILE] {
            bytes += fs::metadata(dir.join(name))?.len();
        }
        for folder in [INDEX_FOLDER, COLUMNS_FOLDER] {
            for entry in fs::read_dir(dir.join(folder))? {
                // One may have been merged or be kept no longer, and be gone.
                bytes += entry?.metadata().map_or(0, |metadata| metadata.len());
            }
        }
        Ok(bytes)
    }

    /// Deletes the chain in the folder `dir` and the pool's journal. Other files stay. A folder that is not there or is empty
    /// is no error.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] if this program never used the folder, [`StoreError::InUse`] if a process uses it.
    pub fn reset(dir: &Path) -> Result<(), StoreError> {
        Folder::reset(dir)
    }

    /// Appends `block`, which wrote `writes`, ascending by path; it is durable when this returns. Its columns, if they are beside it,
    /// are kept too, soon after.
    ///
    /// # Errors
    /// [`StoreError::NotNext`] if it is not the child of the last block, [`StoreError::Unfit`] if no state has such leaves. After any
    /// other error nothing can be appended until the store is opened again.
    pub fn append(&self, block: &SealedBlock, writes: &[Leaf]) -> Result<(), StoreError> {
        let started = Instant::now();
        let header = block.header();
        let mut last = self.last.lock();
        if last.height.checked_add(1) != Some(header.height) || last.hash != header.parent {
            let (height, parent) = (header.height, header.parent);
            return Err(StoreError::NotNext { height, parent, head: last.height, head_hash: last.hash });
        }
        self.index.check()?;
        let writes = StoredLeaf::of_each(writes)?;
        self.snapshots.wrote(writes.len());
        let signed = wire::encode(&block.stored.signed);
        let writes = wire::encode_about(&writes, writes.len() * LEAF_BYTES);
        let encoded = block.stored.encode();
        let at = self.log.append(header.height, [&signed, &writes, &encoded])?;
        *last = Last { height: header.height, hash: block.hash };
        self.take_columns(block);
        self.index.take(Entry::new(block, at))?;
        metrics::histogram!("ocelli_store_append_seconds").record(started.elapsed().as_secs_f64());
        Ok(())
    }

    /// How many bytes of the log there are: what every block so far takes that is durable when [`Self::append`] returns.
    pub fn log_bytes(&self) -> u64 {
        self.log.bytes_written()
    }

    /// Offers `state`, which is the state after the last block that was appended, at this height. It is written down, by another
    /// thread, if a snapshot is due. A store that is offered none takes longer to open.
    pub fn offer_state(&self, height: u64, state: &Tree) {
        self.snapshots.offer(height, state);
    }

    /// Waits for the snapshot that is being written, if one is; the height of the newest one.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be read.
    pub fn newest_snapshot(&self) -> Result<Option<u64>, StoreError> {
        self.snapshots.wait();
        Ok(self.snapshots.heights()?.first().copied())
    }

    /// Appends a certificate; it is durable when this returns. One for the same height replaces it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub fn append_certificate(&self, certificate: &Certificate) -> Result<(), StoreError> {
        let encoded = certificate.encode();
        let write = |transaction: &WriteTransaction| {
            transaction.open_table(CERTIFICATES)?.insert(certificate.height, encoded.as_slice())?;
            Ok(())
        };
        commit(&self.chain, write).map_err(|failure| failure.at(&self.path))?;
        self.columns.certified(certificate.height);
        Ok(())
    }

    /// How many bytes the bodies of columns may take from the next block on; the files of the oldest blocks go first.
    pub fn keep_columns(&self, bytes: u64) {
        self.columns.set_keep(bytes);
    }

    /// The bodies of the columns of the block with this height, if they are kept. That they are what the block commits to is for
    /// the caller to check.
    pub fn column_bodies(&self, height: u64) -> Option<Vec<Bytes>> {
        self.columns.read(height)
    }

    /// The block with this height, and the keys that it wrote, ascending by path.
    ///
    /// # Errors
    /// [`StoreError`] if a file cannot be read or is damaged.
    pub fn block(&self, height: u64) -> Result<Option<(StoredBlock, Vec<Key>)>, StoreError> {
        let Some(at) = self.index.frame(height)? else { return Ok(None) };
        let encoded = self.log.read(height, at, Part::Block)?;
        let written = recover::written(&self.log, Found { height, at })?;
        recover::decode_block(&self.log, height, &encoded).map(|stored| Some((stored, written)))
    }

    /// The signed header of the block with this height.
    ///
    /// # Errors
    /// [`StoreError`] if a file cannot be read or is damaged.
    pub fn signed_header(&self, height: u64) -> Result<Option<SignedHeader>, StoreError> {
        let Some(encoded) = self.part(height, Part::Header)? else { return Ok(None) };
        recover::decode_header(&self.log, height, &encoded).map(Some)
    }

    fn part(&self, height: u64, part: Part) -> Result<Option<Vec<u8>>, StoreError> {
        self.index.frame(height)?.map(|at| self.log.read(height, at, part)).transpose()
    }

    /// The height of the block with this hash; genesis is none.
    ///
    /// # Errors
    /// [`StoreError`] if the index cannot be read.
    pub fn height_of(&self, hash: &B256) -> Result<Option<u64>, StoreError> {
        self.index.height_of(hash)
    }

    /// Where the transaction with this hash is.
    ///
    /// # Errors
    /// [`StoreError`] if the index cannot be read.
    pub fn place_of(&self, transaction: &B256) -> Result<Option<Place>, StoreError> {
        self.index.place_of(transaction)
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
        let read = || body(&self.chain.begin_read()?);
        read().map_err(|failure| failure.at(&self.path))
    }
}

/// The first and the last block whose columns nobody can make again and no certificate covers, where nothing is kept of those from
/// `missing` on and those from `first` on can be made.
fn lost(missing: u64, first: u64, certified: u64) -> Option<(u64, u64)> {
    let from = missing.max(certified.saturating_add(1));
    (from < first).then(|| (from, first - 1))
}

fn codes_of(genesis: &[(B256, Bytes)]) -> Arc<Codes> {
    let codes = Codes::default();
    genesis.iter().for_each(|(hash, code)| codes.insert(*hash, code.clone()));
    Arc::new(codes)
}

/// What there is of the index and of snapshots. Adds code that is in it to `codes`.
fn open_index(dir: &Path, genesis: B256, codes: &Codes) -> Result<(Segments, Snapshots), StoreError> {
    folder::remove_earlier_index(dir)?;
    let folder = dir.join(INDEX_FOLDER);
    fs::create_dir_all(&folder).map_err(io_error(&folder))?;
    let (segments, made) = Segments::open(&folder, genesis)?;
    made.into_iter().for_each(|(hash, code)| codes.insert(hash, code));
    Ok((segments, Snapshots::open(&folder, genesis)?))
}

/// Opens the log, and puts what the index lacks of it in.
fn open_log(
    path: &Path,
    config: &ChainConfig,
    certified: u64,
    segments: &Segments,
    snapshots: &Snapshots,
    codes: &Codes,
) -> Result<Log, StoreError> {
    let known = segments.last()?;
    let snapshot = snapshots.heights()?.first().copied().unwrap_or_default();
    let least = [(certified, "certified"), (snapshot, "one that there is a snapshot of")];
    let least = least.into_iter().max_by_key(|(height, _)| *height).unwrap_or_default();
    let (log, found) = Log::open(path, &config.genesis_hash(), known.map(|last| last.found), least)?;
    recover::check_known(segments, &log, known)?;
    recover::catch_up(segments, &log, config, &found, codes)?;
    Ok(log)
}

/// Opens what is kept of columns. States that are restored are those that columns can be made of again.
fn open_columns(
    dir: &Path,
    config: &ChainConfig,
    certified: u64,
    recovered: &Recovered,
) -> Result<Columns, StoreError> {
    let folder = dir.join(COLUMNS_FOLDER);
    let head = recovered.head.header.height;
    let rebuilt = recovered.states.first().map_or(head, |(height, ..)| *height) + 1;
    let bounds = columns::Bounds { file: limits::COLUMNS_FILE_BYTES, head, rebuilt };
    Columns::open(&folder, config.genesis_hash(), certified, bounds).map_err(io_error(&folder))
}

/// Runs `body` in a transaction that is durable when this returns.
fn commit(database: &Database, body: impl FnOnce(&WriteTransaction) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut transaction = database.begin_write()?;
    // Otherwise opening after a crash reads the whole file.
    transaction.set_quick_repair(true);
    body(&transaction)?;
    Ok(transaction.commit()?)
}

/// Makes the files of a chain without blocks. `chain.redb` gets its name when everything is complete, so a crash leaves no chain
/// or a whole one.
fn make(dir: &Path, path: &Path, log: &Path, config: &ChainConfig, genesis: &Tree) -> Result<(), StoreError> {
    if log.exists() && !Log::is_empty(log)? {
        let what = format!("it has blocks, and {} is missing beside it", path.display());
        return Err(StoreError::Damaged { path: log.to_owned(), what });
    }
    // What an index says of other files is not true of new ones.
    folder::reset_index(dir)?;
    folder::reset_columns(dir)?;
    Log::make(dir, log, &config.genesis_hash())?;
    let new = dir.join(NEW_CHAIN_FILE);
    if new.exists() {
        fs::remove_file(&new).map_err(io_error(&new))?;
    }
    let fill = || {
        let database = Database::create(&new)?;
        commit(&database, |transaction| write_genesis(transaction, config, genesis))
    };
    fill().map_err(|failure: Failure| failure.at(&new))?;
    fs::rename(&new, path).map_err(io_error(path))?;
    sync_folder(dir)
}

fn write_genesis(transaction: &WriteTransaction, config: &ChainConfig, genesis: &Tree) -> Result<(), Failure> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
    meta.insert(META_GENESIS, config.genesis_hash().as_slice())?;
    meta.insert(META_CONFIG, wire::encode(config).as_slice())?;
    transaction.open_table(CERTIFICATES)?;
    let mut leaves = transaction.open_table(GENESIS)?;
    for leaf in genesis {
        leaves.insert(&leaf.path.0, wire::encode(&StoredLeaf::try_from(&leaf)?).as_slice())?;
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

#[cfg(test)]
mod columns_that_are_lost {
    use super::lost;

    #[test]
    fn are_those_that_nobody_can_make_again_and_no_certificate_covers() {
        assert_eq!(lost(0, 1, 0), None, "a new chain");
        assert_eq!(lost(301, 45, 20), None, "all are there");
        assert_eq!(lost(40, 45, 20), Some((40, 44)));
        assert_eq!(lost(0, 45, 20), Some((21, 44)), "the folder is gone");
        assert_eq!(lost(0, 45, 44), None, "all of these are certified");
    }
}
