//! Evidence: what proves a fault to anyone, alone.
//!
//! Evidence names nothing but what the sequencer signed and what that commits to, and a check that everyone can repeat. To
//! check it is to run that check again; only a fault makes it evidence. A body that was altered on the way ends in *not
//! committed* and so can never be evidence against an honest block.

use crate::{
    block::{BlockFault, verify_block},
    column::{ColumnFault, verify_column},
    evm::Env,
    genesis::ChainConfig,
    hash::keccak256,
    header::{Header, SignedHeader},
    limits,
    manifest::Manifest,
    merkle::Frontier,
    refusal::{NotCommitted, Refusal},
    row::{RowFault, RowTask, verify_row},
    wire::{self, WireError},
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

/// What is claimed to be wrong, with what it takes to see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// A row.
    Row {
        /// Its index.
        index: u32,
        /// Its body and cells.
        task: RowTask,
        /// The code that it asks for, in any order; at most [`limits::ROW_CODES`].
        #[serde(deserialize_with = "wire::at_most::<{ limits::ROW_CODES }, _, _>")]
        codes: Vec<Bytes>,
    },
    /// A column.
    Column {
        /// Its index.
        index: u32,
        /// Its encoded body.
        body: Bytes,
    },
    /// The header or the manifest.
    Block {
        /// The parent.
        parent: Header,
        /// The parent's log of ancestors.
        ancestors: Frontier,
    },
    /// A second header of the same height and term.
    Equivocation {
        /// The other header.
        other: SignedHeader,
    },
}

/// A claim against a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The block's signed header.
    pub signed: SignedHeader,
    /// The block's manifest.
    pub manifest: Manifest,
    /// What is wrong.
    pub claim: Claim,
}

/// Why a committed block is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A row is.
    Row {
        /// Its index.
        index: u32,
        /// How.
        fault: RowFault,
    },
    /// A column is.
    Column {
        /// Its index.
        index: u32,
        /// How.
        fault: ColumnFault,
    },
    /// The header or the manifest is.
    Block(BlockFault),
    /// The sequencer signed two headers of one height and term.
    Equivocation,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Row { index, fault } => write!(f, "row {index}: {fault:?}"),
            Self::Column { index, fault } => write!(f, "column {index}: {fault:?}"),
            Self::Block(fault) => write!(f, "block: {fault:?}"),
            Self::Equivocation => f.write_str("two headers of one height and term"),
        }
    }
}

/// Why something is not evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotEvidence {
    /// Not encoded evidence.
    Wire(WireError),
    /// It does not belong to what the sequencer of this chain signed.
    NotCommitted(NotCommitted),
    /// The check finds nothing wrong.
    NoFault,
}

impl core::fmt::Display for NotEvidence {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "not evidence: {error}"),
            Self::NotCommitted(reason) => write!(f, "says nothing about the block: {reason}"),
            Self::NoFault => f.write_str("the check finds nothing wrong"),
        }
    }
}

impl core::error::Error for NotEvidence {}

impl Evidence {
    /// Decodes evidence of at most [`limits::EVIDENCE_BYTES`].
    ///
    /// # Errors
    /// [`NotEvidence::Wire`].
    pub fn decode(bytes: &[u8]) -> Result<Self, NotEvidence> {
        wire::decode(bytes, limits::EVIDENCE_BYTES).map_err(NotEvidence::Wire)
    }

    /// The transport encoding.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Runs the check that the claim names.
    ///
    /// # Errors
    /// [`NotEvidence`] if it does not end in a fault.
    pub fn check(&self, config: &ChainConfig) -> Result<Fault, NotEvidence> {
        let header = &self.signed.header;
        self.check_signed(config)?;
        let env = Env::of(config, header);
        match &self.claim {
            Claim::Row { index, task, codes } => {
                // Each is hashed once, however many the body asks for: evidence may come from anyone.
                let codes: BTreeMap<B256, &Bytes> = codes.iter().map(|code| (keccak256(code), code)).collect();
                let code = |hash: &_| codes.get(hash).map(|code| Bytes::clone(code));
                let fault = |fault| Fault::Row { index: *index, fault };
                proven(verify_row(&env, &self.manifest, *index as usize, task, code), fault)
            }
            Claim::Column { index, body } => {
                let fault = |fault| Fault::Column { index: *index, fault };
                proven(verify_column(&env, &self.manifest, *index as usize, body), fault)
            }
            Claim::Block { parent, ancestors } => {
                let mut ancestors = ancestors.clone();
                proven(verify_block(config, parent, &mut ancestors, &self.signed, &self.manifest), Fault::Block)
            }
            Claim::Equivocation { other } => self.check_equivocation(config, other),
        }
    }

    fn check_signed(&self, config: &ChainConfig) -> Result<(), NotEvidence> {
        let header = &self.signed.header;
        if header.genesis != config.genesis_hash() {
            return Err(NotEvidence::NotCommitted(NotCommitted::OtherChain));
        }
        if self.signed.signer() != Ok(config.params_at(header.height).sequencer) {
            return Err(NotEvidence::NotCommitted(NotCommitted::NotSigned));
        }
        let equivocation = matches!(self.claim, Claim::Equivocation { .. });
        if !equivocation && self.manifest.root() != header.manifest_root {
            return Err(NotEvidence::NotCommitted(NotCommitted::Manifest));
        }
        Ok(())
    }

    fn check_equivocation(&self, config: &ChainConfig, other: &SignedHeader) -> Result<Fault, NotEvidence> {
        let (one, two) = (&self.signed.header, &other.header);
        if two.genesis != one.genesis {
            return Err(NotEvidence::NotCommitted(NotCommitted::OtherChain));
        }
        if other.signer() != Ok(config.params_at(two.height).sequencer) {
            return Err(NotEvidence::NotCommitted(NotCommitted::NotSigned));
        }
        if (one.height, one.term) == (two.height, two.term) && one.hash() != two.hash() {
            Ok(Fault::Equivocation)
        } else {
            Err(NotEvidence::NoFault)
        }
    }
}

fn proven<T, F>(result: Result<T, Refusal<F>>, fault: impl FnOnce(F) -> Fault) -> Result<Fault, NotEvidence> {
    match result {
        Ok(_) => Err(NotEvidence::NoFault),
        Err(Refusal::Fault(found)) => Ok(fault(found)),
        Err(Refusal::NotCommitted(reason)) => Err(NotEvidence::NotCommitted(reason)),
    }
}
