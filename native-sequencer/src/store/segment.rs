//! A segment of the index: what the blocks of a range of heights are asked for by, in a file that is written once.
//!
//! ```text
//! file   = head page* frame* code* fence* check
//! head   = magic genesis first last hash level names codes 0* check       4,096 bytes
//!          magic: "OCINDX" and the format, 2 bytes; genesis: the chain's genesis hash; first, last: heights, 8 bytes each;
//!          hash: of block last; level: 1 byte; names: how many; codes: how many bytes of codes; 8 bytes each
//! page   = name{85} 0{12} check         4,096 bytes; names ascend, and zeros stand for those that the last page lacks
//! name   = hash height row index        32, 8, 4 and 4 bytes; row and index of a block itself are all ones
//! frame  = at check                     8 bytes, one frame a height: where the block's frame begins in blocks.log
//! code   = hash length bytes            length: 4 bytes
//! fence  = the first 8 bytes of a page, one fence a page
//! check  = CRC-32, 4 bytes: of what precedes it in head and page; of height ‖ at in a frame; of all fences at the end
//! ```
//!
//! Integers are big-endian. Opening checks the head, the fences and the code; pages and frames are checked when they are read, so
//! damage is met as an error and not as an answer. Whole hashes are kept: nobody can make two that are taken for each other.
//! A name is found by one look at the fences, which stay in memory (a tenth of a byte a name), and one page.

use super::{
    Place,
    error::StoreError,
    folder::{NEW, io_error, sync_folder},
};
use alloy_primitives::{B256, Bytes};
use ocelli_core::hash::keccak256;
use parking_lot::Mutex;
use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"OCINDX\x00\x02";
const PAGE: usize = 4_096;
const CHECK: usize = 4;
const NAME: usize = 48;
const NAMES_A_PAGE: usize = (PAGE - CHECK) / NAME;
const FRAME: usize = 8 + CHECK;
const FENCE: usize = 8;
/// Where head ends and the first page begins.
const BEGIN: u64 = PAGE as u64;
/// Bytes that are read or written at once by who goes through a whole file.
const BUFFER: usize = 1 << 20;

/// A hash and what it names: a transaction, or a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) hash: B256,
    pub(super) place: Place,
}

impl Name {
    /// Row and index of a block itself: no block has so many rows.
    pub(super) const BLOCK: u32 = u32::MAX;

    /// What names the block at `height`.
    pub(super) fn block(hash: B256, height: u64) -> Self {
        Self { hash, place: Place { height, row: Self::BLOCK, index: Self::BLOCK } }
    }

    /// The first bytes of the hash: most names differ in them.
    pub(super) fn fence(&self) -> u64 {
        fence(&self.hash)
    }

    fn encode(&self) -> [u8; NAME] {
        let mut bytes = [0; NAME];
        bytes[..32].copy_from_slice(self.hash.as_slice());
        bytes[32..40].copy_from_slice(&self.place.height.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.place.row.to_be_bytes());
        bytes[44..].copy_from_slice(&self.place.index.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8; NAME]) -> Self {
        let mut read = Fields(bytes);
        let hash = B256::new(read.take());
        let (height, row) = (u64::from_be_bytes(read.take()), u32::from_be_bytes(read.take()));
        Self { hash, place: Place { height, row, index: u32::from_be_bytes(read.take()) } }
    }
}

fn fence(hash: &B256) -> u64 {
    u64::from_be_bytes(Fields(hash.as_slice()).take())
}

