//! The bodies of columns, in files in the folder `columns`, for as long as there is room for them.
//!
//! ```text
//! file     = magic genesis frame* 0*        magic: "OCCOLS" and the format, 2 bytes; genesis: the chain's genesis hash
//! frame    = head content                   of blocks in a row, the first of which names the file
//! head     = height length check check      height, length of the content: 8 bytes; check of the content, then of the head so
//!                                           far: CRC-32, 4 bytes
//! content  = [column body]
//! ```
//!
//! Integers are big-endian, the content in the core's wire encoding; zeros may fill up the last block of the disk. Bodies follow
//! from the log and the state before their block, so nothing waits for them: a thread of its own writes them, and syncs after
//! [`limits::COLUMNS_SYNC_BLOCKS`] or [`limits::COLUMNS_SYNC_BYTES`]. What a crash takes of them is of blocks whose states are
//! restored, and made again. Where a block is missing, a new file begins. Whoever reads compares what is read with the hashes in the
//! block's manifest; so nothing that is wrong in a file is an error, here or at opening: it is as if it were not kept.
//!
//! The oldest files are deleted as long as all together take more than they may, once whoever opened the folder has said how much
//! that is.

mod file;

use super::folder::sync_folder;
use crate::limits;
use alloy_primitives::{B256, Bytes};
use file::{Frames, Open};
use ocelli_core::wire;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// What the names of these files end with.
pub(super) const EXTENSION: &str = "columns";

/// The bodies of one block's columns.
type Block = (u64, Vec<Bytes>);

/// How large files are, and which blocks' columns could be made again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// A file does not grow beyond this, unless by one block.
    pub(super) file: u64,
    /// The last block. What is kept of blocks above it is of no use.
    pub(super) head: u64,
    /// The columns of this block and of those above it can be made again.
    pub(super) rebuilt: u64,
}

/// The open folder.
#[derive(Debug)]
pub(super) struct Columns {
    shared: Arc<Shared>,
    /// The block after the last one kept when the folder was opened; 0 if none is.
    next: u64,
    sender: Option<SyncSender<Block>>,
    thread: Option<JoinHandle<()>>,
}

/// What readers and the thread that writes share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    genesis: B256,
    /// The first height of each file, and how long it is.
    files: Mutex<BTreeMap<u64, u64>>,
    /// Where the frames are in the files that were read last.
    frames: Mutex<VecDeque<Frames>>,
    /// How many bytes all files may take.
    keep: AtomicU64,
    /// The greatest height that a certificate covers.
    certified: AtomicU64,
}

impl Columns {
    /// Opens the folder `dir` of the chain with this genesis hash. What is no good is deleted, and an end that is torn is cut off.
    pub(super) fn open(dir: &Path, genesis: B256, certified: u64, bounds: Bounds) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            genesis,
            files: Mutex::default(),
            frames: Mutex::default(),
            keep: AtomicU64::new(u64::MAX),
            certified: AtomicU64::new(certified),
        });
        let open = shared.open(bounds).unwrap_or_else(|error| {
            tracing::error!(%error, "{} cannot be used; columns are kept once it can be", dir.display());
            None
        });
        let next = open.as_ref().map_or(0, Open::next);
        let (sender, blocks) = sync_channel(limits::COLUMNS_QUEUE);
        let writer = Writer { shared: shared.clone(), open, file_bytes: bounds.file, unsynced: (0, 0), failing: false };
        let thread = thread::Builder::new().name("columns".to_owned()).spawn(move || writer.run(&blocks))?;
        Ok(Self { shared, next, sender: Some(sender), thread: Some(thread) })
    }

    /// The lowest height that nothing was kept of, nor of any above it, when the folder was opened.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// How many bytes all files may take from now on; before, there is no bound. The newest one stays.
    pub(super) fn set_keep(&self, bytes: u64) {
        self.shared.keep.store(bytes, Ordering::Relaxed);
        self.shared.trim();
    }

    /// Notes that a certificate covers the block at `height` and those below it.
    pub(super) fn certified(&self, height: u64) {
        self.shared.certified.fetch_max(height, Ordering::Relaxed);
    }

    /// Takes the bodies of the columns of the block at `height`, to be written soon. Whoever is far ahead of the disk waits.
    pub(super) fn take(&self, height: u64, bodies: Vec<Bytes>) {
        if let Some(sender) = &self.sender
            && sender.send((height, bodies)).is_err()
        {
            tracing::error!(height, "columns are not kept any more: the thread that writes them ended");
        }
    }

    /// What is kept of the block at `height`; `None` if nothing is, or nothing that is whole.
    pub(super) fn read(&self, height: u64) -> Option<Vec<Bytes>> {
        let read = self.shared.read(height);
        read.unwrap_or_else(|error| {
            tracing::warn!(height, %error, "the columns of a block cannot be read");
            None
        })
    }
}

