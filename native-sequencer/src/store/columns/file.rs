//! One file of bodies: what it begins with, and its frames.

use super::{super::direct::Appender, Bounds};
use alloy_primitives::B256;
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"OCCOLS\x00\x01";
/// Where the first frame begins.
const BEGIN: u64 = (MAGIC.len() + 32) as u64;
const HEAD: usize = 8 + 8 + 4 + 4;

/// What a frame begins with.
#[derive(Clone, Copy, Debug)]
struct Head {
    height: u64,
    length: u64,
    check: u32,
}

impl Head {
    fn new(height: u64, content: &[u8]) -> Self {
        Self { height, length: content.len() as u64, check: crc32fast::hash(content) }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = [self.height.to_be_bytes(), self.length.to_be_bytes()].concat();
        bytes.extend_from_slice(&self.check.to_be_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    /// `None` if these bytes are none.
    fn decode(bytes: &[u8; HEAD]) -> Option<Self> {
        let (content, check) = bytes.split_last_chunk()?;
        let (height, rest) = content.split_first_chunk()?;
        let (length, of_content) = rest.split_first_chunk()?;
        let head = Self {
            height: u64::from_be_bytes(*height),
            length: u64::from_be_bytes(*length),
            check: u32::from_be_bytes(of_content.try_into().ok()?),
        };
        (crc32fast::hash(content) == u32::from_be_bytes(*check)).then_some(head)
    }

    /// Where the next frame begins, if this one begins at `at`.
    const fn end(&self, at: u64) -> u64 {
        at.saturating_add(HEAD as u64).saturating_add(self.length)
    }
}

/// The head at `at`, if one of the block at `height` is there and the file is long enough for what it announces.
fn head(file: &mut File, at: u64, height: u64) -> io::Result<Option<Head>> {
    let mut bytes = Vec::with_capacity(HEAD);
    file.seek(SeekFrom::Start(at))?;
    (&*file).take(HEAD as u64).read_to_end(&mut bytes)?;
    let head = bytes.as_slice().try_into().ok().and_then(Head::decode).filter(|head| head.height == height);
    let length = file.metadata()?.len();
    Ok(head.filter(|head| head.end(at) <= length))
}

/// The content of the frame of the block at `height`, which begins at `at`, if it is whole.
pub(super) fn content(file: &mut File, at: u64, height: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(head) = head(file, at, height)? else { return Ok(None) };
    let mut content = Vec::with_capacity(head.length as usize);
    file.seek(SeekFrom::Start(at + HEAD as u64))?;
    (&*file).take(head.length).read_to_end(&mut content)?;
    Ok((crc32fast::hash(&content) == head.check).then_some(content))
}

/// Whether the file at `path` begins as one of the chain with this genesis hash.
pub(super) fn is_of(path: &Path, genesis: &B256) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(BEGIN).read_to_end(&mut begin)?;
    Ok(begin == begin_of(genesis))
}

fn begin_of(genesis: &B256) -> Vec<u8> {
    [&MAGIC[..], genesis.as_slice()].concat()
}

/// Where the frames of a file are, as far as that is known.
#[derive(Debug)]
pub(super) struct Frames {
    first: u64,
    /// Of the blocks from `first` on.
    begins: Vec<u64>,
    /// Where the next one is, if there is one.
    next: u64,
}

impl Frames {
    pub(super) const fn new(first: u64) -> Self {
        Self { first, begins: Vec::new(), next: BEGIN }
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Where the frame of the block at `height` begins, if the file has it. Goes from head to head as far as it has not been before.
    pub(super) fn find(&mut self, file: &mut File, height: u64) -> io::Result<Option<u64>> {
        let Some(index) = height.checked_sub(self.first) else { return Ok(None) };
        while self.begins.len() as u64 <= index {
            let Some(head) = head(file, self.next, self.first + self.begins.len() as u64)? else { return Ok(None) };
            self.begins.push(self.next);
            self.next = head.end(self.next);
        }
        Ok(usize::try_from(index).ok().and_then(|index| self.begins.get(index)).copied())
    }
}

/// A file that is written to.
#[derive(Debug)]
pub(super) struct Open {
    appender: Appender,
    path: PathBuf,
    first: u64,
    /// The height of the block that may be appended.
    next: u64,
}

impl Open {
    /// Makes the file whose first block is the one at `first`.
    pub(super) fn new(path: &Path, first: u64, genesis: &B256) -> io::Result<Self> {
        let appender = fs::write(path, begin_of(genesis)).and_then(|()| Appender::new(path, BEGIN));
        let open = |appender| Self { appender, path: path.to_owned(), first, next: first };
        appender.map(open).inspect_err(|_| delete(path))
    }

    /// Goes on with a file, whose end is cut off if no whole frame is there. Blocks whose columns can be made again end where the
    /// first of them is not whole. If there is no block then, the file is deleted.
    pub(super) fn again(path: &Path, first: u64, bounds: Bounds) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let (mut next, mut end) = (first, BEGIN);
        while next <= bounds.head
            && let Some(head) = head(&mut file, end, next)?
            && (next < bounds.rebuilt || content(&mut file, end, next)?.is_some())
        {
            (next, end) = (next + 1, head.end(end));
        }
        if next == first {
            tracing::warn!("{} has no block's columns and is deleted", path.display());
            delete(path);
            return Ok(None);
        }
        let behind = Appender::bytes_behind(&mut file, end)?;
        if behind > 0 {
            tracing::warn!(
                bytes = behind,
                "{} ends with something that is no block's columns and is cut off",
                path.display()
            );
        }
        Ok(Some(Self { appender: Appender::new(path, end)?, path: path.to_owned(), first, next }))
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) const fn end(&self) -> u64 {
        self.appender.end()
    }

    /// Whether content so long leaves the file below `limit`, or is its first.
    pub(super) const fn has_room(&self, content: usize, limit: u64) -> bool {
        self.next == self.first || self.end() + HEAD as u64 + content as u64 <= limit
    }

    /// Appends the content of the next block. What could not be written as a whole is cut off.
    pub(super) fn append(mut self, content: &[u8]) -> io::Result<Self> {
        let head = Head::new(self.next, content).encode();
        if let Err(error) = self.appender.append(&[&head, content]) {
            // Otherwise its end is cut off, as it is dropped.
            if self.next == self.first {
                delete(&self.path);
            }
            return Err(error);
        }
        self.next += 1;
        Ok(self)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.appender.sync()
    }
}

/// Deletes a file without a block. Whoever reads does without.
fn delete(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(%error, "{} cannot be deleted", path.display());
    }
}
