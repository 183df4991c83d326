//! The index: what blocks are asked for by, and the snapshot, in the file `index.redb`.
//!
//! All of it follows from the log and the genesis, so it may lag behind the log: blocks go into it many at a time, on a thread
//! of its own, and whoever appends waits for that only when [`limits::INDEX_BACKLOG`] blocks are ahead of it. Until a block is
//! in the file, what is asked about it is answered from memory. Without the file, it is made again, from the log and the genesis
//! file.

use super::{
    Place,
    error::{Failure, StoreError},
    folder::{INDEX_FILE, NEW_INDEX_FILE, io_error, sync_folder},
    log::Log,
    tables::{
        self, CODES, FRAMES, HASHES, INDEX_FORMAT, LEAVES, META, META_FORMAT, META_GENESIS, META_INDEXED,
        META_SNAPSHOT, PLACES,
    },
};
use crate::{
    block::{SealedBlock, StoredLeaf},
    limits,
};
use alloy_primitives::{
    B256, Bytes,
    map::{B256Map, HashMap},
};
use ocelli_core::{key::Key, tree::Tree, wire};
use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

/// What the index keeps of one block.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) height: u64,
    /// Where its frame begins in the log.
    pub(super) at: u64,
    hash: B256,
    places: Vec<(B256, Place)>,
    codes: Vec<(B256, Bytes)>,
}

impl Entry {
    pub(super) fn new(block: &SealedBlock, at: u64) -> Self {
        let height = block.header().height;
        let place = |(row, index)| Place { height, row, index };
        let places = block.transactions.iter().map(|sealed| (sealed.hash, place(sealed.place))).collect();
        Self { height, at, hash: block.hash, places, codes: block.stored.codes.clone() }
    }
}

/// Blocks that are not in the file yet.
#[derive(Debug, Default)]
struct Ahead {
    frames: HashMap<u64, u64>,
    heights: B256Map<u64>,
    places: B256Map<Place>,
}

impl Ahead {
    fn add(&mut self, entry: &Entry) {
        self.frames.insert(entry.height, entry.at);
        self.heights.insert(entry.hash, entry.height);
        self.places.extend(entry.places.iter().copied());
    }

    fn remove(&mut self, entry: &Entry) {
        self.frames.remove(&entry.height);
        self.heights.remove(&entry.hash);
        for (hash, _) in &entry.places {
            self.places.remove(hash);
        }
    }
}

/// The open index.
#[derive(Debug)]
pub(super) struct Index {
    file: Arc<File>,
    ahead: Arc<RwLock<Ahead>>,
    /// Why nothing more goes into the file.
    failure: Arc<Mutex<Option<String>>>,
    entries: Option<SyncSender<Entry>>,
    thread: Option<JoinHandle<()>>,
}

/// The file.
#[derive(Debug)]
pub(super) struct File {
    database: Database,
    path: PathBuf,
}

impl File {
    /// Opens the file in the folder `dir`, or makes it for the chain that begins with `genesis`, if it is not there, another chain's or
    /// another release's.
    pub(super) fn open(dir: &Path, chain: &B256, genesis: &Tree, codes: &[(B256, Bytes)]) -> Result<Self, StoreError> {
        let path = dir.join(INDEX_FILE);
        if path.exists() {
            let file = Self::open_at(&path)?;
            if file.read(|transaction| belongs(transaction, chain))? {
                return Ok(file);
            }
            tracing::info!("{} is of another chain or release, and is made again", path.display());
        }
        let new = dir.join(NEW_INDEX_FILE);
        if new.exists() {
            std::fs::remove_file(&new).map_err(io_error(&new))?;
        }
        let make = || {
            let database = Database::create(&new)?;
            super::commit(&database, |transaction| write_genesis(transaction, chain, genesis, codes))
        };
        make().map_err(|failure: Failure| failure.at_index(&new))?;
        std::fs::rename(&new, &path).map_err(io_error(&path))?;
        sync_folder(dir)?;
        Self::open_at(&path)
    }

    fn open_at(path: &Path) -> Result<Self, StoreError> {
        let open = || Ok(Database::builder().set_cache_size(limits::STORE_CACHE_BYTES).open(path)?);
        let database = open().map_err(|failure: Failure| failure.at_index(path))?;
        Ok(Self { database, path: path.to_owned() })
    }

    /// Whether the file has the block with this hash at this height.
    pub(super) fn has(&self, height: u64, hash: &B256) -> Result<bool, StoreError> {
        self.read(|transaction| {
            let found = transaction.open_table(HASHES)?.get(&hash.0)?.map(|height| height.value());
            Ok(found == Some(height))
        })
    }

    /// That the file is not as it was left.
    pub(super) fn damaged(&self, what: String) -> StoreError {
        StoreError::DamagedIndex { path: self.path.clone(), what }
    }

    pub(super) fn read<T>(&self, body: impl FnOnce(&ReadTransaction) -> Result<T, Failure>) -> Result<T, StoreError> {
        let read = || body(&self.database.begin_read()?);
        read().map_err(|failure| failure.at_index(&self.path))
    }

