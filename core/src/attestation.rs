//! Attestations: a verifier's signed vote for a header and all before it, with the tasks that it checked itself.
//!
//! An [`Attestation`] that exists is in its one form: heights ascend and do not pass the vote's, no list is empty, nothing is
//! longer than its limit. Whom it speaks for, [`SignedAttestation::verify`] finds out: the registered owner, who signed it,
//! or who delegated to the session key that did. Whether that owner is registered is for
//! [`certificate`](crate::certificate) to say.
//!
//! What is signed is EIP-712 typed data. The tasks are one `bytes` member that a contract can parse:
//!
//! ```text
//! tasks  = layout block*           layout: 1 byte, 1
//! block  = height length bitmap    height: 8 bytes, ascending; length: 2 bytes, of the bitmap; both big-endian
//! bitmap                           bit i % 8 (the least is 0) of byte i / 8 is task i; the last byte is not zero
//! ```
//!
//! With sortition, layout 2 will put one work tag of 32 bytes after each bitmap for each of its bits.

mod delegation;
mod task_set;

use crate::{
    limits,
    signature::{self, SecretKey, Signature, SignatureError},
    typed_data::{SigningDomain, StructHash, TypedData},
    wire::{self, WireError},
};
use alloc::vec::Vec;
use alloy_primitives::{Address, B256};
pub use delegation::{Delegation, SignedDelegation};
use serde::{Deserialize, Serialize};
pub use task_set::TaskSet;

/// The layout of a list of tasks without work tags.
const LAYOUT: u8 = 1;

/// Why something is not an attestation, or not one of anybody. Each is the signer's fault, or of whoever altered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttestationError {
    /// A task number or bitmap beyond [`limits::BLOCK_TASKS`].
    NoSuchTask,
    /// A bitmap ends with a zero byte.
    Padded,
    /// More blocks than [`limits::ATTESTATION_BLOCKS`].
    TooManyBlocks,
    /// More bytes of tasks than [`limits::ATTESTATION_TASKS_BYTES`].
    TooLong,
    /// The tasks of the block at this height do not stand after those of a lower one.
    NotAscending(u64),
    /// The block at this height is above the header voted for.
    AboveVote(u64),
    /// No task is listed of the block at this height.
    NoTasks(u64),
    /// No key makes a signature.
    Signature(SignatureError),
    /// Signed by another key than the delegation names.
    OtherSession {
        /// The key that signed.
        found: Address,
    },
    /// The delegation had expired at the time of the header.
    Expired {
        /// When, in Unix seconds.
        expires: u64,
    },
}

impl core::fmt::Display for AttestationError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchTask => write!(f, "no block has that many tasks"),
            Self::Padded => write!(f, "a list of tasks ends with a zero byte"),
            Self::TooManyBlocks => write!(f, "tasks of more than {} blocks", limits::ATTESTATION_BLOCKS),
            Self::TooLong => write!(f, "tasks of more than {} bytes", limits::ATTESTATION_TASKS_BYTES),
            Self::NotAscending(height) => write!(f, "tasks of block {height} are out of order"),
            Self::AboveVote(height) => write!(f, "tasks of block {height}, above the header voted for"),
            Self::NoTasks(height) => write!(f, "an empty list of tasks of block {height}"),
            Self::Signature(error) => error.fmt(f),
            Self::OtherSession { found } => write!(f, "signed by {found}, which the delegation does not name"),
            Self::Expired { expires } => write!(f, "the delegation expired at {expires}"),
        }
    }
}

impl core::error::Error for AttestationError {}

/// The tasks of one block that the signer checked itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockTasks {
    /// The block's height. Which block that is, the header voted for says: it is one of its ancestors, or itself.
    pub height: u64,
    /// The tasks in the order of the block's manifest, rows first.
    pub tasks: TaskSet,
}

/// A vote for a header and everything before it, and the tasks that the voter checked itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Attestation {
    height: u64,
    term: u64,
    #[serde(with = "crate::wire::raw")]
    header: B256,
    tasks: Vec<BlockTasks>,
}

/// The fields of an attestation that nobody has checked yet.
#[derive(Deserialize)]
struct Fields {
    height: u64,
    term: u64,
    #[serde(with = "crate::wire::raw")]
    header: B256,
    #[serde(deserialize_with = "wire::at_most::<{ limits::ATTESTATION_BLOCKS }, _, _>")]
    tasks: Vec<BlockTasks>,
}

impl TryFrom<Fields> for Attestation {
    type Error = AttestationError;

    fn try_from(fields: Fields) -> Result<Self, AttestationError> {
        Self::new(fields.height, fields.term, fields.header, fields.tasks)
    }
}

impl Attestation {
    /// A vote for the header with this height, term and hash; `tasks` are those checked in it and in blocks below it,
    /// strictly ascending by height, those of a block never empty.
    ///
    /// # Errors
    /// [`AttestationError`], by the first rule broken.
    pub fn new(height: u64, term: u64, header: B256, tasks: Vec<BlockTasks>) -> Result<Self, AttestationError> {
        if tasks.len() > limits::ATTESTATION_BLOCKS {
            return Err(AttestationError::TooManyBlocks);
        }
        let mut last = None;
        for block in &tasks {
            if block.tasks.is_empty() {
                return Err(AttestationError::NoTasks(block.height));
            }
            if last.is_some_and(|last| block.height <= last) {
                return Err(AttestationError::NotAscending(block.height));
            }
            if block.height > height {
                return Err(AttestationError::AboveVote(block.height));
            }
            last = Some(block.height);
        }
        let attestation = Self { height, term, header, tasks };
        if attestation.tasks_length() > limits::ATTESTATION_TASKS_BYTES {
            return Err(AttestationError::TooLong);
        }
        Ok(attestation)
    }

