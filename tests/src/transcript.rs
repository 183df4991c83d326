//! Transcripts: blocks with all that their checks are given, and how each check ends here, so that the core built for another
//! machine can be asked the same and has to say the same.
//!
//! `tests/verdicts` replays every transcript in [`folder`] with the modules that a browser gets, in Node and in Chromium. Of
//! equal bytes a transcript keeps one copy: blobs are cut into chunks, and what a lie leaves alone is the honest block's.
//!
//! ```text
//! transcript   "OCSCRIPT" ‖ u32 version (1) ‖ u32 length ‖ index ‖ chunk…            integers little-endian
//! index        JSON: { blobs: [[length, chunk…]…], cases: [case…] }                  a chunk is 512 bytes, the last of a
//!                                                                                    blob is filled up with zeros
//! case         { name, height, config: blob, parent: blob, document: blob, codes: { hash: blob… }, block: answer,
//!                tasks: [{ kind: "row" | "column", index, bytes: blob, answer }…] }
//! answer       { verdict, evidence? }     in words; what evidence of a fault proves, when it is checked by itself
//! ```
//!
//! `config`, `parent` and `document` are what a verifier opens a block with; `bytes` are a row's encoded task or a column's
//! encoded body. A document that does not decode has a verdict that says so, and no tasks.

use crate::{
    chain::TestBlock,
    verdicts::{Check, Verdict, claim, in_words, verdict},
};
use alloy_primitives::B256;
use ocelli_core::{
    evidence::Evidence,
    limits,
    message::BlockDocument,
    refusal::Refusal,
    row::RowTask,
    wire::{self, WireError},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::PathBuf,
};

const MAGIC: &[u8; 8] = b"OCSCRIPT";
const VERSION: u32 = 1;
const CHUNK: usize = 512;

/// Blocks, what their checks are given, and how they end.
#[derive(Debug, Default)]
pub struct Transcript {
    blobs: Blobs,
    cases: Vec<Case>,
}

/// A blob, by its number.
type Blob = u32;

#[derive(Debug, Serialize)]
struct Case {
    name: String,
    height: u64,
    config: Blob,
    parent: Blob,
    document: Blob,
    codes: BTreeMap<B256, Blob>,
    block: Answer,
    tasks: Vec<Task>,
}

#[derive(Debug, Serialize)]
struct Task {
    kind: TaskKind,
    index: usize,
    bytes: Blob,
    answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum TaskKind {
    Row,
    Column,
}

#[derive(Debug, Serialize)]
struct Answer {
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
}

#[derive(Serialize)]
struct Index<'a> {
    blobs: &'a [Vec<u32>],
    cases: &'a [Case],
}

impl Transcript {
    /// Adds every check of `block`. Cases of one name are one test of whoever replays them.
    pub fn add(&mut self, name: &str, block: &TestBlock) {
        let manifest = &block.assembled.manifest;
        let rows = (0..manifest.rows.len()).map(Check::Row);
        let columns = (0..manifest.columns.len()).map(Check::Column);
        self.add_checks(name, block, rows.chain(columns));
    }

    /// Adds the block rules and these of the other checks of `block`.
    pub fn add_checks(&mut self, name: &str, block: &TestBlock, checks: impl IntoIterator<Item = Check>) {
        let document = wire::encode(&BlockDocument {
            signed: block.signed.clone(),
            parent_ancestors: block.parent_ancestors.clone(),
            manifest: block.assembled.manifest.clone(),
        });
        let opens: Result<BlockDocument, WireError> = wire::decode(&document, limits::BLOCK_DOCUMENT_BYTES);
        let (answer, tasks) = match opens {
            Ok(_) => {
                (answer(block, Check::Block), checks.into_iter().filter_map(|check| self.task(block, check)).collect())
            }
            Err(error) => (Answer::thrown(&format!("not an encoded block document: {error}")), Vec::new()),
        };
        self.cases.push(Case {
            name: name.into(),
            height: block.parent.height + 1,
            config: self.blobs.add(&wire::encode(&block.config)),
            parent: self.blobs.add(&wire::encode(&block.parent)),
            document: self.blobs.add(&document),
            codes: block.codes.iter().map(|(hash, code)| (*hash, self.blobs.add(code))).collect(),
            block: answer,
            tasks,
        });
    }

