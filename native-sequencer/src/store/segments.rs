//! The segments of the index, which follow on each other from block 1 on.
//!
//! A batch of blocks becomes a segment of level 0; [`limits::INDEX_MERGED`] segments of one level are merged into one of the next.
//! So a name is written as often as the levels are many, which is the logarithm of the number of batches, and there are fewer than
//! `INDEX_MERGED` segments of each level to look into.
//!
//! Nothing but the names of the files says which segments there are. A file gets its name when it is whole and durable, and what it
//! was merged of is deleted after that; so whatever moment a crash chooses, the files from block 1 on tell what is there. What
//! is not whole, of another chain or behind a gap is deleted and made again from the log.

use super::{
    Place,
    error::StoreError,
    folder::{NEW, io_error, sync_folder},
    log::Found,
    segment::{self, Head, Name, Names, Part, Segment, Writer},
};
use crate::{block::SealedBlock, limits};
use alloy_primitives::{B256, Bytes, map::B256Map};
use parking_lot::RwLock;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What the index keeps of one block.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) height: u64,
    /// Where its frame begins in the log.
    pub(super) at: u64,
    pub(super) hash: B256,
    /// Of its transactions.
    pub(super) names: Vec<Name>,
    /// What it deployed.
    pub(super) codes: Vec<(B256, Bytes)>,
}

impl Entry {
    pub(super) fn new(block: &SealedBlock, at: u64) -> Self {
        let height = block.header().height;
        let place = |(row, index)| Place { height, row, index };
        let transactions = block.transactions.iter();
        let names = transactions.map(|sealed| Name { hash: sealed.hash, place: place(sealed.place) }).collect();
        Self { height, at, hash: block.hash, names, codes: block.stored.codes.clone() }
    }
}

/// Blocks in a row that are to be a segment, and are asked meanwhile.
#[derive(Debug, Default)]
pub(super) struct Batch {
    first: u64,
    hash: B256,
    frames: Vec<u64>,
    names: B256Map<Place>,
    codes: Vec<(B256, Bytes)>,
}

impl Batch {
    /// Adds the block above those that are here.
    pub(super) fn add(&mut self, entry: Entry) {
        if self.is_empty() {
            self.first = entry.height;
        }
        self.hash = entry.hash;
        self.frames.push(entry.at);
        let block = Name::block(entry.hash, entry.height);
        self.names.extend(entry.names.into_iter().chain([block]).map(|name| (name.hash, name.place)));
        self.codes.extend(entry.codes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether it is as large as a segment should begin.
    pub(super) fn is_full(&self) -> bool {
        self.names.len() >= limits::INDEX_NAMES || self.frames.len() >= limits::INDEX_BLOCKS
    }

    pub(super) fn find(&self, hash: &B256) -> Option<Place> {
        self.names.get(hash).copied()
    }

    pub(super) fn frame(&self, height: u64) -> Option<u64> {
        let index = usize::try_from(height.checked_sub(self.first)?).ok()?;
        self.frames.get(index).copied()
    }

    fn codes(&self) -> Vec<u8> {
        self.codes.iter().flat_map(segment::code).collect()
    }

    fn names(&self) -> Vec<Name> {
        let names = self.names.iter().map(|(hash, place)| Name { hash: *hash, place: *place });
        let mut names: Vec<Name> = names.collect();
        names.sort_unstable_by(|a, b| a.fence().cmp(&b.fence()).then_with(|| a.hash.cmp(&b.hash)));
        names
    }
}

/// The last block that the index has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// Where it is.
    pub(super) found: Found,
    /// Its hash.
    pub(super) hash: B256,
}

/// All segments.
#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    genesis: B256,
    list: RwLock<Vec<Arc<Segment>>>,
}

