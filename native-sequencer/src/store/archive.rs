//! A chain, or a part of it, as one file: to move it, to keep it, to check it elsewhere.
//!
//! ```text
//! file    = magic frame*                   magic: "OCELLI" and the format, 2 bytes
//! frame   = kind length payload check      kind: 1 byte; length: 8 bytes, of the payload
//!                                          check: keccak256(kind ‖ length ‖ payload), 32 bytes
//! frames  = config leaves* code* block* end
//! config  1  ChainConfig
//! leaves  2  [StoredLeaf], of the first state, ascending by path
//! code    3  code that the first state refers to
//! block   4  StoredBlock, heights without gaps
//! end     5  height of the last block, 8 bytes
//! ```
//!
//! Integers are big-endian, structures in the core's wire encoding. Because the first state is in it, a file that begins with
//! block 1 can be checked from genesis on with nothing else at hand.

use super::{
    Store, StoreError,
    error::Failure,
    log::Part,
    tables::{self, GENESIS, META, META_CONFIG},
};
use crate::{
    block::{StoredBlock, StoredLeaf},
    limits::STORED_BLOCK_BYTES,
};
use alloy_primitives::{B256, Bytes};
use ocelli_core::{genesis::ChainConfig, hash::keccak256, tree::Tree, value::Value, wire};
use redb::{ReadTransaction, ReadableTable};
use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
};

const MAGIC: [u8; 8] = *b"OCELLI\x00\x06";
const CONFIG: u8 = 1;
const LEAVES: u8 = 2;
const CODE: u8 = 3;
const BLOCK: u8 = 4;
const END: u8 = 5;

/// Leaves in one frame.
const FRAME_LEAVES: usize = 4_096;

/// A file of blocks cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no block with this height to export.
    #[error("there is no block {0}")]
    NoBlock(u64),
    /// Not a file of blocks, or one of another format.
    #[error("not a file of blocks that this release can read")]
    OtherFormat,
    /// The file ends too early.
    #[error("the file is cut short after block {0}")]
    Cut(u64),
    /// The content of a frame does not fit its check, or is no valid content.
    #[error("the file is damaged after block {height}: {what}")]
    Damaged {
        /// The last block that was read.
        height: u64,
        /// What is wrong.
        what: &'static str,
    },
}

impl Store {
    /// Writes blocks `from` to `to`, both included, with what it takes to check them. `progress` is told each height written.
    ///
    /// # Errors
    /// [`ArchiveError`] if a block is not there or the store or `write` fails. What was written before stays written.
    pub fn export(
        &self,
        from: u64,
        to: u64,
        write: impl Write,
        mut progress: impl FnMut(u64),
    ) -> Result<(), ArchiveError> {
        let mut frames = Frames { write };
        frames.write.write_all(&MAGIC)?;
        let (config, leaves) = self.read(read_genesis)?;
        let code = |hash: B256| {
            let what = format!("the code {hash} of its first state was not given");
            self.codes.get(&hash).ok_or_else(|| StoreError::Damaged { path: self.path.clone(), what })
        };
        let codes = codes_of(leaves.iter().map(|leaf| leaf.held().1)).into_iter().map(code);
        let codes = codes.collect::<Result<Vec<_>, _>>()?;
        frames.frame(CONFIG, &config)?;
        for leaves in leaves.chunks(FRAME_LEAVES) {
            frames.frame(LEAVES, &wire::encode(&leaves))?;
        }
        for code in codes {
            frames.frame(CODE, &code.original_bytes())?;
        }
        for height in from..=to {
            let encoded = self.part(height, Part::Block)?;
            frames.frame(BLOCK, &encoded.ok_or(ArchiveError::NoBlock(height))?)?;
            progress(height);
        }
        frames.frame(END, &to.to_be_bytes())?;
        Ok(frames.write.flush()?)
    }
}

/// Writes frames.
struct Frames<W> {
    write: W,
}

impl<W: Write> Frames<W> {
    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 41);
        frame.push(kind);
        frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        frame.extend_from_slice(payload);
        let check = keccak256(&frame);
        frame.extend_from_slice(check.as_slice());
        self.write.write_all(&frame)
    }
}

/// What a chain begins with, as it is stored: its configuration, and the leaves of its first state.
fn read_genesis(transaction: &ReadTransaction) -> Result<(Vec<u8>, Vec<StoredLeaf>), Failure> {
    let config = transaction.open_table(META)?.get(META_CONFIG)?.map(|config| config.value().to_vec());
    let config = config.ok_or_else(|| Failure::Damaged("meta has no config".into()))?;
    let mut leaves = Vec::new();
    for entry in transaction.open_table(GENESIS)?.iter()? {
        leaves.push(tables::decode_leaf(entry?.1.value())?);
    }
    Ok((config, leaves))
}

