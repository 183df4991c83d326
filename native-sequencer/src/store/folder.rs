//! The data folder: who may use it, and what in it may be deleted.
//!
//! The file `lock` says that the folder is ours and, while it is locked, which process uses it. The lock is the operating
//! system's, so it ends with the process, however that ends.

use super::{columns, error::StoreError, segment, snapshot};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

/// What the chain begins with, and certificates.
pub(crate) const CHAIN_FILE: &str = "chain.redb";
/// The same while it is being made.
pub(super) const NEW_CHAIN_FILE: &str = "chain.redb.new";
/// The log of blocks.
pub(crate) const LOG_FILE: &str = "blocks.log";
/// The log of blocks while it is being made.
pub(super) const NEW_LOG_FILE: &str = "blocks.log.new";
/// The folder of the index and of snapshots.
pub(crate) const INDEX_FOLDER: &str = "index";
/// The folder of the bodies of columns.
pub(crate) const COLUMNS_FOLDER: &str = "columns";
/// What held the index before it was a folder.
const EARLIER_INDEX_FILES: [&str; 2] = ["index.redb", "index.redb.new"];
/// What a file's name ends with while it is being made.
pub(super) const NEW: &str = "new";
/// The journal of the pool.
pub(crate) const POOL_FILE: &str = "pool.journal";
/// The journal of the pool while it is being rewritten.
pub(crate) const NEW_POOL_FILE: &str = "pool.journal.new";
/// What the journal was when it was found damaged.
pub(crate) const DAMAGED_POOL_FILE: &str = "pool.journal.damaged";

/// The folder of the evidence against the chain.
pub(crate) const EVIDENCE_FOLDER: &str = "evidence";

const LOCK_FILE: &str = "lock";
/// The first line of the lock file.
const MARK: &str = "ocelli data folder";

/// A folder that no other process uses as long as this exists.
#[derive(Debug)]
pub(super) struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, and takes it.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(io_error(dir))?;
        let path = dir.join(LOCK_FILE);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = open.map_err(io_error(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { dir: dir.to_owned(), process: process_in(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::Io { path, source }),
        }
        mark(&mut lock).map_err(io_error(&path))?;
        Ok(Self { _lock: lock })
    }

    /// Deletes what this program made in `dir`, and nothing else.
    pub(super) fn reset(dir: &Path) -> Result<(), StoreError> {
        let is_empty = match fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(io_error(dir)(error)),
        };
        if is_empty {
            return Ok(());
        }
        let marked = fs::read_to_string(dir.join(LOCK_FILE)).is_ok_and(|text| text.starts_with(MARK));
        if !marked {
            return Err(StoreError::Foreign { dir: dir.to_owned() });
        }
        // The mark stays, as long as the folder does: it is what says that the folder may be emptied.
        let _taken = Self::take(dir)?;
        // `chain.redb` last: without it the other files are no chain, so a reset that is interrupted can be repeated.
        reset_index(dir)?;
        reset_columns(dir)?;
        remove_earlier_index(dir)?;
        let chain = [LOG_FILE, NEW_LOG_FILE, NEW_CHAIN_FILE, CHAIN_FILE];
        for name in [POOL_FILE, NEW_POOL_FILE, DAMAGED_POOL_FILE].into_iter().chain(chain) {
            let path = dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&path)(error)),
                _ => {}
            }
        }
        remove_files(&dir.join(EVIDENCE_FOLDER), &["evidence", "partial"])?;
        sync_folder(dir)
    }
}

/// Deletes the index and snapshots of the chain in the folder `dir`.
pub(super) fn reset_index(dir: &Path) -> Result<(), StoreError> {
    let folder = dir.join(INDEX_FOLDER);
    remove_files(&folder, &[segment::EXTENSION, snapshot::EXTENSION, NEW])?;
    if folder.exists() { sync_folder(&folder) } else { Ok(()) }
}

/// Deletes the bodies of columns of the chain in the folder `dir`.
pub(super) fn reset_columns(dir: &Path) -> Result<(), StoreError> {
    remove_files(&dir.join(COLUMNS_FOLDER), &[columns::EXTENSION])
}

/// Deletes the index of a release that kept it in one file.
pub(super) fn remove_earlier_index(dir: &Path) -> Result<(), StoreError> {
    for path in EARLIER_INDEX_FILES.map(|name| dir.join(name)) {
        if path.exists() {
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
    }
    Ok(())
}

/// Deletes the files in `folder`, which need not be there, whose names end so.
fn remove_files(folder: &Path, extensions: &[&str]) -> Result<(), StoreError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io_error(folder))?,
    };
    for entry in entries {
        let path = entry.map_err(io_error(folder))?.path();
        if path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)) {
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
    }
    Ok(())
}

fn mark(lock: &mut File) -> io::Result<()> {
    // Over what stands there, so that a crash leaves the mark.
    lock.rewind()?;
    write!(lock, "{MARK}\nprocess {}\n", std::process::id())?;
    let end = lock.stream_position()?;
    lock.set_len(end)?;
    lock.sync_all()
}

/// The process that holds the lock, where a locked file can be read.
fn process_in(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(256).read_to_string(&mut text).ok()?;
    text.lines().nth(1)?.strip_prefix("process ")?.parse().ok()
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path: PathBuf = path.to_owned();
    move |source| StoreError::Io { path, source }
}

/// Makes new names in `dir` durable.
#[cfg(unix)]
pub(super) fn sync_folder(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(io_error(dir))
}

/// Makes new names in `dir` durable: not needed where folders cannot be opened as files.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
