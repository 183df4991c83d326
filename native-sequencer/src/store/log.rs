//! The log: all blocks, one behind the other, in the file `blocks.log`, of which no block is ever changed.
//!
//! ```text
//! file    = magic genesis mark frame* 0* magic: "OCBLOG" and the format, 2 bytes; genesis: the chain's genesis hash
//!                                        mark: 16 random bytes
//! frame   = head part part part          the signed header, what the block wrote ([StoredLeaf]), the block (StoredBlock)
//! head    = mark height length{3} check{3} check
//!                                        height: 8 bytes; length of each part: 8 bytes; check of each part, then of the head
//!                                        so far: 4 bytes, CRC-32
//! ```
//!
//! Integers are big-endian, parts in the core's wire encoding. Zeros may fill up the last block of the disk, which is written again
//! with the next frame; what of it was durable is the same then. A block is appended and synced once; so what a crash
//! leaves of a block whose append did not return is at the end of the file, and is cut off when it is opened. Where whole frames
//! follow on something that is none, the file is damaged: nothing is cut off then. Blocks hold what strangers wrote, who must not
//! be able to write something that looks like a frame: the mark is theirs to guess, and nothing tells it.
//!
//! Damage of the last block cannot be told from a crash while it was written. That it was there is known to others:
//! the index, a certificate; so whoever opens the file says which blocks it must have.

use super::{
    direct::Appender,
    error::StoreError,
    folder::{NEW_LOG_FILE, io_error, sync_folder},
};
use crate::{block::StoredLeaf, limits};
use alloy_primitives::B256;
use ocelli_core::wire;
use parking_lot::Mutex;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"OCBLOG\x00\x04";
/// Where the first frame begins.
const BEGIN: u64 = (MAGIC.len() + 32 + size_of::<Mark>()) as u64;
const HEAD: usize = size_of::<Mark>() + 8 + 3 * 8 + 3 * 4 + 4;
/// Bytes that are looked through at once for a frame behind damage.
const WINDOW: usize = 1 << 20;

/// What every frame of a file begins with, and no other file's.
type Mark = [u8; 16];

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The signed header.
    Header,
    /// What the block wrote.
    Writes,
    /// The block.
    Block,
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    height: u64,
    lengths: [u64; 3],
    checks: [u32; 3],
}

impl Head {
    fn new(height: u64, parts: [&[u8]; 3]) -> Self {
        Self { height, lengths: parts.map(|part| part.len() as u64), checks: parts.map(crc32fast::hash) }
    }

    fn encode(&self, mark: &Mark) -> [u8; HEAD] {
        let mut bytes = Vec::with_capacity(HEAD);
        bytes.extend_from_slice(mark);
        bytes.extend_from_slice(&self.height.to_be_bytes());
        self.lengths.iter().for_each(|length| bytes.extend_from_slice(&length.to_be_bytes()));
        self.checks.iter().for_each(|check| bytes.extend_from_slice(&check.to_be_bytes()));
        let mut head = [0; HEAD];
        head[..HEAD - 4].copy_from_slice(&bytes);
        head[HEAD - 4..].copy_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        head
    }

    /// `None` if these bytes are not a head in the file with this mark.
    fn decode(mark: &Mark, bytes: &[u8; HEAD]) -> Option<Self> {
        let (content, check) = bytes.split_last_chunk()?;
        if !content.starts_with(mark) || crc32fast::hash(content) != u32::from_be_bytes(*check) {
            return None;
        }
        let content = content.strip_prefix(mark)?;
        let (height, rest) = content.split_first_chunk()?;
        let (lengths, checks) = rest.split_at_checked(3 * 8)?;
        let mut head = Self { height: u64::from_be_bytes(*height), lengths: [0; 3], checks: [0; 3] };
        for (length, bytes) in head.lengths.iter_mut().zip(lengths.as_chunks().0) {
            *length = u64::from_be_bytes(*bytes);
        }
        for (check, bytes) in head.checks.iter_mut().zip(checks.as_chunks().0) {
            *check = u32::from_be_bytes(*bytes);
        }
        let longest = limits::STORED_BLOCK_BYTES as u64;
        head.lengths.iter().all(|length| *length <= longest).then_some(head)
    }

    /// Length of the whole frame.
    fn frame(&self) -> u64 {
        HEAD as u64 + self.lengths.iter().sum::<u64>()
    }

    /// Where a part is, from the begin of the frame, and its length and check.
    fn part(&self, part: Part) -> (u64, u64, u32) {
        let at = part as usize;
        let before: u64 = self.lengths[..at].iter().sum();
        (HEAD as u64 + before, self.lengths[at], self.checks[at])
    }
}