/// Fixed fields, one behind the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next field; zeros where there is nothing more.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *field
    }
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The chain's genesis hash.
    pub(super) genesis: B256,
    /// The lowest height.
    pub(super) first: u64,
    /// The highest.
    pub(super) last: u64,
    /// The hash of block `last`.
    pub(super) hash: B256,
    /// How often its names were merged.
    pub(super) level: u8,
    /// How many names it has.
    pub(super) names: u64,
    /// Bytes of its code.
    pub(super) codes: u64,
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PAGE);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(self.genesis.as_slice());
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&self.last.to_be_bytes());
        bytes.extend_from_slice(self.hash.as_slice());
        bytes.push(self.level);
        bytes.extend_from_slice(&self.names.to_be_bytes());
        bytes.extend_from_slice(&self.codes.to_be_bytes());
        seal(&mut bytes);
        bytes
    }

    /// `None` if these bytes are no head.
    fn decode(page: &[u8]) -> Option<Self> {
        let content = opened(page)?.strip_prefix(&MAGIC)?;
        let mut read = Fields(content);
        let genesis = B256::new(read.take());
        let (first, last) = (u64::from_be_bytes(read.take()), u64::from_be_bytes(read.take()));
        let hash = B256::new(read.take());
        let [level] = read.take();
        let (names, codes) = (u64::from_be_bytes(read.take()), u64::from_be_bytes(read.take()));
        (first <= last).then_some(Self { genesis, first, last, hash, level, names, codes })
    }

    fn pages(&self) -> u64 {
        self.names.div_ceil(NAMES_A_PAGE as u64)
    }

    /// Where frames, codes and fences begin, and where the file ends.
    fn parts(&self) -> Option<[u64; 4]> {
        let frames = self.pages().checked_mul(PAGE as u64)?.checked_add(BEGIN)?;
        let blocks = (self.last - self.first).checked_add(1)?;
        let codes = blocks.checked_mul(FRAME as u64)?.checked_add(frames)?;
        let fences = codes.checked_add(self.codes)?;
        let end = fences.checked_add(self.pages() * FENCE as u64 + CHECK as u64)?;
        Some([frames, codes, fences, end])
    }

    fn file_name(&self) -> String {
        file_name(self.first, self.last)
    }
}

/// What the names of segments end with.
pub(super) const EXTENSION: &str = "blocks";

/// The heights that the file with this name is about, if it is a segment's.
pub(super) fn heights(name: &str) -> Option<(u64, u64)> {
    let (first, last) = name.strip_suffix(EXTENSION)?.strip_suffix('.')?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (file_name(first, last) == name).then_some((first, last))
}

fn file_name(first: u64, last: u64) -> String {
    format!("{first:016}-{last:016}.{EXTENSION}")
}

/// Fills a page up to its check, and adds that.
fn seal(page: &mut Vec<u8>) {
    page.resize(PAGE - CHECK, 0);
    page.extend_from_slice(&crc32fast::hash(page).to_be_bytes());
}

/// What a page holds before its check; `None` if it does not fit.
fn opened(page: &[u8]) -> Option<&[u8]> {
    let (content, check) = page.split_last_chunk()?;
    (crc32fast::hash(content) == u32::from_be_bytes(*check)).then_some(content)
}

/// The frame of the block at `height`, which is at `at` in the log.
pub(super) fn frame(height: u64, at: u64) -> [u8; FRAME] {
    let mut bytes = [0; FRAME];
    bytes[..8].copy_from_slice(&at.to_be_bytes());
    bytes[8..].copy_from_slice(&frame_check(height, at).to_be_bytes());
    bytes
}

fn frame_check(height: u64, at: u64) -> u32 {
    let mut check = crc32fast::Hasher::new();
    check.update(&height.to_be_bytes());
    check.update(&at.to_be_bytes());
    check.finalize()
}

/// Code as a segment keeps it.
pub(super) fn code((hash, code): &(B256, Bytes)) -> Vec<u8> {
    [hash.as_slice(), &(code.len() as u32).to_be_bytes(), code].concat()
}

/// A segment that is whole.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    head: Head,
    fences: Vec<u64>,
    file: Mutex<File>,
}