    /// The height of the header voted for.
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// The term of the header voted for.
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// The hash of the header voted for.
    pub const fn header(&self) -> B256 {
        self.header
    }

    /// The tasks that the signer checked itself, by block, ascending.
    pub fn tasks(&self) -> &[BlockTasks] {
        &self.tasks
    }

    /// The tasks that the signer checked itself in the block at `height`, if any.
    pub fn tasks_at(&self, height: u64) -> Option<&TaskSet> {
        let at = self.tasks.binary_search_by_key(&height, |block| block.height).ok()?;
        self.tasks.get(at).map(|block| &block.tasks)
    }

    /// The length of [`Self::encoded_tasks`].
    pub(crate) fn tasks_length(&self) -> usize {
        self.tasks.iter().fold(1, |length, block| length + 10 + block.tasks.as_bytes().len())
    }

    /// The tasks as they are signed.
    pub fn encoded_tasks(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.tasks_length());
        bytes.push(LAYOUT);
        for block in &self.tasks {
            let bitmap = block.tasks.as_bytes();
            bytes.extend_from_slice(&block.height.to_be_bytes());
            // A bitmap has at most BLOCK_TASKS / 8 = 2^12 bytes.
            bytes.extend_from_slice(&(bitmap.len() as u16).to_be_bytes());
            bytes.extend_from_slice(bitmap);
        }
        bytes
    }
}

impl TypedData for Attestation {
    const TYPE: &'static str = "Attestation(uint64 height,uint64 term,bytes32 header,bytes tasks)";

    fn struct_hash(&self) -> B256 {
        StructHash::of::<Self>()
            .uint(self.height)
            .uint(self.term)
            .bytes32(&self.header)
            .bytes(&self.encoded_tasks())
            .finish()
    }
}

/// Whose key signed an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signer {
    /// The owner's own.
    Owner,
    /// A session key that the owner delegated to.
    Session(SignedDelegation),
}

/// Whom an attestation speaks for. Owners are ordered before sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voter {
    /// The owner of the vote's weight, if it has any.
    pub owner: Address,
    /// The key that signed: a session's, or the owner's own.
    pub session: Address,
}

/// An attestation with its signature, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAttestation {
    /// What is attested.
    pub attestation: Attestation,
    /// Whose key signed.
    pub signer: Signer,
    /// The signature of the attestation's digest.
    pub signature: Signature,
}

impl SignedAttestation {
    /// Signs `attestation` with the owner's own key.
    pub fn by_owner(attestation: Attestation, key: &SecretKey, domain: &SigningDomain) -> Self {
        let signature = key.sign(&attestation.digest(domain));
        Self { attestation, signer: Signer::Owner, signature }
    }

    /// Signs `attestation` with the session key that `delegation` names.
    pub fn by_session(
        attestation: Attestation,
        delegation: SignedDelegation,
        key: &SecretKey,
        domain: &SigningDomain,
    ) -> Self {
        let signature = key.sign(&attestation.digest(domain));
        Self { attestation, signer: Signer::Session(delegation), signature }
    }

    /// Whom the attestation speaks for; `time_ms` is the time of the header voted for, in Unix milliseconds.
    ///
    /// # Errors
    /// [`AttestationError::Signature`], [`AttestationError::OtherSession`] or [`AttestationError::Expired`].
    pub fn verify(&self, domain: &SigningDomain, time_ms: u64) -> Result<Voter, AttestationError> {
        let mut signed = Vec::with_capacity(2);
        self.append_signed(domain, &mut signed);
        self.voter(&mut signature::recover_many(&signed).into_iter(), time_ms)
    }

    /// Appends the digests signed, with their signatures.
    pub(crate) fn append_signed(&self, domain: &SigningDomain, signed: &mut Vec<(B256, Signature)>) {
        signed.push((self.attestation.digest(domain), self.signature));
        if let Signer::Session(delegation) = &self.signer {
            signed.push((delegation.delegation.digest(domain), delegation.signature));
        }
    }

    /// Whom the attestation speaks for, given who signed what [`Self::append_signed`] appended. It takes as many of
    /// `signers` as were appended, whatever the outcome.
    pub(crate) fn voter(
        &self,
        signers: &mut impl Iterator<Item = Result<Address, SignatureError>>,
        time_ms: u64,
    ) -> Result<Voter, AttestationError> {
        let mut next = || signers.next().unwrap_or(Err(SignatureError::NoKey)).map_err(AttestationError::Signature);
        let signer = next();
        match &self.signer {
            Signer::Owner => signer.map(|owner| Voter { owner, session: owner }),
            Signer::Session(SignedDelegation { delegation, .. }) => {
                let (owner, found) = (next(), signer?);
                if found != delegation.session {
                    return Err(AttestationError::OtherSession { found });
                }
                if !delegation.is_valid_at(time_ms) {
                    return Err(AttestationError::Expired { expires: delegation.expires });
                }
                Ok(Voter { owner: owner?, session: found })
            }
        }
    }

    /// The encoding for transport.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Decodes what [`Self::encode`] encoded.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, limits::ATTESTATION_BYTES)
    }
}