/// A frame that was found when the file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The block's height.
    pub(super) height: u64,
    /// Where the frame begins.
    pub(super) at: u64,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Log {
    frames: Frames,
    end: Mutex<End>,
}

/// What of the file is read.
#[derive(Debug)]
struct Frames {
    path: PathBuf,
    mark: Mark,
}

#[derive(Debug)]
struct End {
    appender: Appender,
    /// Something could not be written: from then on nothing is, since nobody knows what the file holds.
    broken: bool,
}

impl Log {
    /// Makes the file without a block. It gets its name when it is complete.
    pub(super) fn make(dir: &Path, path: &Path, genesis: &B256) -> Result<(), StoreError> {
        let new = dir.join(NEW_LOG_FILE);
        let write = || {
            let mut mark = Mark::default();
            getrandom::fill(&mut mark).map_err(io::Error::other)?;
            let mut file = File::create(&new)?;
            file.write_all(&MAGIC)?;
            file.write_all(genesis.as_slice())?;
            file.write_all(&mark)?;
            file.sync_all()
        };
        write().map_err(io_error(&new))?;
        fs::rename(&new, path).map_err(io_error(path))?;
        sync_folder(dir)
    }

    /// Whether there is no block in the file at `path`.
    pub(super) fn is_empty(path: &Path) -> Result<bool, StoreError> {
        Ok(fs::metadata(path).map_err(io_error(path))?.len() <= BEGIN)
    }

    /// Opens the file, and says where the blocks above `known` are, the last one whose place is known, if any is. The file has to
    /// have the blocks up to `least`, of which it is said how that is known. All that it has is durable when this returns.
    pub(super) fn open(
        path: &Path,
        genesis: &B256,
        known: Option<Found>,
        (least, how): (u64, &str),
    ) -> Result<(Self, Vec<Found>), StoreError> {
        let mut file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::Damaged { path: path.to_owned(), what: "it is missing".to_owned() },
            _ => StoreError::Io { path: path.to_owned(), source },
        })?;
        let mark = read_begin(&mut file, path, genesis)?;
        let length = file.metadata().map_err(io_error(path))?.len();
        let frames = Frames { path: path.to_owned(), mark };
        let (mut at, mut height) = (BEGIN, 0);
        if let Some(known) = known {
            let head = frames.head(known.at)?.filter(|head| head.height == known.height);
            let missing = || {
                if known.at < length {
                    return frames.damaged(format!("it has something else where block {} was", known.height));
                }
                StoreError::ShortLog { path: path.to_owned(), height: known.height }
            };
            let head = head.ok_or_else(missing)?;
            (at, height) = (known.at + head.frame(), known.height);
        }
        let mut found = Vec::new();
        while let Some(head) = frames.whole_frame(at, height + 1, length)? {
            height = head.height;
            found.push(Found { height, at });
            at += head.frame();
        }
        if at > length || frames.is_frame_within(at, height, length)? {
            return Err(frames.damaged(format!("it has no whole block {} where one should be", height + 1)));
        }
        if height < least {
            return Err(frames.damaged(format!("it ends with block {height}, and block {least} is {how}")));
        }
        let appender = frames.end_at(at, found.last()).map_err(io_error(path))?;
        Ok((Self { frames, end: Mutex::new(End { appender, broken: false }) }, found))
    }

    /// Appends the block with this height, and says where. It is durable when this returns. After an error nothing can be
    /// appended any more.
    pub(super) fn append(&self, height: u64, parts: [&[u8]; 3]) -> Result<u64, StoreError> {
        let head = Head::new(height, parts);
        let mut end = self.end.lock();
        if end.broken {
            let source = io::Error::other("an earlier block could not be written");
            return Err(StoreError::Io { path: self.frames.path.clone(), source });
        }
        end.broken = true;
        // Of what is written, a crash may leave some blocks of the disk and others not: the checks tell that parts are missing.
        let head = head.encode(&self.frames.mark);
        let [header, writes, block] = parts;
        let at = end.appender.end();
        let written = end.appender.append(&[&head, header, writes, block]).and_then(|()| end.appender.sync());
        written.map_err(io_error(&self.frames.path))?;
        end.broken = false;
        Ok(at)
    }

    /// How long the file is.
    pub(super) fn bytes_written(&self) -> u64 {
        self.end.lock().appender.end()
    }

    /// A part of the block with this height, whose frame begins at `at`.
    pub(super) fn read(&self, height: u64, at: u64, part: Part) -> Result<Vec<u8>, StoreError> {
        let head = self.frames.head(at)?.filter(|head| head.height == height);
        let head = head.ok_or_else(|| self.damaged(format!("block {height} is not where it was")))?;
        let bytes = self.frames.part(&head, at, part)?;
        bytes.ok_or_else(|| self.damaged(format!("block {height} is not what was written")))
    }

    /// What the block with this height wrote, ascending by path.
    pub(super) fn writes(&self, height: u64, at: u64) -> Result<Vec<StoredLeaf>, StoreError> {
        let decoded = wire::decode(&self.read(height, at, Part::Writes)?, limits::STORED_BLOCK_BYTES);
        decoded.map_err(|error| self.damaged(format!("writes of block {height}: {error}")))
    }

    /// How many bytes a part has.
    pub(super) fn length(&self, at: u64, part: Part) -> Result<u64, StoreError> {
        Ok(self.frames.head(at)?.map_or(0, |head| head.part(part).1))
    }

    /// That the file is not as it was left.
    pub(super) fn damaged(&self, what: String) -> StoreError {
        self.frames.damaged(what)
    }
}

