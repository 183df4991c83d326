//! Threads that fetch and check, and what they are given to do.

use super::{
    VerifyError, backoff, check_evidence,
    client::ClientError,
    task::{Block, Checked, Checker, Unchecked},
};
use crate::{clock::now_ms, limits};
use alloy_primitives::B256;
use ocelli_core::{
    certificate::Certificate,
    evidence::Evidence,
    header::{Header, SignedHeader},
    manifest::Manifest,
};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::Duration,
};

/// Something that takes a network or a core.
#[derive(Debug)]
pub(super) enum Job {
    /// Fetch a block's manifest.
    Manifest(Box<SignedHeader>),
    /// Fetch and check a task.
    Task(Arc<Block>, u32),
    /// Send an attestation for the header at this height.
    Attestation(u64, Vec<u8>),
    /// Fetch and check evidence that was announced.
    Announced(B256),
    /// Fetch the certificate that covers the block at this height.
    Certificate(u64),
}

/// What the window is told.
#[derive(Debug)]
pub(super) enum Note {
    /// The stream is open.
    Connected,
    /// The stream was closed.
    Disconnected(String, Duration),
    /// The next header of the chain, linked to the one before and signed.
    Header(SignedHeader),
    /// A second header of a height that was passed.
    OtherHeader(SignedHeader),
    /// A certificate came, encoded.
    Certificate(Vec<u8>),
    /// The certificate that was asked for, if it can be had.
    Asked(Option<Certificate>),
    /// A fault was announced.
    FaultAnnounced(B256),
    /// The manifest of the block at this height.
    Manifest(u64, Manifest),
    /// A task of the block at this height is valid; the bytes of its body.
    Valid(u64, u64),
    /// A block is wrong. Whether somebody else found out first.
    Faulty(Box<Evidence>, bool),
    /// Something of the block at this height cannot be had.
    Withheld(u64, String, String),
    /// Something of the block at this height is kept by none of the servers any more.
    NotKept(u64, String, String),
    /// An attestation was answered.
    Answered(u64, Result<(), ClientError>),
    /// Nothing can go on.
    Fatal(VerifyError),
}

/// A counting semaphore.
#[derive(Debug)]
pub(super) struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Permits {
    pub(super) const fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Runs `work` when there is a permit.
    pub(super) fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut free = self.free.lock();
        while *free == 0 {
            self.freed.wait(&mut free);
        }
        *free -= 1;
        drop(free);
        let done = work();
        self.release();
        done
    }

    /// Takes a permit, if there is one within `wait`.
    pub(super) fn take_within(&self, wait: Duration) -> bool {
        let mut free = self.free.lock();
        if *free == 0 {
            self.freed.wait_for(&mut free, wait);
        }
        let taken = *free > 0;
        *free -= usize::from(taken);
        taken
    }

    /// Gives a permit back.
    pub(super) fn release(&self) {
        *self.free.lock() += 1;
        self.freed.notify_one();
    }
}

/// Jobs, in the order in which they are to be done.
#[derive(Debug)]
pub(super) struct Pool {
    jobs: Mutex<VecDeque<Job>>,
    added: Condvar,
    /// Set when the run is over: nobody looks at answers any more.
    over: Arc<AtomicBool>,
    /// Whether who cannot get something is to go on asking.
    patient: bool,
}

impl Pool {
    /// Starts `threads` threads that report to `notes`.
    pub(super) fn start(
        threads: usize,
        checker: Checker,
        notes: &SyncSender<Note>,
        over: &Arc<AtomicBool>,
        patient: bool,
    ) -> Result<Arc<Self>, VerifyError> {
        let pool = Arc::new(Self { jobs: Mutex::default(), added: Condvar::new(), over: over.clone(), patient });
        let checker = Arc::new(checker);
        for _ in 0..threads {
            let (pool, checker, notes) = (pool.clone(), checker.clone(), notes.clone());
            thread::Builder::new()
                .name("verify".into())
                .spawn(move || pool.work(&checker, &notes))
                .map_err(|_| VerifyError::Options("the system does not give as many threads; ask for fewer workers"))?;
        }
        Ok(pool)
    }

