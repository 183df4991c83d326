//! The journal: the waiting transactions on disk, so that a restart forgets none that was accepted.
//!
//! ```text
//! file    = magic genesis entry*       magic: "OCPOOL" and the format, 2 bytes; genesis: the chain's genesis hash
//! entry   = length height bytes check  length: 4 bytes, big-endian; bytes: an EIP-2718 transaction
//!                                      height: 8 bytes, big-endian: by when it is promised to be in; 0 if it is not
//!                                      check: the first 8 bytes of its hash, each combined with one of the height's by XOR
//! ```
//!
//! A transaction that is promised while it waits comes again, with the height.
//!
//! Entries are appended, many with one sync. What left the pool stays until the file is rewritten. What was half written when
//! the power failed was accepted from nobody and is cut off. What is damaged in the middle costs the entries that it hits and
//! no others: entries carry their check, so reading goes on at the next whole one, and the damaged file is kept beside the new.

use crate::{
    limits,
    store::{DAMAGED_POOL_FILE, NEW_POOL_FILE, POOL_FILE},
};
use alloy_primitives::B256;
use ocelli_core::{hash::keccak256, limits::TRANSACTION_BYTES, transaction::Recovered};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"OCPOOL\x00\x02";
const HEAD: u64 = (MAGIC.len() + 32) as u64;
const LENGTH: usize = 4;
const HEIGHT: usize = 8;
const CHECK: usize = 8;

/// What the journal keeps of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<B> {
    /// The EIP-2718 bytes.
    pub(super) bytes: B,
    /// Their hash.
    pub(super) hash: B256,
    /// By when it is promised to be in.
    pub(super) promised: Option<u64>,
}

/// What a journal held, oldest first.
pub(super) type Entries = Vec<Entry<Vec<u8>>>;

impl<'a> Entry<&'a [u8]> {
    /// That of a waiting transaction.
    pub(super) fn of(transaction: &'a Recovered, promised: Option<u64>) -> Self {
        Self { bytes: transaction.encoded(), hash: transaction.hash(), promised }
    }

    fn check(&self) -> [u8; CHECK] {
        let mut check = self.promised.unwrap_or_default().to_be_bytes();
        check.iter_mut().zip(self.hash).for_each(|(check, hash)| *check ^= hash);
        check
    }
}

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("the pool's threads cannot be started: {0}")]
    Thread(io::Error),
    /// The file is no journal, or another chain's, or another release's.
    #[error(
        "{} is not the journal of this chain's pool, or its first {HEAD} bytes are damaged: move it away (who sent what is in \
         it can send it again), or start over with --reset",
        path.display()
    )]
    OtherJournal {
        /// The file.
        path: PathBuf,
    },
}

impl Entry<Vec<u8>> {
    fn borrowed(&self) -> Entry<&[u8]> {
        Entry { bytes: &self.bytes, hash: self.hash, promised: self.promised }
    }
}

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    genesis: B256,
    file: File,
    /// Length of the file.
    bytes: u64,
    /// Length at which it is rewritten, at the earliest.
    rewrite_at: u64,
    /// Something could not be written: from then on nothing is, since nobody knows what the file holds.
    broken: bool,
}

impl Journal {
    fn new(dir: &Path, genesis: B256, file: File, bytes: u64) -> Self {
        Self { dir: dir.to_owned(), genesis, file, bytes, rewrite_at: 0, broken: false }
    }

    /// Opens the journal in `dir`, making it if it is not there, and reads what it holds, oldest first.
    pub(super) fn open(dir: &Path, genesis: B256) -> Result<(Self, Entries), PoolError> {
        let path = dir.join(POOL_FILE);
        let failed = |source| PoolError::Io { path: path.clone(), source };
        if !path.exists() {
            let (file, bytes) = write_beside(dir, &genesis, &[]).map_err(failed)?;
            take_place(dir).map_err(failed)?;
            return Ok((Self::new(dir, genesis, file, bytes), Vec::new()));
        }
        let bytes = fs::read(&path).map_err(failed)?;
        let Some(body) = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.strip_prefix(genesis.as_slice())) else {
            return Err(PoolError::OtherJournal { path });
        };
        let Found { entries, end, damaged } = find_entries(body);
        if damaged > 0 {
            tracing::error!(
                damaged,
                entries = entries.len(),
                "{} is damaged in the middle: its transactions are kept but for those in that many damaged bytes. Check the \
                 disk; whoever sent what is missing can send it again. The file as it was is {DAMAGED_POOL_FILE}",
                path.display()
            );
            fs::copy(&path, dir.join(DAMAGED_POOL_FILE)).map_err(failed)?;
            let whole: Vec<Entry<&[u8]>> = entries.iter().map(Entry::borrowed).collect();
            let (file, bytes) = write_beside(dir, &genesis, &whole).map_err(failed)?;
            take_place(dir).map_err(failed)?;
            return Ok((Self::new(dir, genesis, file, bytes), entries));
        }
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        let (end, cut) = (HEAD + end as u64, body.len() - end);
        if cut > 0 {
            tracing::warn!(
                bytes = cut,
                "the pool's journal ends with something that is no whole transaction and is cut off: half written when the power \
                 failed, and accepted from nobody, unless the disk is damaged"
            );
            file.set_len(end).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        file.seek(SeekFrom::Start(end)).map_err(failed)?;
        Ok((Self::new(dir, genesis, file, end), entries))
    }

