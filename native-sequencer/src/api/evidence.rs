//! Confirmed evidence: kept by its hash, in memory and, so that a restart does not forget that the chain is faulty, on disk.

use crate::{
    chain::{Chain, ProvenFault},
    limits,
};
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    evidence::{Claim, Evidence, Fault, NotEvidence},
    hash::keccak256,
};
use parking_lot::Mutex;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Of the file that a piece of evidence is in; its name is the evidence's hash.
const EXTENSION: &str = "evidence";

/// What a fault is found in: two pieces of evidence about the same thing are one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    header: B256,
    task: (u8, u32),
}

impl Place {
    fn of(evidence: &Evidence) -> Self {
        let task = match &evidence.claim {
            Claim::Block { .. } => (0, 0),
            Claim::Row { index, .. } => (1, *index),
            Claim::Column { index, .. } => (2, *index),
            Claim::Equivocation { .. } => (3, 0),
        };
        Self { header: evidence.signed.header.hash(), task }
    }
}

#[derive(Debug)]
struct Kept {
    place: Place,
    hash: B256,
    fault: Arc<ProvenFault>,
}

/// What became of evidence that was brought.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// The fault, with the evidence that is kept of it.
    pub fault: Arc<ProvenFault>,
    /// Keccak-256 of that evidence, by which it can be fetched.
    pub hash: B256,
    /// Whether nobody had brought evidence of it before.
    pub is_new: bool,
}

/// Why evidence was not taken.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceBookError {
    /// It proves nothing.
    #[error(transparent)]
    NotEvidence(#[from] NotEvidence),
    /// As many faults as are kept are known already.
    #[error("evidence of {} faults is kept, which is enough", limits::EVIDENCE_KEPT)]
    Full,
    /// A file is not what was written into it.
    #[error(
        "{} is damaged: it proved this chain faulty, or another one that was here before. Restore it from a copy; without one, \
         whoever found the fault can bring the evidence again once the file is moved away",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It could not be written or read.
    #[error("evidence could not be stored: {0}")]
    Io(#[from] io::Error),
}

/// All confirmed evidence of a chain, at most [`limits::EVIDENCE_KEPT`] pieces.
#[derive(Debug)]
pub struct EvidenceBook {
    chain: Arc<Chain>,
    folder: PathBuf,
    kept: Mutex<Vec<Kept>>,
}

impl EvidenceBook {
    /// The evidence in `folder`, which is made if there is none. Each file is checked again, and what it proves is published:
    /// [`Chain::faults`] has it when this returns. Evidence against another chain is left alone.
    ///
    /// # Errors
    /// [`EvidenceBookError::Damaged`] or [`EvidenceBookError::Io`]: a faulty sequencer must not go on because a file that says
    /// so cannot be read.
    pub fn open(folder: &Path, chain: Arc<Chain>) -> Result<Self, EvidenceBookError> {
        fs::create_dir_all(folder)?;
        let book = Self { chain, folder: folder.to_owned(), kept: Mutex::default() };
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let bytes = fs::read(&path)?;
            if path.file_stem().is_none_or(|name| name != keccak256(&bytes).to_string().as_str()) {
                return Err(EvidenceBookError::Damaged { path });
            }
            if let Err(error) = book.confirm_and_keep(&bytes, false) {
                tracing::info!(path = %path.display(), %error, "this file proves nothing about this chain");
            }
        }
        Ok(book)
    }

    /// Checks encoded evidence; if it proves a fault that nobody brought before, stores it and publishes the fault.
    ///
    /// # Errors
    /// [`EvidenceBookError`].
    pub fn confirm(&self, bytes: &[u8]) -> Result<Confirmed, EvidenceBookError> {
        self.confirm_and_keep(bytes, true)
    }

    /// The encoded evidence with this hash.
    pub fn get(&self, hash: &B256) -> Option<Bytes> {
        self.kept.lock().iter().find(|kept| kept.hash == *hash).map(|kept| kept.fault.evidence.clone())
    }

    fn confirm_and_keep(&self, bytes: &[u8], write: bool) -> Result<Confirmed, EvidenceBookError> {
        let evidence = Evidence::decode(bytes)?;
        let place = Place::of(&evidence);
        if let Some(known) = self.known(&place) {
            return Ok(known);
        }
        let fault = evidence.check(self.chain.config())?;
        let hash = keccak256(bytes);
        let proven = proven(&evidence, &fault, bytes);
        let mut kept = self.kept.lock();
        if let Some(known) = kept.iter().find(|kept| kept.place == place) {
            return Ok(Confirmed { fault: known.fault.clone(), hash: known.hash, is_new: false });
        }
        if kept.len() >= limits::EVIDENCE_KEPT {
            return Err(EvidenceBookError::Full);
        }
        if write {
            write_durably(&self.folder, &hash, bytes)?;
        }
        kept.push(Kept { place, hash, fault: proven.clone() });
        drop(kept);
        self.chain.publish_fault(proven.clone());
        Ok(Confirmed { fault: proven, hash, is_new: true })
    }

    fn known(&self, place: &Place) -> Option<Confirmed> {
        let kept = self.kept.lock();
        let known = kept.iter().find(|kept| kept.place == *place)?;
        Some(Confirmed { fault: known.fault.clone(), hash: known.hash, is_new: false })
    }
}

fn proven(evidence: &Evidence, fault: &Fault, bytes: &[u8]) -> Arc<ProvenFault> {
    Arc::new(ProvenFault {
        height: evidence.signed.header.height,
        description: fault.to_string(),
        evidence: Bytes::copy_from_slice(bytes),
    })
}

/// Writes a file that is whole whenever it can be seen under its name.
fn write_durably(folder: &Path, hash: &B256, bytes: &[u8]) -> io::Result<()> {
    let (written, name) = (folder.join(format!("{hash}.partial")), folder.join(format!("{hash}.{EXTENSION}")));
    let mut file = fs::File::create(&written)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    fs::rename(written, name)?;
    fs::File::open(folder)?.sync_all()
}