impl Segment {
    /// Opens the file at `path`, with the code in it; `None` if it is no whole segment of this release.
    #[expect(clippy::type_complexity, reason = "code by hash, as everywhere")]
    pub(super) fn open(path: &Path) -> Result<Option<(Self, Vec<(B256, Bytes)>)>, StoreError> {
        let read = || {
            let mut file = File::open(path)?;
            let length = file.metadata()?.len();
            let mut page = Vec::new();
            Read::by_ref(&mut file).take(BEGIN).read_to_end(&mut page)?;
            let Some(head) = Head::decode(&page) else { return Ok(None) };
            let Some([_, codes, fences, end]) = head.parts().filter(|[.., end]| *end == length) else {
                return Ok(None);
            };
            let Some(codes) = decode_codes(&read_at(&mut file, codes, (fences - codes) as usize)?) else {
                return Ok(None);
            };
            let Some(fences) = decode_fences(&read_at(&mut file, fences, (end - fences) as usize)?) else {
                return Ok(None);
            };
            let segment = Self { path: path.to_owned(), head, fences, file: Mutex::new(file) };
            Ok(Some((segment, codes)))
        };
        read().map_err(io_error(path))
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// What the hash names, if that is here.
    pub(super) fn find(&self, hash: &B256) -> Result<Option<Place>, StoreError> {
        let wanted = fence(hash);
        let mut page = self.fences.partition_point(|fence| *fence <= wanted);
        // Whoever makes hashes that begin alike can fill a page with them, and is found in the ones before.
        while let Some(number) = page.checked_sub(1) {
            if let Some(place) = self.find_in(number, hash)? {
                return Ok(Some(place));
            }
            if self.fences.get(number).is_some_and(|fence| *fence < wanted) {
                break;
            }
            page = number;
        }
        Ok(None)
    }

    fn find_in(&self, number: usize, hash: &B256) -> Result<Option<Place>, StoreError> {
        let at = BEGIN + (number * PAGE) as u64;
        let page = read_at(&mut self.file.lock(), at, PAGE).map_err(io_error(&self.path))?;
        let content = opened(&page).ok_or_else(|| self.damaged("a page"))?;
        let names = names_on(content, self.head.names - (number * NAMES_A_PAGE) as u64);
        let found = names.binary_search_by(|name| name[..32].cmp(hash.as_slice())).ok();
        Ok(found.and_then(|found| names.get(found)).map(|name| Name::decode(name).place))
    }

    /// Where the frame of the block at `height`, which is one of these, begins in the log.
    pub(super) fn frame(&self, height: u64) -> Result<u64, StoreError> {
        let [frames, ..] = self.parts()?;
        let at = frames + (height - self.head.first) * FRAME as u64;
        let bytes = read_at(&mut self.file.lock(), at, FRAME).map_err(io_error(&self.path))?;
        let mut read = Fields(&bytes);
        let (at, check) = (u64::from_be_bytes(read.take()), u32::from_be_bytes(read.take()));
        if frame_check(height, at) == check { Ok(at) } else { Err(self.damaged("the place of a block")) }
    }

    /// That the file is not as it was left.
    pub(super) fn damaged(&self, what: &str) -> StoreError {
        StoreError::DamagedIndex { path: self.path.clone(), what: what.to_owned() }
    }

    /// Deletes the file.
    pub(super) fn remove(&self) -> Result<(), StoreError> {
        fs::remove_file(&self.path).map_err(io_error(&self.path))
    }

    /// All names, in order.
    pub(super) fn names(&self) -> Result<Names<'_>, StoreError> {
        let open = || {
            let mut file = BufReader::with_capacity(BUFFER, File::open(&self.path)?);
            file.seek(SeekFrom::Start(BEGIN))?;
            Ok(file)
        };
        let file = open().map_err(io_error(&self.path))?;
        let mut names = Names { segment: self, file, page: vec![0; PAGE], next: 0, left: self.head.names };
        names.read()?;
        Ok(names)
    }

    /// Writes the bytes of all frames, or of all code, to `write`.
    pub(super) fn copy(&self, part: Part, write: &mut impl Write) -> Result<(), StoreError> {
        let [frames, codes, fences, _] = self.parts()?;
        let (from, to) = match part {
            Part::Frames => (frames, codes),
            Part::Codes => (codes, fences),
        };
        let mut copy = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(from))?;
            io::copy(&mut file.take(to - from), write)
        };
        let copied = copy().map_err(io_error(&self.path))?;
        if copied == to - from { Ok(()) } else { Err(self.damaged("it is cut short")) }
    }

    fn parts(&self) -> Result<[u64; 4], StoreError> {
        self.head.parts().ok_or_else(|| self.damaged("its head"))
    }
}

/// Parts that are copied as they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Frames,
    Codes,
}