impl Segments {
    /// Opens those in the folder `dir` of the chain with this genesis hash, and gives the code in them.
    pub(super) fn open(dir: &Path, genesis: B256) -> Result<(Self, Vec<(B256, Bytes)>), StoreError> {
        let (mut list, mut codes, mut next) = (Vec::new(), Vec::new(), 1);
        for (first, last, path) in files(dir)? {
            if first == next
                && let Some((segment, made)) = Segment::open(&path)?
                && (segment.head().genesis, segment.head().first, segment.head().last) == (genesis, first, last)
            {
                list.push(Arc::new(segment));
                codes.extend(made);
                next = last + 1;
            } else {
                // What was merged is deleted without a word.
                if last >= next {
                    tracing::warn!("{} is not this chain's, not whole or behind a gap: made again", path.display());
                }
                fs::remove_file(&path).map_err(io_error(&path))?;
            }
        }
        sync_folder(dir)?;
        Ok((Self { dir: dir.to_owned(), genesis, list: RwLock::new(list) }, codes))
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// That the folder is not as it was left.
    pub(super) fn damaged(&self, what: String) -> StoreError {
        StoreError::DamagedIndex { path: self.dir.clone(), what }
    }

    /// How often the names of each were merged, the oldest first.
    #[cfg(test)]
    pub(super) fn levels(&self) -> Vec<u8> {
        self.list.read().iter().map(|segment| segment.head().level).collect()
    }

    /// The last block.
    pub(super) fn last(&self) -> Result<Option<Last>, StoreError> {
        let list = self.list.read();
        let Some(segment) = list.last() else { return Ok(None) };
        let Head { last: height, hash, .. } = *segment.head();
        Ok(Some(Last { found: Found { height, at: segment.frame(height)? }, hash }))
    }

    /// Where the frame of this block begins in the log, if it is here.
    pub(super) fn frame(&self, height: u64) -> Result<Option<u64>, StoreError> {
        let list = self.list.read();
        let segment = list.get(list.partition_point(|segment| segment.head().last < height)).cloned();
        drop(list);
        segment.filter(|segment| segment.head().first <= height).map(|segment| segment.frame(height)).transpose()
    }

    /// What the hash names. The newest blocks are asked for most, and looked at first.
    pub(super) fn find(&self, hash: &B256) -> Result<Option<Place>, StoreError> {
        let list = self.list.read().clone();
        list.iter().rev().find_map(|segment| segment.find(hash).transpose()).transpose()
    }

    /// Makes a segment of `batch`, which follows on those that are here; it is durable when this returns.
    pub(super) fn add(&self, batch: &Batch) -> Result<(), StoreError> {
        let Some(above) = (batch.frames.len() as u64).checked_sub(1) else { return Ok(()) };
        let codes = batch.codes();
        let head = Head {
            genesis: self.genesis,
            first: batch.first,
            last: batch.first + above,
            hash: batch.hash,
            level: 0,
            names: batch.names.len() as u64,
            codes: codes.len() as u64,
        };
        let mut writer = Writer::new(&self.dir, &head)?;
        for name in batch.names() {
            writer.name(&name)?;
        }
        writer.end_of_names()?;
        for (height, at) in (batch.first..).zip(&batch.frames) {
            writer.bytes(&segment::frame(height, *at))?;
        }
        writer.bytes(&codes)?;
        let segment = writer.finish(&self.dir)?;
        self.list.write().push(Arc::new(segment));
        Ok(())
    }

    /// Merges segments if there are as many of one level, below `levels`, as make one of the next; whether there were. Gives up when
    /// it is to `stop`.
    pub(super) fn merge(&self, levels: u8, stop: &AtomicBool) -> Result<bool, StoreError> {
        let Some((begin, inputs)) = due(&self.list.read(), levels) else { return Ok(false) };
        let (Some(oldest), Some(newest)) = (inputs.first(), inputs.last()) else { return Ok(false) };
        let head = Head {
            first: oldest.head().first,
            level: newest.head().level.saturating_add(1),
            names: inputs.iter().map(|segment| segment.head().names).sum(),
            codes: inputs.iter().map(|segment| segment.head().codes).sum(),
            ..*newest.head()
        };
        let mut writer = Writer::new(&self.dir, &head)?;
        if !merge_names(&inputs, &mut writer, stop)? {
            return Ok(false);
        }
        for part in [Part::Frames, Part::Codes] {
            inputs.iter().try_for_each(|segment| segment.copy(part, &mut writer.file))?;
        }
        let merged = writer.finish(&self.dir)?;
        // Segments are only added at the end meanwhile.
        self.list.write().splice(begin..begin + inputs.len(), [Arc::new(merged)]);
        inputs.iter().try_for_each(|segment| segment.remove())?;
        sync_folder(&self.dir)?;
        Ok(true)
    }
}

/// The files of segments in `dir`, by the heights in their names: what begins first, and of those what ends last. What was being
/// written is deleted.
fn files(dir: &Path) -> Result<Vec<(u64, u64, PathBuf)>, StoreError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error(dir))? {
        let path = entry.map_err(io_error(dir))?.path();
        if path.extension().is_some_and(|extension| extension == NEW) {
            fs::remove_file(&path).map_err(io_error(&path))?;
        } else if let Some((first, last)) = path.file_name().and_then(|name| segment::heights(name.to_str()?)) {
            files.push((first, last, path));
        }
    }
    files.sort_by_key(|(first, last, _)| (*first, u64::MAX - last));
    Ok(files)
}

/// The first of the segments of one level, below `levels`, that are to be merged, the newest level first, and where they stand.
/// Levels do not rise from old to new.
fn due(list: &[Arc<Segment>], levels: u8) -> Option<(usize, Vec<Arc<Segment>>)> {
    let mut end = list.len();
    for run in list.chunk_by(|a, b| a.head().level == b.head().level).rev() {
        let begin = end - run.len();
        if run.first().is_none_or(|segment| segment.head().level >= levels) {
            break;
        }
        if let Some(inputs) = run.get(..limits::INDEX_MERGED) {
            return Some((begin, inputs.to_vec()));
        }
        end = begin;
    }
    None
}

/// Writes the names of all `inputs`, in order; `false` if it was to stop.
fn merge_names(inputs: &[Arc<Segment>], writer: &mut Writer, stop: &AtomicBool) -> Result<bool, StoreError> {
    let mut names = inputs.iter().map(|segment| segment.names()).collect::<Result<Vec<Names<'_>>, StoreError>>()?;
    let mut heads: Vec<Option<Name>> = names.iter().map(Names::current).collect();
    loop {
        let ahead = heads.iter().enumerate().filter_map(|(input, name)| Some((input, name.as_ref()?)));
        let Some((input, name)) = ahead.min_by(|(_, a), (_, b)| a.hash.cmp(&b.hash)) else { break };
        writer.name(name)?;
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if let (Some(names), Some(head)) = (names.get_mut(input), heads.get_mut(input)) {
            names.advance()?;
            *head = names.current();
        }
    }
    writer.end_of_names()?;
    Ok(true)
}