    pub(super) fn add(&self, job: Job) {
        self.jobs.lock().push_back(job);
        self.added.notify_one();
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            if self.is_over() {
                return None;
            }
            if let Some(job) = jobs.pop_front() {
                return Some(job);
            }
            self.added.wait_for(&mut jobs, limits::VERIFY_TICK);
        }
    }

    fn work(&self, checker: &Checker, notes: &SyncSender<Note>) {
        while let Some(job) = self.next() {
            let note = match job {
                Job::Manifest(signed) => self.fetch_manifest(checker, notes, &signed),
                Job::Task(block, task) => self.check(checker, notes, &block, task),
                Job::Attestation(height, body) => {
                    let sent = checker.client.post_patiently(0, "/v1/attestations", &body, || self.is_over());
                    Some(Note::Answered(height, sent))
                }
                Job::Announced(hash) => announced(checker, &hash),
                Job::Certificate(height) => Some(Note::Asked(checker.client.certificate(height).ok())),
            };
            // Nobody listening means that the run is over.
            if note.is_some_and(|note| notes.send(note).is_err()) {
                return;
            }
        }
    }

    /// Asks for something of the block with this header, each time another of so many servers, until there is something, none of
    /// them keeps it any more, or the run is over.
    fn insist<T>(
        &self,
        notes: &SyncSender<Note>,
        servers: usize,
        (header, what): (&Header, &dyn Fn() -> String),
        ask: impl Fn(usize) -> Result<T, Unchecked>,
    ) -> Option<T> {
        let (height, mut tries, mut not_kept) = (header.height, 0_u32, 0);
        while !self.is_over() {
            let error = match ask(tries as usize) {
                Ok(found) => return Some(found),
                Err(error) => error,
            };
            not_kept = if error.is_not_kept() { not_kept + 1 } else { 0 };
            if not_kept >= servers && may_be_gone(header.time_ms, now_ms()) {
                // Nobody listening means that the run is over.
                let _ = notes.send(Note::NotKept(height, what(), error.to_string()));
                return None;
            }
            tries = tries.saturating_add(1);
            if tries.is_multiple_of(limits::VERIFY_TRIES) {
                let withheld = Note::Withheld(height, what(), error.to_string());
                if notes.send(withheld).is_err() || !self.patient {
                    return None;
                }
            }
            thread::sleep(backoff(tries));
        }
        None
    }

    fn fetch_manifest(&self, checker: &Checker, notes: &SyncSender<Note>, signed: &SignedHeader) -> Option<Note> {
        let (height, hash) = (signed.header.height, signed.header.hash());
        let manifest =
            self.insist(notes, checker.client.servers(), (&signed.header, &|| "its manifest".to_owned()), |server| {
                let manifest = checker.client.document(server, &hash)?.manifest;
                if manifest.root() != signed.header.manifest_root {
                    return Err(ocelli_core::refusal::NotCommitted::Manifest.into());
                }
                Ok(manifest)
            })?;
        Some(Note::Manifest(height, manifest))
    }

    fn check(&self, checker: &Checker, notes: &SyncSender<Note>, block: &Block, task: u32) -> Option<Note> {
        let name = || block.name(task);
        let (servers, of) = (checker.client.servers(), (&block.signed.header, &name as &dyn Fn() -> String));
        let checked = self.insist(notes, servers, of, |server| checker.check(block, task, server))?;
        Some(match checked {
            Checked::Valid { bytes } => Note::Valid(block.height(), bytes),
            Checked::Faulty(evidence) => Note::Faulty(evidence, false),
        })
    }
}

/// Whether bodies of a block that was sealed then may be kept no more by now.
fn may_be_gone(sealed_ms: u64, now_ms: u64) -> bool {
    u128::from(now_ms.saturating_sub(sealed_ms)) >= limits::VERIFY_NOT_KEPT.as_millis()
}

/// Looks at evidence that somebody else brought. It counts only if it is some.
fn announced(checker: &Checker, hash: &B256) -> Option<Note> {
    let bytes = checker.client.evidence(hash).ok()?;
    let (evidence, _) = checker.cores.with(|| check_evidence(&checker.config, &bytes)).ok()?;
    Some(Note::Faulty(Box::new(evidence), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_old_block_may_be_kept_no_more() {
        let age = limits::VERIFY_NOT_KEPT.as_millis() as u64;
        assert!(may_be_gone(1_000, 1_000 + age));
        assert!(!may_be_gone(1_000, 999 + age));
        assert!(!may_be_gone(2_000, 1_000), "clocks differ");
    }
}