impl Frames {
    /// Lets the file end at `at`, behind which there is no block, to be appended to. The last block is written again: who appended it
    /// may have ended between writing and syncing, or have been told that syncing failed, after which syncing again may do nothing.
    fn end_at(&self, at: u64, last: Option<&Found>) -> io::Result<Appender> {
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        if let Some(last) = last {
            let mut frame = Vec::new();
            file.seek(SeekFrom::Start(last.at))?;
            (&file).take(at - last.at).read_to_end(&mut frame)?;
            file.seek(SeekFrom::Start(last.at))?;
            file.write_all(&frame)?;
        }
        let behind = Appender::bytes_behind(&mut file, at)?;
        if behind > 0 {
            tracing::warn!(
                bytes = behind,
                "{} ends with something that is no whole block and is cut off: half written when the power failed",
                self.path.display()
            );
        }
        let appender = Appender::new(&self.path, at)?;
        file.sync_all()?;
        Ok(appender)
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what }
    }

    /// The head of the frame of block `height` at `at`, if all of it is there.
    fn whole_frame(&self, at: u64, height: u64, length: u64) -> Result<Option<Head>, StoreError> {
        let Some(head) = self.head(at)?.filter(|head| head.height == height && at + head.frame() <= length) else {
            return Ok(None);
        };
        for part in [Part::Header, Part::Writes, Part::Block] {
            if self.part(&head, at, part)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(head))
    }

    /// Whether at `at` or anywhere behind it a block above `height` begins and is there as a whole.
    fn is_frame_within(&self, at: u64, height: u64, length: u64) -> Result<bool, StoreError> {
        let mut from = at;
        while from + (HEAD as u64) < length {
            let bytes = self.bytes(from, (WINDOW + HEAD).min((length - from) as usize))?;
            for (offset, bytes) in bytes.windows(HEAD).enumerate().take(WINDOW) {
                let Ok(bytes) = bytes.try_into() else { continue };
                if let Some(head) = Head::decode(&self.mark, bytes)
                    && head.height > height
                    && self.whole_frame(from + offset as u64, head.height, length)?.is_some()
                {
                    return Ok(true);
                }
            }
            from += WINDOW as u64;
        }
        Ok(false)
    }

    fn head(&self, at: u64) -> Result<Option<Head>, StoreError> {
        let bytes = self.bytes(at, HEAD)?;
        Ok(bytes.as_slice().try_into().ok().and_then(|bytes| Head::decode(&self.mark, bytes)))
    }

    /// `None` if it does not fit its check.
    fn part(&self, head: &Head, at: u64, part: Part) -> Result<Option<Vec<u8>>, StoreError> {
        let (offset, length, check) = head.part(part);
        let bytes = self.bytes(at + offset, length as usize)?;
        Ok((bytes.len() as u64 == length && crc32fast::hash(&bytes) == check).then_some(bytes))
    }

    /// So many bytes of the file, or fewer where it ends. Readers have a file of their own: nobody waits for who appends.
    fn bytes(&self, at: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(at))?;
            let mut bytes = Vec::with_capacity(length);
            file.take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(io_error(&self.path))
    }
}

/// Checks what the file begins with, and gives its mark.
fn read_begin(file: &mut File, path: &Path, genesis: &B256) -> Result<Mark, StoreError> {
    let mut begin = [0; BEGIN as usize];
    let read = file.read_exact(&mut begin);
    let damaged = |what: &str| StoreError::Damaged { path: path.to_owned(), what: what.to_owned() };
    read.map_err(|_| damaged("it has no beginning"))?;
    let (magic, rest) = begin.split_at(MAGIC.len());
    let (found, mark) = rest.split_at(32);
    if magic != MAGIC {
        return Err(damaged("it does not begin as a log of blocks does"));
    }
    if found != genesis.as_slice() {
        let (path, found) = (path.to_owned(), B256::from_slice(found));
        return Err(StoreError::OtherChain { path, found, expected: *genesis });
    }
    mark.try_into().map_err(|_| damaged("it has no mark"))
}