/// The hashes of the code that accounts have.
fn codes_of(values: impl Iterator<Item = Value>) -> BTreeSet<B256> {
    let hashes = values.filter_map(|value| match value {
        Value::Account(account) => Some(account.code_hash).filter(|hash| !hash.is_zero()),
        Value::Slot(_) => None,
    });
    hashes.collect()
}

/// A file of blocks that is being read: its genesis fits its configuration; its blocks are not checked yet.
#[derive(Debug)]
pub struct Archive<R> {
    read: R,
    /// What names the chain, as the file says. That it is the chain that one expects is for the caller to check.
    pub config: ChainConfig,
    /// The first state.
    pub genesis: Tree,
    /// The code that the first state refers to.
    pub codes: Vec<(B256, Bytes)>,
    /// The frame after those that were read for this.
    next: Option<(u8, Vec<u8>)>,
    /// The last block that was read.
    height: u64,
}

impl<R: Read> Archive<R> {
    /// Reads up to the first block.
    ///
    /// # Errors
    /// [`ArchiveError`] if that is not the beginning of a file of blocks.
    pub fn open(mut read: R) -> Result<Self, ArchiveError> {
        let mut magic = [0; MAGIC.len()];
        read.read_exact(&mut magic).map_err(|error| cut_short(error, ArchiveError::OtherFormat))?;
        if magic != MAGIC {
            return Err(ArchiveError::OtherFormat);
        }
        let damaged = |what| ArchiveError::Damaged { height: 0, what };
        let (CONFIG, config) = read_frame(&mut read, 0)? else { return Err(damaged("no configuration")) };
        let config: ChainConfig = wire::decode(&config, usize::MAX).map_err(|_| damaged("the configuration"))?;
        let (mut genesis, mut codes) = (Tree::new(), Vec::new());
        let next = loop {
            match read_frame(&mut read, 0)? {
                (LEAVES, leaves) => {
                    let leaves: Vec<StoredLeaf> = wire::decode(&leaves, usize::MAX).map_err(|_| damaged("a leaf"))?;
                    genesis.update(StoredLeaf::with_paths(&leaves));
                }
                (CODE, code) => codes.push((keccak256(&code), Bytes::from(code))),
                other => break other,
            }
        };
        if genesis.root() != config.state_root {
            return Err(damaged("the genesis state is not the configuration's"));
        }
        let listed: BTreeSet<B256> = codes.iter().map(|(hash, _)| *hash).collect();
        if listed != codes_of(genesis.iter().map(|leaf| leaf.value)) {
            return Err(damaged("the code is not the genesis state's"));
        }
        Ok(Self { read, config, genesis, codes, next: Some(next), height: 0 })
    }

    /// The next block; `None` after the last one.
    ///
    /// # Errors
    /// [`ArchiveError`] if the file is cut short or damaged there. Blocks before are not affected.
    pub fn next_block(&mut self) -> Result<Option<StoredBlock>, ArchiveError> {
        let damaged = |what| ArchiveError::Damaged { height: self.height, what };
        let frame = match self.next.take() {
            Some(frame) => frame,
            None => read_frame(&mut self.read, self.height)?,
        };
        match frame {
            (BLOCK, encoded) => {
                let stored = StoredBlock::decode(&encoded).map_err(|_| damaged("a block"))?;
                self.height = stored.signed.header.height;
                Ok(Some(stored))
            }
            (END, height) if height == self.height.to_be_bytes() => {
                self.next = Some((END, height));
                Ok(None)
            }
            (END, _) => Err(damaged("blocks are missing")),
            _ => Err(damaged("an unknown part")),
        }
    }
}

fn read_frame(read: &mut impl Read, height: u64) -> Result<(u8, Vec<u8>), ArchiveError> {
    let damaged = |what| ArchiveError::Damaged { height, what };
    let mut head = [0; 9];
    read.read_exact(&mut head).map_err(|error| cut_short(error, ArchiveError::Cut(height)))?;
    let [kind, length @ ..] = head;
    let length = u64::from_be_bytes(length);
    if length > STORED_BLOCK_BYTES as u64 {
        return Err(damaged("a part is longer than any can be"));
    }
    // Grows as it is read: a length alone allocates nothing.
    let mut frame = head.to_vec();
    read.by_ref().take(length).read_to_end(&mut frame)?;
    let mut check = [0; 32];
    read.read_exact(&mut check).map_err(|error| cut_short(error, ArchiveError::Cut(height)))?;
    if keccak256(&frame) != check {
        return Err(damaged("a checksum"));
    }
    frame.drain(..head.len());
    Ok((kind, frame))
}

fn cut_short(error: io::Error, instead: ArchiveError) -> ArchiveError {
    if error.kind() == io::ErrorKind::UnexpectedEof { instead } else { error.into() }
}
