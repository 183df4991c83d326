//! Snapshots: whole states, so that opening a store need not begin with the first one.
//!
//! ```text
//! file  = head batch*
//! head  = magic genesis height leaves check    magic: "OCSTAT" and the format, 2 bytes; genesis: the chain's genesis hash;
//!                                              height: after which block; leaves: how many; 8 bytes each
//! batch = length check content                 length: 8 bytes; content: [StoredLeaf], ascending by path
//! check = CRC-32, 4 bytes: of the head so far; of the content
//! ```
//!
//! Integers are big-endian, leaves in the core's wire encoding. A snapshot is the state that whoever appends has anyway, written
//! by a thread of its own when enough was written to the log since the last one ([`is_due`]): as many keys as the state has, or
//! half. So what it costs a transaction does not grow with the chain, nor does the time that opening takes. It gets its name when
//! it is whole and durable.
//!
//! States of the last blocks are restored, too, so a snapshot is needed that is older than these: the newest that is
//! [`limits::HISTORY_BLOCKS`] old stays, and what is older goes.

use super::{
    direct::Appender,
    error::StoreError,
    folder::{NEW, io_error, sync_folder},
    segment::Unfinished,
};
use crate::{block::StoredLeaf, limits};
use alloy_primitives::B256;
use ocelli_core::{
    tree::{Leaf, Tree},
    wire,
};
use parking_lot::Mutex;
use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

const MAGIC: [u8; 8] = *b"OCSTAT\x00\x02";
const HEAD: usize = 8 + 32 + 8 + 8 + 4;
/// What the names of snapshots end with.
pub(super) const EXTENSION: &str = "state";

/// What was written since the last snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// Keys, as often as they were written.
    pub(super) writes: u64,
    pub(super) blocks: u64,
}

/// Whether so much was written since the last snapshot that the next one is due, of a state with so many keys.
pub(super) fn is_due(since: Since, keys: usize) -> bool {
    since.writes >= limits::SNAPSHOT_WRITES.max(keys as u64 / 2) || since.blocks >= limits::SNAPSHOT_BLOCKS
}

/// The snapshots of a chain.
#[derive(Debug)]
pub(super) struct Snapshots {
    dir: PathBuf,
    genesis: B256,
    since: Mutex<Since>,
    /// Who writes the last one that was begun.
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
}

impl Snapshots {
    /// Those in the folder `dir` of the chain with this genesis hash. Others are deleted.
    pub(super) fn open(dir: &Path, genesis: B256) -> Result<Self, StoreError> {
        let (since, thread, stop) = (Mutex::default(), Mutex::default(), Arc::default());
        let snapshots = Self { dir: dir.to_owned(), genesis, since, thread, stop };
        for height in snapshots.heights()? {
            if snapshots.read(height)?.is_none() {
                tracing::warn!(height, "a snapshot of the state is not this chain's or not whole, and is deleted");
                snapshots.remove(height)?;
            }
        }
        Ok(snapshots)
    }

    /// The heights that there are snapshots of, the highest first. Whether they are whole shows when they are read.
    pub(super) fn heights(&self) -> Result<Vec<u64>, StoreError> {
        heights(&self.dir)
    }

    /// Deletes one that is of no use.
    pub(super) fn remove(&self, height: u64) -> Result<(), StoreError> {
        let path = self.dir.join(file_name(height));
        fs::remove_file(&path).map_err(io_error(&path))
    }

    /// The leaves of the state after block `height`, a batch at a time; `None` if the file is not this chain's. If it is damaged,
    /// they end too early, with [`StoreError::DamagedIndex`].
    pub(super) fn read(&self, height: u64) -> Result<Option<Batches>, StoreError> {
        let path = self.dir.join(file_name(height));
        let open = || {
            let mut file = BufReader::new(File::open(&path)?);
            let mut head = [0; HEAD];
            let whole = file.read_exact(&mut head).is_ok();
            Ok((file, whole.then_some(head)))
        };
        let (file, head) = open().map_err(io_error(&path))?;
        let left = head.and_then(|head| leaves_in(&head, &self.genesis, height));
        Ok(left.map(|left| Batches { path, file, left }))
    }

    /// Notes that a block wrote so many keys.
    pub(super) fn wrote(&self, writes: usize) {
        let mut since = self.since.lock();
        since.writes += writes as u64;
        since.blocks += 1;
    }

    /// Notes what was written since the last snapshot.
    pub(super) fn set_since(&self, since: Since) {
        *self.since.lock() = since;
    }

    /// Begins a snapshot of `state`, which is the state after block `height` and all that was written, if one is due and none is
    /// under way.
    pub(super) fn offer(&self, height: u64, state: &Tree) {
        let mut since = self.since.lock();
        if is_due(*since, state.len()) && self.begin(height, state) {
            *since = Since::default();
        }
    }

    /// Whether it was begun. What fails is told and tried again when the next one is due.
    pub(super) fn begin(&self, height: u64, state: &Tree) -> bool {
        let mut thread = self.thread.lock();
        if thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return false;
        }
        let (dir, genesis, state, stop) = (self.dir.clone(), self.genesis, state.clone(), self.stop.clone());
        let work = move || {
            if let Err(error) = write(&dir, genesis, height, &state, &stop) {
                tracing::error!(%error, height, "no snapshot of the state; restarting takes longer until there is one");
            }
        };
        let spawned = std::thread::Builder::new().name("snapshot".to_owned()).spawn(work);
        *thread = spawned.inspect_err(|error| tracing::error!(%error, "no thread for a snapshot of the state")).ok();
        true
    }

    #[cfg(test)]
    pub(super) fn since(&self) -> Since {
        *self.since.lock()
    }

    /// Waits for what was begun.
    pub(super) fn wait(&self) {
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wait();
    }
}