fn read_at(file: &mut File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The names on a page, if `left` are on it and those behind.
fn names_on(content: &[u8], left: u64) -> &[[u8; NAME]] {
    let (names, _) = content.as_chunks();
    let count = names.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    names.get(..count).unwrap_or_default()
}

fn decode_fences(bytes: &[u8]) -> Option<Vec<u64>> {
    let (fences, _) = opened(bytes)?.as_chunks();
    Some(fences.iter().map(|fence| u64::from_be_bytes(*fence)).collect())
}

/// `None` if it is not the code that the hashes say.
fn decode_codes(mut bytes: &[u8]) -> Option<Vec<(B256, Bytes)>> {
    let mut codes = Vec::new();
    while !bytes.is_empty() {
        let (hash, rest) = bytes.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (code, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let hash = B256::new(*hash);
        if keccak256(code) != hash {
            return None;
        }
        codes.push((hash, Bytes::copy_from_slice(code)));
        bytes = rest;
    }
    Some(codes)
}

/// The names of a segment, one after the other.
#[derive(Debug)]
pub(super) struct Names<'a> {
    segment: &'a Segment,
    file: BufReader<File>,
    page: Vec<u8>,
    /// Which name of the page is the current one.
    next: usize,
    /// How many there are from the current page's first on.
    left: u64,
}

impl Names<'_> {
    /// The current one; `None` behind the last.
    pub(super) fn current(&self) -> Option<Name> {
        names_on(&self.page[..PAGE - CHECK], self.left).get(self.next).map(Name::decode)
    }

    /// Goes on to the next.
    pub(super) fn advance(&mut self) -> Result<(), StoreError> {
        self.next += 1;
        if self.next == NAMES_A_PAGE {
            self.left = self.left.saturating_sub(NAMES_A_PAGE as u64);
            self.next = 0;
            self.read()?;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), StoreError> {
        if self.left > 0 {
            self.file.read_exact(&mut self.page).map_err(io_error(&self.segment.path))?;
            opened(&self.page).ok_or_else(|| self.segment.damaged("a page"))?;
        }
        Ok(())
    }
}

/// A file that is deleted unless it is finished: what stays of one that could not be written would keep a full disk full.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    finished: bool,
}

impl Unfinished {
    /// The file at `path`, which is to be written.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, finished: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name.
    pub(super) fn finish(mut self, name: &Path) -> Result<(), StoreError> {
        fs::rename(&self.path, name).map_err(io_error(name))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A segment that is being written. It gets its name when it is complete and durable.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    new: Unfinished,
    pub(super) file: BufWriter<File>,
    page: Vec<u8>,
    fences: Vec<u8>,
}

impl Writer {
    /// Begins the segment that `head` says, in the folder `dir`.
    pub(super) fn new(dir: &Path, head: &Head) -> Result<Self, StoreError> {
        let path = dir.join(head.file_name());
        let new = Unfinished::new(path.with_added_extension(NEW));
        let make = || {
            let mut file = BufWriter::with_capacity(BUFFER, File::create(new.path())?);
            file.write_all(&head.encode())?;
            Ok(file)
        };
        let file = make().map_err(io_error(new.path()))?;
        Ok(Self { path, new, file, page: Vec::with_capacity(PAGE), fences: Vec::new() })
    }

    /// The next name.
    pub(super) fn name(&mut self, name: &Name) -> Result<(), StoreError> {
        if self.page.is_empty() {
            self.fences.extend_from_slice(&name.fence().to_be_bytes());
        }
        self.page.extend_from_slice(&name.encode());
        if self.page.len() == NAMES_A_PAGE * NAME { self.end_page() } else { Ok(()) }
    }

    fn end_page(&mut self) -> Result<(), StoreError> {
        seal(&mut self.page);
        self.file.write_all(&self.page).map_err(io_error(self.new.path()))?;
        self.page.clear();
        Ok(())
    }

    /// Behind the last name.
    pub(super) fn end_of_names(&mut self) -> Result<(), StoreError> {
        if self.page.is_empty() { Ok(()) } else { self.end_page() }
    }

    /// Frames, and behind the last of them code.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(io_error(self.new.path()))
    }

    /// Ends the file; it is durable when this returns.
    pub(super) fn finish(mut self, dir: &Path) -> Result<Segment, StoreError> {
        let check = crc32fast::hash(&self.fences);
        let write = || {
            self.file.write_all(&self.fences)?;
            self.file.write_all(&check.to_be_bytes())?;
            self.file.into_inner()?.sync_all()
        };
        write().map_err(io_error(self.new.path()))?;
        self.new.finish(&self.path)?;
        sync_folder(dir)?;
        let damaged = || StoreError::DamagedIndex { path: self.path.clone(), what: "what was just written".to_owned() };
        Ok(Segment::open(&self.path)?.ok_or_else(damaged)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_finished_is_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let (new, name) = (dir.path().join("a.new"), dir.path().join("a"));
        let begin = || {
            fs::write(&new, "something").expect("writes");
            Unfinished::new(new.clone())
        };
        drop(begin());
        assert!(!new.exists());
        begin().finish(&name).expect("gets its name");
        assert!(name.exists() && !new.exists());
    }

    #[test]
    fn only_names_that_are_given_to_segments_are_theirs() {
        assert_eq!(heights(&file_name(1, 1_024)), Some((1, 1_024)));
        for name in ["1-1024.blocks", "+000000000000001-0000000000001024.blocks", "0000000000000001-1024.blocks"] {
            assert_eq!(heights(name), None, "{name}");
        }
    }
}