impl Drop for Columns {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn path(&self, first: u64) -> PathBuf {
        self.dir.join(format!("{first:016}.{EXTENSION}"))
    }

    /// Looks at what there is, and gives the last file, which is gone on with.
    fn open(&self, bounds: Bounds) -> io::Result<Option<Open>> {
        fs::create_dir_all(&self.dir)?;
        let mut files = BTreeMap::new();
        for first in heights(&self.dir)? {
            let path = self.path(first);
            match self.length(&path, first, bounds) {
                Ok(length) => files.extend(length.map(|length| (first, length))),
                Err(error) => tracing::warn!(%error, "{} cannot be used and is left alone", path.display()),
            }
        }
        let mut open = None;
        while open.is_none()
            && let Some((first, _)) = files.pop_last()
        {
            let path = self.path(first);
            open = Open::again(&path, first, bounds).unwrap_or_else(|error| {
                tracing::warn!(%error, "{} cannot be used and is left alone", path.display());
                None
            });
        }
        files.extend(open.as_ref().map(|open| (open.first(), open.end())));
        self.tell_bytes(&files);
        *self.files.lock() = files;
        Ok(open)
    }

    /// How long a file is; deletes it if it is of no use.
    fn length(&self, path: &Path, first: u64, bounds: Bounds) -> io::Result<Option<u64>> {
        if first <= bounds.head && file::is_of(path, &self.genesis)? {
            return Ok(Some(fs::metadata(path)?.len()));
        }
        tracing::warn!("{} is of no use to this chain and is deleted", path.display());
        fs::remove_file(path)?;
        Ok(None)
    }

