//! The index: what blocks are asked for by, in segments in the folder `index`.
//!
//! All of it follows from the log, so it may lag behind the log: blocks gather in memory, from which they are found, until they are
//! as many as make a segment ([`limits::INDEX_NAMES`], [`limits::INDEX_BLOCKS`]); a thread of its own writes that. Who appends
//! waits for it only when the next segment's blocks are there too. Another thread merges segments. Closing writes what has
//! gathered; after a crash it is read from the log again.

use super::{
    Place,
    error::StoreError,
    folder::io_error,
    segment::Name,
    segments::{Batch, Entry, Segments},
};
use crate::limits;
use alloy_primitives::B256;
use parking_lot::{Condvar, Mutex};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

/// Blocks that are in no segment yet.
#[derive(Debug, Default)]
struct Ahead {
    gathering: Batch,
    /// What is being written.
    writing: Option<Arc<Batch>>,
    /// No more blocks come.
    closing: bool,
    /// Why nothing more is written.
    failure: Option<String>,
}

impl Ahead {
    /// Hands over what has gathered, if that is to be written and nothing else is.
    fn turn(&mut self) {
        let due = self.gathering.is_full() || self.closing && !self.gathering.is_empty();
        if due && self.writing.is_none() {
            self.writing = Some(Arc::new(std::mem::take(&mut self.gathering)));
        }
    }

    fn must_wait(&self) -> bool {
        self.gathering.is_full() && self.writing.is_some() && self.failure.is_none()
    }

    fn batches(&self) -> impl Iterator<Item = &Batch> {
        [&self.gathering].into_iter().chain(self.writing.as_deref())
    }
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    segments: Segments,
    ahead: Mutex<Ahead>,
    /// Something in `ahead` changed that somebody may wait for.
    changed: Condvar,
    stop: AtomicBool,
}

/// The open index.
#[derive(Debug)]
pub(super) struct Index {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Index {
    /// Goes on with `segments`, which have all blocks of the log.
    pub(super) fn new(segments: Segments) -> Result<Self, StoreError> {
        let (ahead, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { segments, ahead, changed, stop: AtomicBool::new(false) });
        // One message is enough: it says that there is something to look at, as there may be now.
        let (written, to_merge) = sync_channel(1);
        let _ = written.try_send(());
        let mut index = Self { shared: shared.clone(), threads: Vec::new() };
        index.spawn("index", {
            let shared = shared.clone();
            move || shared.write(&written)
        })?;
        index.spawn("index-merge", move || shared.merge(&to_merge))?;
        Ok(index)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
        self.threads.push(thread.map_err(io_error(self.shared.segments.dir()))?);
        Ok(())
    }

    /// Whether blocks are taken.
    ///
    /// # Errors
    /// [`StoreError::IndexStopped`], which is for good.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let failure = self.shared.ahead.lock().failure.clone();
        failure.map_or(Ok(()), |why| Err(self.stopped(why)))
    }

    fn stopped(&self, why: String) -> StoreError {
        StoreError::IndexStopped { path: self.shared.segments.dir().to_owned(), why }
    }

    /// Takes a block that the log has. From now on it is found.
    pub(super) fn take(&self, entry: Entry) -> Result<(), StoreError> {
        let mut ahead = self.shared.ahead.lock();
        self.shared.changed.wait_while(&mut ahead, |ahead| ahead.must_wait());
        if let Some(why) = ahead.failure.clone() {
            return Err(self.stopped(why));
        }
        ahead.gathering.add(entry);
        ahead.turn();
        drop(ahead);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Where the frame of this block begins in the log.
    pub(super) fn frame(&self, height: u64) -> Result<Option<u64>, StoreError> {
        let ahead = self.shared.ahead.lock().batches().find_map(|batch| batch.frame(height));
        ahead.map_or_else(|| self.shared.segments.frame(height), |at| Ok(Some(at)))
    }

    /// The height of the block with this hash.
    pub(super) fn height_of(&self, hash: &B256) -> Result<Option<u64>, StoreError> {
        let place = self.find(hash)?;
        Ok(place.filter(|place| place.row == Name::BLOCK).map(|place| place.height))
    }

    /// Where the transaction with this hash is.
    pub(super) fn place_of(&self, transaction: &B256) -> Result<Option<Place>, StoreError> {
        Ok(self.find(transaction)?.filter(|place| place.row != Name::BLOCK))
    }

    fn find(&self, hash: &B256) -> Result<Option<Place>, StoreError> {
        let ahead = self.shared.ahead.lock().batches().find_map(|batch| batch.find(hash));
        ahead.map_or_else(|| self.shared.segments.find(hash), |place| Ok(Some(place)))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.shared.ahead.lock().closing = true;
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Writes segments until no more blocks come.
    fn write(&self, written: &SyncSender<()>) {
        // However this ends, nobody waits for it any more.
        let _told = Ended(self);
        while let Some(batch) = self.next() {
            let started = Instant::now();
            if let Err(error) = self.add(&batch) {
                self.ahead.lock().failure = Some(error.to_string());
                return;
            }
            metrics::histogram!("ocelli_store_index_seconds").record(started.elapsed().as_secs_f64());
            self.ahead.lock().writing = None;
            self.changed.notify_all();
            let _ = written.try_send(());
        }
    }

    /// Writes a segment. What fails may pass (no file could be opened, no room on the disk), so it is tried some times; meanwhile
    /// the blocks are found in memory.
    fn add(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            let Err(error) = self.segments.add(batch) else { return Ok(()) };
            tracing::error!(%error, tries, of = limits::INDEX_TRIES, "the index cannot be written");
            if tries == limits::INDEX_TRIES || self.stop.load(Ordering::Relaxed) {
                return Err(error);
            }
            tries += 1;
            thread::sleep(limits::INDEX_TRIED_AGAIN);
        }
    }

    /// What is to be written next; `None` when no more comes.
    fn next(&self) -> Option<Arc<Batch>> {
        let mut ahead = self.ahead.lock();
        ahead.turn();
        self.changed.wait_while(&mut ahead, |ahead| {
            ahead.turn();
            ahead.writing.is_none() && !ahead.closing
        });
        ahead.writing.clone()
    }

    /// Merges segments until no more are written. Looking into more of them than need be is slower, and nothing else: so what
    /// fails is told, counted, and tried again when twice as many as the last time were written.
    fn merge(&self, written: &Receiver<()>) {
        let (mut pass, mut failures) = (0_u32, 0_u32);
        while written.recv().is_ok() {
            if pass > 0 {
                pass -= 1;
                continue;
            }
            let merged = loop {
                match self.segments.merge(u8::MAX, &self.stop) {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            if let Err(error) = merged {
                tracing::error!(%error, "segments of the index cannot be merged");
                metrics::counter!("ocelli_store_merge_failures_total").increment(1);
                (pass, failures) = ((1 << failures) - 1, (failures + 1).min(limits::INDEX_TRIES));
            } else {
                failures = 0;
            }
        }
    }
}

/// Says that no more segments are written, when it is dropped.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ahead.lock().failure.get_or_insert_with(|| "the thread that writes it ended".to_owned());
        self.0.changed.notify_all();
    }
}