/// Writes the snapshot of the state after block `height`; it is durable when this returns, unless it was to `stop`. Deletes those
/// that are of no use any more.
pub(super) fn write(dir: &Path, genesis: B256, height: u64, state: &Tree, stop: &AtomicBool) -> Result<(), StoreError> {
    let started = Instant::now();
    let path = dir.join(file_name(height));
    let new = Unfinished::new(path.with_added_extension(NEW));
    let head = encode_head(&genesis, height, state.len());
    if !write_file(new.path(), &head, state, stop).map_err(io_error(new.path()))? {
        return Ok(());
    }
    new.finish(&path)?;
    sync_folder(dir)?;
    // One that is old enough makes those before it useless.
    let old_enough = |found: &u64| *found + limits::HISTORY_BLOCKS <= height;
    for useless in heights(dir)?.into_iter().filter(old_enough).skip(1) {
        let path = dir.join(file_name(useless));
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    metrics::histogram!("ocelli_store_snapshot_seconds").record(started.elapsed().as_secs_f64());
    Ok(())
}

/// `false` if it was to `stop`.
fn write_file(path: &Path, head: &[u8], state: &Tree, stop: &AtomicBool) -> io::Result<bool> {
    File::create(path)?;
    let mut file = Appender::new(path, 0)?;
    file.append(&[head])?;
    let mut leaves = state.iter().map(|leaf| StoredLeaf::try_from(&leaf)).peekable();
    let mut batch = Vec::with_capacity(limits::SNAPSHOT_LEAVES.min(state.len()));
    while leaves.peek().is_some() {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        batch.clear();
        for leaf in leaves.by_ref().take(limits::SNAPSHOT_LEAVES) {
            batch.push(leaf.map_err(io::Error::other)?);
        }
        let content = wire::encode_about(&batch, batch.len() * USUAL_LEAF_BYTES);
        let (length, check) = ((content.len() as u64).to_be_bytes(), crc32fast::hash(&content).to_be_bytes());
        file.append(&[&length, &check, &content])?;
    }
    file.close()?;
    Ok(true)
}

fn file_name(height: u64) -> String {
    format!("{height:016}.{EXTENSION}")
}

fn height_in(name: &str) -> Option<u64> {
    let height = name.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok()?;
    (file_name(height) == name).then_some(height)
}

fn heights(dir: &Path) -> Result<Vec<u64>, StoreError> {
    let mut heights: Vec<u64> = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error(dir))? {
        let name = entry.map_err(io_error(dir))?.file_name();
        heights.extend(name.to_str().and_then(height_in));
    }
    heights.sort_unstable_by_key(|height| std::cmp::Reverse(*height));
    Ok(heights)
}

fn encode_head(genesis: &B256, height: u64, leaves: usize) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(genesis.as_slice());
    head.extend_from_slice(&height.to_be_bytes());
    head.extend_from_slice(&(leaves as u64).to_be_bytes());
    head.extend_from_slice(&crc32fast::hash(&head).to_be_bytes());
    head
}

/// How many leaves follow, if this is the head of the snapshot after block `height`.
fn leaves_in(head: &[u8; HEAD], genesis: &B256, height: u64) -> Option<u64> {
    let (content, check) = head.split_last_chunk()?;
    let (_, leaves) = content.split_last_chunk()?;
    let leaves = u64::from_be_bytes(*leaves);
    let expected = encode_head(genesis, height, usize::try_from(leaves).ok()?);
    (crc32fast::hash(content) == u32::from_be_bytes(*check) && expected == head).then_some(leaves)
}

/// The leaves of a snapshot, ascending by path.
#[derive(Debug)]
pub(super) struct Batches {
    path: PathBuf,
    file: BufReader<File>,
    /// Leaves that must still come.
    left: u64,
}

impl Iterator for Batches {
    type Item = Result<Vec<Leaf>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let leaves = self.batch().map_err(io_error(&self.path));
        let leaves = leaves.and_then(|leaves| {
            let what = "a batch of leaves".to_owned();
            leaves.ok_or_else(|| StoreError::DamagedIndex { path: self.path.clone(), what })
        });
        self.left = leaves.as_ref().map_or(0, |leaves| self.left.saturating_sub(leaves.len() as u64));
        Some(leaves)
    }
}

impl Batches {
    /// `None` if the next batch is damaged.
    fn batch(&mut self) -> io::Result<Option<Vec<Leaf>>> {
        let (mut length, mut check) = ([0; 8], [0; 4]);
        let head = self.file.read_exact(&mut length).and_then(|()| self.file.read_exact(&mut check));
        let length = u64::from_be_bytes(length);
        if head.is_err() || length > (limits::SNAPSHOT_LEAVES * LEAF_BYTES) as u64 {
            return Ok(None);
        }
        let mut content = Vec::with_capacity(length as usize);
        self.file.by_ref().take(length).read_to_end(&mut content)?;
        if crc32fast::hash(&content) != u32::from_be_bytes(check) {
            return Ok(None);
        }
        let decoded: Option<Vec<StoredLeaf>> = wire::decode(&content, limits::SNAPSHOT_LEAVES * LEAF_BYTES).ok();
        Ok(decoded.filter(|leaves| !leaves.is_empty()).map(|leaves| StoredLeaf::with_paths(&leaves)))
    }
}

/// Most bytes of one encoded leaf: a key has at most 54, a value at most 76, versions 11.
pub(super) const LEAF_BYTES: usize = 256;

/// Bytes that most leaves take, or fewer.
const USUAL_LEAF_BYTES: usize = 80;