    /// Appends transactions; they are durable when this returns. After an error nothing can be appended any more.
    pub(super) fn append<'a>(&mut self, entries: impl Iterator<Item = Entry<&'a [u8]>>) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the journal is broken"));
        }
        let mut encoded = Vec::new();
        entries.for_each(|entry| append_entry(&mut encoded, &entry));
        if encoded.is_empty() {
            return Ok(());
        }
        self.broken = true;
        self.file.write_all(&encoded)?;
        self.file.sync_data()?;
        self.broken = false;
        self.bytes += encoded.len() as u64;
        Ok(())
    }

    /// Whether the file is mostly of transactions that wait no longer, when those that wait have `live` bytes.
    pub(super) fn is_stale(&self, live: u64) -> bool {
        !self.broken && self.bytes >= self.rewrite_at && self.bytes > 2 * live + limits::POOL_JOURNAL_SLACK
    }

    /// Rewrites the file with nothing but `entries`. A crash leaves the old file or the new one. After an error the file
    /// is the old one and can be appended to, unless nobody knows which of the two has the name.
    pub(super) fn rewrite(&mut self, entries: &[Entry<&[u8]>]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the journal is broken"));
        }
        // Most likely in vain if it was in vain a moment ago.
        self.rewrite_at = self.bytes + limits::POOL_JOURNAL_SLACK;
        let (file, bytes) = write_beside(&self.dir, &self.genesis, entries)?;
        self.broken = true;
        take_place(&self.dir)?;
        (self.file, self.bytes, self.rewrite_at) = (file, bytes, 0);
        self.broken = false;
        Ok(())
    }
}

/// Writes a whole journal beside the old one, and says how long it is.
fn write_beside(dir: &Path, genesis: &B256, entries: &[Entry<&[u8]>]) -> io::Result<(File, u64)> {
    let mut encoded = Vec::from(MAGIC);
    encoded.extend_from_slice(genesis.as_slice());
    entries.iter().for_each(|entry| append_entry(&mut encoded, entry));
    let mut file = File::create(dir.join(NEW_POOL_FILE))?;
    file.write_all(&encoded)?;
    file.sync_all()?;
    Ok((file, encoded.len() as u64))
}

/// Puts what was written beside the old journal in its place.
fn take_place(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join(NEW_POOL_FILE), dir.join(POOL_FILE))?;
    sync_folder(dir)
}

#[cfg(unix)]
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn append_entry(encoded: &mut Vec<u8>, entry: &Entry<&[u8]>) {
    // At most TRANSACTION_BYTES, which the decoder saw to.
    encoded.extend_from_slice(&(entry.bytes.len() as u32).to_be_bytes());
    encoded.extend_from_slice(&entry.promised.unwrap_or_default().to_be_bytes());
    encoded.extend_from_slice(entry.bytes);
    encoded.extend_from_slice(&entry.check());
}

/// What a journal's bytes hold.
#[derive(Debug, Default)]
struct Found {
    /// Whole entries, oldest first.
    entries: Entries,
    /// Where the last of them ends.
    end: usize,
    /// Bytes before that which belong to no whole entry.
    damaged: usize,
}

/// Every whole entry in `body`, whatever stands between them.
fn find_entries(body: &[u8]) -> Found {
    let (mut found, mut at) = (Found::default(), 0);
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(entry) = whole_entry(rest) else {
            at += 1;
            continue;
        };
        found.damaged += at - found.end;
        at += LENGTH + HEIGHT + entry.bytes.len() + CHECK;
        found.end = at;
        found.entries.push(Entry { bytes: entry.bytes.to_vec(), hash: entry.hash, promised: entry.promised });
    }
    found
}

/// The entry that `bytes` begin with.
fn whole_entry(bytes: &[u8]) -> Option<Entry<&[u8]>> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    // No transaction is empty, and trying none is what makes a run of zeros cheap.
    let length =
        Some(u32::from_be_bytes(*length) as usize).filter(|length| (1..=TRANSACTION_BYTES).contains(length))?;
    let (height, rest) = rest.split_first_chunk::<HEIGHT>()?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    let promised = Some(u64::from_be_bytes(*height)).filter(|height| *height > 0);
    let entry = Entry { bytes, hash: keccak256(bytes), promised };
    (entry.check() == *rest.get(..CHECK)?).then_some(entry)
}