    /// `None` for the block rules, which are not a task.
    fn task(&mut self, block: &TestBlock, check: Check) -> Option<Task> {
        let (kind, index, bytes) = match check {
            Check::Block => return None,
            Check::Row(index) => {
                // A body that cannot be had is sent as none.
                let nothing = RowTask { body: Default::default(), cells: Vec::new() };
                (TaskKind::Row, index, wire::encode(&block.assembled.row_task(index).unwrap_or(nothing)).into())
            }
            Check::Column(index) => {
                (TaskKind::Column, index, block.assembled.column_bodies.get(index).cloned().unwrap_or_default())
            }
        };
        Some(Task { kind, index, bytes: self.blobs.add(&bytes), answer: answer(block, check) })
    }

    /// How many checks it holds.
    pub fn checks(&self) -> usize {
        self.cases.iter().map(|case| 1 + case.tasks.len()).sum()
    }

    /// The transcript as a file holds it.
    pub fn encode(&self) -> Vec<u8> {
        let index = serde_json::to_vec(&Index { blobs: &self.blobs.chunks_of, cases: &self.cases })
            .expect("strings, numbers and lists of them");
        let length = u32::try_from(index.len()).expect("an index of less than 4 GiB").to_le_bytes();
        [&MAGIC[..], &VERSION.to_le_bytes(), &length, &index, &self.blobs.chunks].concat()
    }

    /// Writes it to [`folder`] as `name`.transcript, where it will be replayed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, name: &str) -> io::Result<PathBuf> {
        fs::create_dir_all(folder())?;
        let path = folder().join(format!("{name}.transcript"));
        fs::write(&path, self.encode())?;
        Ok(path)
    }
}

/// Where transcripts are looked for: `target/transcripts`, or what `OCELLI_TRANSCRIPTS` names.
pub fn folder() -> PathBuf {
    std::env::var_os("OCELLI_TRANSCRIPTS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/transcripts")), PathBuf::from)
}

fn answer(block: &TestBlock, check: Check) -> Answer {
    let verdict = verdict(block, check);
    Answer { evidence: proves(block, check, &verdict), verdict: in_words(&verdict) }
}

/// What evidence of a fault proves to whoever is sent it.
fn proves(block: &TestBlock, check: Check, verdict: &Verdict) -> Option<String> {
    let Err(Refusal::Fault(_)) = verdict else { return None };
    let evidence = block.evidence(claim(block, check)?).encode();
    Some(match Evidence::decode(&evidence).and_then(|evidence| evidence.check(&block.config)) {
        Ok(fault) => fault.to_string(),
        Err(reason) => reason.to_string(),
    })
}

impl Answer {
    fn thrown(error: &str) -> Self {
        Self { verdict: format!("thrown: {error}"), evidence: None }
    }
}

/// Byte strings, equal ones kept once.
#[derive(Debug, Default)]
struct Blobs {
    numbers: HashMap<Vec<u32>, Blob>,
    /// For each blob its length, then its chunks.
    chunks_of: Vec<Vec<u32>>,
    chunk_numbers: HashMap<[u8; CHUNK], u32>,
    chunks: Vec<u8>,
}

impl Blobs {
    fn add(&mut self, bytes: &[u8]) -> Blob {
        let mut blob = vec![u32::try_from(bytes.len()).expect("no input of a check is as long as 4 GiB")];
        for part in bytes.chunks(CHUNK) {
            let mut chunk = [0; CHUNK];
            chunk[..part.len()].copy_from_slice(part);
            blob.push(self.add_chunk(chunk));
        }
        let next = self.chunks_of.len() as Blob;
        *self.numbers.entry(blob).or_insert_with_key(|blob| {
            self.chunks_of.push(blob.clone());
            next
        })
    }

    fn add_chunk(&mut self, chunk: [u8; CHUNK]) -> u32 {
        let next = self.chunk_numbers.len() as u32;
        *self.chunk_numbers.entry(chunk).or_insert_with(|| {
            self.chunks.extend(chunk);
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chain::TestChain, wallet::Wallet};

    #[test]
    fn what_is_there_already_takes_no_room() {
        let mut wallet = Wallet::new(1);
        let transfer = wallet.transfer(wallet.address(), 1);
        let block = TestChain::new([&wallet]).block(&[&[transfer]]);
        let mut transcript = Transcript::default();
        transcript.add("once", &block);
        let (checks, chunks) = (transcript.checks(), transcript.blobs.chunks.len());
        transcript.add("twice", &block);
        assert_eq!((transcript.checks(), transcript.blobs.chunks.len()), (2 * checks, chunks));
        assert_eq!(transcript.blobs.add(&[0; 3 * CHUNK]), transcript.blobs.add(&[0; 3 * CHUNK]));
        assert_ne!(transcript.blobs.add(&[0; CHUNK]), transcript.blobs.add(&[0; CHUNK - 1]), "their lengths differ");
    }
}