    fn read(&self, height: u64) -> io::Result<Option<Vec<Bytes>>> {
        let Some(first) = self.files.lock().range(..=height).next_back().map(|(first, _)| *first) else {
            return Ok(None);
        };
        let mut file = match File::open(self.path(first)) {
            // Deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        // Nobody waits while the file is gone through.
        let mut found = self.take_frames(first).unwrap_or_else(|| Frames::new(first));
        let at = found.find(&mut file, height);
        let mut frames = self.frames.lock();
        frames.push_back(found);
        if frames.len() > limits::COLUMNS_FILES_READ {
            frames.pop_front();
        }
        drop(frames);
        let Some(at) = at? else { return Ok(None) };
        let content = file::content(&mut file, at, height)?;
        Ok(content.and_then(|content| wire::decode(&content, limits::STORED_BLOCK_BYTES).ok()))
    }

    /// What is known of where the frames of a file are, if anything is.
    fn take_frames(&self, first: u64) -> Option<Frames> {
        let mut frames = self.frames.lock();
        let known = frames.iter().position(|frames| frames.first() == first)?;
        frames.remove(known)
    }

    /// Notes how long a file is, and deletes what is too much.
    fn grew(&self, first: u64, end: u64) {
        self.files.lock().insert(first, end);
        self.trim();
    }

    /// Deletes the oldest files while all take too much.
    fn trim(&self) {
        let (mut files, mut gone) = (self.files.lock(), Vec::new());
        while files.values().sum::<u64>() > self.keep.load(Ordering::Relaxed)
            && files.len() > 1
            && let Some((oldest, _)) = files.pop_first()
        {
            gone.push((oldest, files.keys().next().map_or(oldest, |next| next.saturating_sub(1))));
        }
        self.tell_bytes(&files);
        drop(files);
        gone.into_iter().for_each(|(first, last)| self.delete(first, last));
    }

    fn delete(&self, first: u64, last: u64) {
        self.take_frames(first);
        if last > self.certified.load(Ordering::Relaxed) {
            tracing::warn!(
                first,
                last,
                "columns are deleted of blocks that no certificate covers: who has not checked these blocks cannot check them here any \
                 more, and no certificate may come to cover them; --keep-columns gives more room"
            );
        }
        let path = self.path(first);
        if let Err(error) = fs::remove_file(&path) {
            tracing::error!(%error, "{} cannot be deleted", path.display());
        }
    }

    fn tell_bytes(&self, files: &BTreeMap<u64, u64>) {
        metrics::gauge!("ocelli_store_columns_bytes").set(files.values().sum::<u64>() as f64);
    }
}

/// The first heights of the files in `dir`.
fn heights(dir: &Path) -> io::Result<Vec<u64>> {
    let mut heights = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(EXTENSION)?.strip_suffix('.'));
        heights.extend(stem.filter(|stem| stem.len() == 16).and_then(|stem| stem.parse::<u64>().ok()));
    }
    Ok(heights)
}

/// Who writes.
struct Writer {
    shared: Arc<Shared>,
    /// The last file.
    open: Option<Open>,
    file_bytes: u64,
    /// Blocks and bytes since it was synced.
    unsynced: (u64, u64),
    /// The last block could not be written.
    failing: bool,
}

impl Writer {
    fn run(mut self, blocks: &Receiver<Block>) {
        while let Ok((height, bodies)) = blocks.recv() {
            let kept = self.keep(height, &bodies);
            self.tell(height, kept);
        }
        if let Err(error) = self.sync() {
            tracing::error!(%error, "the last columns may not be durable; they can be made again");
        }
    }

    /// A failure is told when it begins: it may pass, and what is written after it begins a new file.
    fn tell(&mut self, height: u64, kept: io::Result<()>) {
        if let Err(error) = &kept {
            metrics::counter!("ocelli_store_columns_failures_total").increment(1);
            if !self.failing {
                tracing::error!(
                    height,
                    %error,
                    "{} cannot be written: columns from here on are served only as long as their blocks are recent",
                    self.shared.dir.display()
                );
            }
        } else if self.failing {
            tracing::info!(height, "columns are kept again");
        }
        self.failing = kept.is_err();
    }

    fn keep(&mut self, height: u64, bodies: &[Bytes]) -> io::Result<()> {
        let content = wire::encode_about(&bodies, 16 + bodies.iter().map(|body| body.len() + 5).sum::<usize>());
        let goes_on = |open: &Open| open.next() == height && open.has_room(content.len(), self.file_bytes);
        if !self.open.as_ref().is_some_and(goes_on) {
            // It is never written to again.
            let synced = self.sync();
            self.open = None;
            synced?;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::new(&self.shared.path(height), height, &self.shared.genesis)?,
        };
        let (first, open) = (open.first(), open.append(&content)?);
        self.unsynced = (self.unsynced.0 + 1, self.unsynced.1 + content.len() as u64);
        self.shared.grew(first, open.end());
        self.open = Some(open);
        if self.unsynced.0 >= limits::COLUMNS_SYNC_BLOCKS || self.unsynced.1 >= limits::COLUMNS_SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.unsynced = (0, 0);
        let Some(open) = &self.open else { return Ok(()) };
        open.sync()?;
        // The file may be a new one.
        sync_folder(&self.shared.dir).map_err(io::Error::other)
    }
}