    /// The last block in it, and where that is in the log.
    pub(super) fn last(&self) -> Result<Option<super::log::Found>, StoreError> {
        self.read(|transaction| {
            let height = tables::height(transaction, META_INDEXED)?;
            let at = transaction.open_table(FRAMES)?.get(height)?.map(|at| at.value());
            match at {
                Some(at) => Ok(Some(super::log::Found { height, at })),
                None if height == 0 => Ok(None),
                None => Err(Failure::Damaged(format!("block {height} is not in it"))),
            }
        })
    }

    /// Where the frame of this block begins in the log, if the file has it.
    pub(super) fn frame(&self, height: u64) -> Result<Option<u64>, StoreError> {
        self.read(|transaction| Ok(transaction.open_table(FRAMES)?.get(height)?.map(|at| at.value())))
    }

    /// Puts blocks in, which follow on those that are; they are durable when this returns.
    pub(super) fn add(&self, log: &Log, entries: &[Entry]) -> Result<(), StoreError> {
        let Some(last) = entries.last() else { return Ok(()) };
        let started = Instant::now();
        let snapshot = self.read(|transaction| tables::height(transaction, META_SNAPSHOT))?;
        let until = last.height.saturating_sub(limits::HISTORY_BLOCKS);
        let leaves = self.leaves_until(log, snapshot, until)?;
        let write = |transaction: &WriteTransaction| {
            write_entries(transaction, entries)?;
            if until > snapshot {
                write_leaves(transaction, leaves)?;
                transaction.open_table(META)?.insert(META_SNAPSHOT, until.to_be_bytes().as_slice())?;
            }
            Ok(())
        };
        super::commit(&self.database, write).map_err(|failure| failure.at_index(&self.path))?;
        metrics::histogram!("ocelli_store_index_seconds").record(started.elapsed().as_secs_f64());
        Ok(())
    }

    /// What the blocks above `snapshot` up to `until` wrote, ascending by path, the last of each key.
    fn leaves_until(&self, log: &Log, snapshot: u64, until: u64) -> Result<Vec<(B256, StoredLeaf)>, StoreError> {
        let mut leaves = Vec::new();
        for height in snapshot + 1..=until {
            let at = self.frame(height)?.ok_or_else(|| self.damaged(format!("it lacks block {height}")))?;
            leaves.extend(log.writes(height, at)?);
        }
        let paths = Key::paths(leaves.iter().map(|leaf| &leaf.key));
        let mut leaves: Vec<(B256, StoredLeaf)> = paths.into_iter().zip(leaves).collect();
        // Keeps the order of the blocks, so that the last one counts.
        leaves.reverse();
        leaves.sort_by_key(|(path, _)| *path);
        leaves.dedup_by_key(|(path, _)| *path);
        Ok(leaves)
    }
}

fn belongs(transaction: &ReadTransaction, chain: &B256) -> Result<bool, Failure> {
    let (format, genesis) = (tables::meta(transaction, META_FORMAT)?, tables::meta(transaction, META_GENESIS)?);
    Ok(u32::from_be_bytes(format) == INDEX_FORMAT && genesis == chain.0)
}

fn write_genesis(
    transaction: &WriteTransaction,
    chain: &B256,
    genesis: &Tree,
    codes: &[(B256, Bytes)],
) -> Result<(), Failure> {
    tables::make_index(transaction)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert(META_FORMAT, INDEX_FORMAT.to_be_bytes().as_slice())?;
    meta.insert(META_GENESIS, chain.as_slice())?;
    meta.insert(META_INDEXED, 0_u64.to_be_bytes().as_slice())?;
    meta.insert(META_SNAPSHOT, 0_u64.to_be_bytes().as_slice())?;
    super::write_leaves_of(transaction, LEAVES, genesis)?;
    write_codes(transaction, codes)
}

fn write_codes(transaction: &WriteTransaction, codes: &[(B256, Bytes)]) -> Result<(), Failure> {
    let mut table = transaction.open_table(CODES)?;
    for (hash, code) in codes {
        table.insert(&hash.0, code.as_ref())?;
    }
    Ok(())
}

fn write_entries(transaction: &WriteTransaction, entries: &[Entry]) -> Result<(), Failure> {
    let (mut frames, mut hashes) = (transaction.open_table(FRAMES)?, transaction.open_table(HASHES)?);
    for entry in entries {
        frames.insert(entry.height, entry.at)?;
        hashes.insert(&entry.hash.0, entry.height)?;
        write_codes(transaction, &entry.codes)?;
        transaction.open_table(META)?.insert(META_INDEXED, entry.height.to_be_bytes().as_slice())?;
    }
    // In order, neighbours go into one page.
    let mut places: Vec<&(B256, Place)> = entries.iter().flat_map(|entry| &entry.places).collect();
    places.sort_unstable_by_key(|(hash, _)| hash);
    let mut table = transaction.open_table(PLACES)?;
    for (hash, Place { height, row, index }) in places {
        table.insert(&hash.0, (*height, *row, *index))?;
    }
    Ok(())
}

fn write_leaves(transaction: &WriteTransaction, leaves: Vec<(B256, StoredLeaf)>) -> Result<(), Failure> {
    let mut table = transaction.open_table(LEAVES)?;
    for (path, leaf) in leaves {
        table.insert(&path.0, wire::encode(&leaf).as_slice())?;
    }
    Ok(())
}

impl Index {
    /// Goes on with `file`, which has all blocks of the log.
    pub(super) fn new(file: File, log: Arc<Log>) -> Result<Self, StoreError> {
        let (file, ahead) = (Arc::new(file), Arc::new(RwLock::new(Ahead::default())));
        let failure = Arc::new(Mutex::new(None));
        let (entries, received) = sync_channel(limits::INDEX_BACKLOG);
        let work = {
            let (file, ahead, failure) = (file.clone(), ahead.clone(), failure.clone());
            move || {
                if let Err(error) = keep_up(&file, &log, &ahead, &received) {
                    tracing::error!(%error, "the index cannot be written");
                    *failure.lock() = Some(error.to_string());
                }
            }
        };
        let thread = std::thread::Builder::new().name("index".to_owned()).spawn(work);
        let thread = Some(thread.map_err(io_error(&file.path))?);
        Ok(Self { file, ahead, failure, entries: Some(entries), thread })
    }

    /// Whether blocks go into the file.
    ///
    /// # Errors
    /// [`StoreError::IndexStopped`], which is for good.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) { Ok(()) } else { Err(self.stopped()) }
    }

    /// Takes a block that the log has. From now on it is found.
    pub(super) fn take(&self, entry: Entry) -> Result<(), StoreError> {
        self.ahead.write().add(&entry);
        let sent = self.entries.as_ref().map(|entries| entries.send(entry));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(self.stopped()) }
    }

    fn stopped(&self) -> StoreError {
        let why = self.failure.lock().clone().unwrap_or_else(|| "the thread that writes it ended".to_owned());
        StoreError::IndexStopped { path: self.file.path.clone(), why }
    }

    /// Where the frame of this block begins in the log.
    pub(super) fn frame(&self, height: u64) -> Result<Option<u64>, StoreError> {
        let ahead = self.ahead.read().frames.get(&height).copied();
        ahead.map_or_else(|| self.file.frame(height), |at| Ok(Some(at)))
    }

    /// The height of the block with this hash.
    pub(super) fn height_of(&self, hash: &B256) -> Result<Option<u64>, StoreError> {
        if let Some(height) = self.ahead.read().heights.get(hash) {
            return Ok(Some(*height));
        }
        self.file.read(|transaction| Ok(transaction.open_table(HASHES)?.get(&hash.0)?.map(|height| height.value())))
    }

    /// The code with these hashes, all of which the first state refers to.
    pub(super) fn codes(&self, hashes: impl IntoIterator<Item = B256>) -> Result<Vec<Bytes>, StoreError> {
        self.file.read(|transaction| {
            let table = transaction.open_table(CODES)?;
            let code = |hash: B256| {
                let code = table.get(&hash.0)?.map(|code| Bytes::copy_from_slice(code.value()));
                code.ok_or_else(|| Failure::Damaged(format!("the code {hash} is missing")))
            };
            hashes.into_iter().map(code).collect()
        })
    }

    /// Where the transaction with this hash is.
    pub(super) fn place_of(&self, transaction: &B256) -> Result<Option<Place>, StoreError> {
        if let Some(place) = self.ahead.read().places.get(transaction) {
            return Ok(Some(*place));
        }
        self.file.read(|read| {
            let place = read.open_table(PLACES)?.get(&transaction.0)?.map(|place| place.value());
            Ok(place.map(|(height, row, index)| Place { height, row, index }))
        })
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // The thread puts in what it has and ends.
        self.entries = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Puts blocks into the file until no more can come.
fn keep_up(file: &File, log: &Log, ahead: &RwLock<Ahead>, received: &Receiver<Entry>) -> Result<(), StoreError> {
    while let Ok(first) = received.recv() {
        let (entries, more) = gather(first, received);
        file.add(log, &entries)?;
        let mut ahead = ahead.write();
        entries.iter().for_each(|entry| ahead.remove(entry));
        if !more {
            return Ok(());
        }
    }
    Ok(())
}

/// What comes within [`limits::INDEX_DELAY`], but no more than [`limits::INDEX_BATCH`]; and whether more can come.
fn gather(first: Entry, received: &Receiver<Entry>) -> (Vec<Entry>, bool) {
    let (until, mut entries) = (Instant::now() + limits::INDEX_DELAY, vec![first]);
    while entries.len() < limits::INDEX_BATCH {
        match received.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(entry) => entries.push(entry),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return (entries, false),
        }
    }
    (entries, true)
}
