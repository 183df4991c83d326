//! Certificates: attestations that cover every task of some blocks and carry more than two thirds of all weight.
//!
//! Two things make one. Coverage: every task of every block in the span is listed by as many registered owners as the
//! chain's redundancy says, however many session keys an owner has; this is what finds lies. Votes: owners with more than
//! two thirds of all weight signed the span's last header or one above it; this is what excludes forks within a term. Tasks
//! count, as votes do, only if the header voted for is of the chain at hand: a verifier that checked a task of another block
//! has said nothing of this one.
//!
//! A vote is for everything before it, coverage is not: a certificate says nothing of the blocks below its span. So whoever
//! verifies one says up to where blocks are certified already (or taken on trust, where it began), and a span that does
//! not join that is refused: a block between could be one whose bodies nobody was ever shown. It also brings the chain: the
//! headers from the last certified one up to the highest that was voted for, each already known to be the parent of the next.

mod collector;
mod coverage;

use crate::{
    attestation::{Attestation, AttestationError, SignedAttestation, Voter},
    limits, signature,
    typed_data::{SigningDomain, TypedData},
    verifiers::VerifierSet,
    wire::{self, WireError},
};
use alloc::vec::Vec;
use alloy_primitives::{Address, B256};
pub use collector::{Added, Collector, CollectorError};
use coverage::{Coverage, Listed};
use serde::{Deserialize, Serialize};

/// What a certificate needs to know of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// Its height.
    pub height: u64,
    /// Its term.
    pub term: u64,
    /// Its header's hash.
    pub hash: B256,
    /// Its header's time, in Unix milliseconds.
    pub time_ms: u64,
    /// How many tasks it has: rows and columns.
    pub tasks: u32,
}

/// Why an attestation does not count on the chain at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VoteError {
    /// The attestation is wrong in itself.
    Attestation(AttestationError),
    /// Whom it speaks for is no registered verifier: its finds count, its votes do not.
    NotRegistered(Address),
    /// The header voted for is above all that are known.
    UnknownBlock,
    /// The header voted for is not the one known at its height.
    OtherBlock,
    /// The header voted for has another term than the attestation says.
    OtherTerm,
    /// A task is listed that the block at this height does not have.
    NoSuchTask(u64),
    /// The header voted for is certified already.
    Stale,
    /// The same owner has said all of it before.
    NothingNew,
    /// As much as is kept of one owner is kept of this one already.
    TooMuch,
}

impl core::fmt::Display for VoteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Attestation(error) => error.fmt(f),
            Self::NotRegistered(owner) => write!(f, "{owner} is not a registered verifier, so its vote does not count"),
            Self::UnknownBlock => write!(f, "the header voted for is not known yet"),
            Self::OtherBlock => write!(f, "the header voted for is not of this chain"),
            Self::OtherTerm => write!(f, "the header voted for has another term"),
            Self::NoSuchTask(height) => write!(f, "block {height} has fewer tasks than are listed"),
            Self::Stale => write!(f, "the header voted for is certified already"),
            Self::NothingNew => write!(f, "the same verifier has said all of this before"),
            Self::TooMuch => write!(f, "too many attestations of this verifier are waiting for a certificate"),
        }
    }
}

impl core::error::Error for VoteError {}

/// Why a certificate does not certify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// It spans no block, or none that is not certified already.
    Empty,
    /// Its span does not join the last certified block: nothing is said of the blocks between.
    Gap {
        /// The height of the last certified block.
        certified: u64,
        /// The height below the first block of the span.
        after: u64,
    },
    /// It holds more attestations than [`limits::CERTIFICATE_ATTESTATIONS`].
    TooManyAttestations,
    /// The blocks given do not have this height in its place.
    MissingBlock(u64),
    /// The last block of the span is another one than the certificate names.
    OtherBlock,
    /// The attestation at this index does not count.
    Vote(usize, VoteError),
    /// The attestation at this index does not stand after the one before it.
    NotAscending(usize),
    /// Too few owners list this task.
    NotCovered {
        /// The block's height.
        height: u64,
        /// The first task that too few list.
        task: u32,
    },
    /// The votes for the last header or one above it are not more than two thirds.
    TooFewVotes {
        /// What they weigh.
        weight: u128,
    },
}

impl core::fmt::Display for CertificateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => write!(f, "the certificate spans no block that is not certified already"),
            Self::Gap { certified, after } => {
                write!(f, "it begins after block {after} and says nothing of the blocks above {certified} up to there")
            }
            Self::TooManyAttestations => write!(f, "more than {} attestations", limits::CERTIFICATE_ATTESTATIONS),
            Self::MissingBlock(height) => write!(f, "block {height} is missing"),
            Self::OtherBlock => write!(f, "the certificate is for another block"),
            Self::Vote(at, error) => write!(f, "attestation {at}: {error}"),
            Self::NotAscending(at) => write!(f, "attestation {at} is out of order or there twice"),
            Self::NotCovered { height, task } => write!(f, "too few verifiers checked task {task} of block {height}"),
            Self::TooFewVotes { weight } => write!(f, "votes weigh {weight}, which is not more than two thirds"),
        }
    }
}

impl core::error::Error for CertificateError {}

/// That every task of the blocks in (after, height] was checked, and that they are the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The height below the first block of the span.
    pub after: u64,
    /// The height of the last block of the span.
    pub height: u64,
    /// The last block's term.
    pub term: u64,
    /// The last block's header hash.
    #[serde(with = "crate::wire::raw")]
    pub header: B256,
    /// Attestations of registered verifiers, strictly ascending by owner, session, height and struct hash.
    #[serde(deserialize_with = "wire::at_most::<{ limits::CERTIFICATE_ATTESTATIONS }, _, _>")]
    pub attestations: Vec<SignedAttestation>,
}

/// What attestations of a certificate are ordered by: whose it is, the height voted for, the struct hash.
type Rank = (Voter, u64, B256);

impl Certificate {
    /// The height of the highest header voted for: [`Self::verify`] needs the blocks up to it.
    pub fn top(&self) -> u64 {
        self.attestations.iter().map(|signed| signed.attestation.height()).fold(self.height, u64::max)
    }

    /// Verifies the certificate with the verifiers of the last block's epoch and the chain's redundancy. Up to `certified`
    /// blocks are certified already, or were taken on trust; `blocks` are those of the chain above it, up to [`Self::top`] at
    /// least. If it holds, the blocks up to [`Self::height`] are certified.
    ///
    /// What the certificate says of blocks up to `certified` is not looked at: nobody needs it any more.
    ///
    /// # Errors
    /// [`CertificateError`], by the first rule broken.
    pub fn verify(
        &self,
        certified: u64,
        set: &VerifierSet,
        redundancy: u16,
        domain: &SigningDomain,
        blocks: &[CertifiedBlock],
    ) -> Result<(), CertificateError> {
        if self.after > certified {
            return Err(CertificateError::Gap { certified, after: self.after });
        }
        let chain = Chain::new(certified, blocks)?;
        let span = self.span(&chain)?;
        for (at, signed) in self.above(certified) {
            chain.check(&signed.attestation).map_err(|error| CertificateError::Vote(at, error))?;
        }
        let mut coverage = Coverage::new(certified, span.len(), redundancy);
        let weight = self.count(set, domain, &chain, &mut coverage)?;
        if let Some((height, task)) = coverage.first_missing(span) {
            return Err(CertificateError::NotCovered { height, task });
        }
        if set.is_quorum(weight) { Ok(()) } else { Err(CertificateError::TooFewVotes { weight }) }
    }

    /// The attestations, with their places, but for those for headers above `after` and not above `certified`.
    fn above(&self, certified: u64) -> impl Iterator<Item = (usize, &SignedAttestation)> {
        self.attestations.iter().enumerate().filter(move |(_, signed)| {
            let height = signed.attestation.height();
            height > certified || height <= self.after
        })
    }

    /// The blocks of the span that are not certified.
    fn span<'a>(&self, chain: &Chain<'a>) -> Result<&'a [CertifiedBlock], CertificateError> {
        if self.height <= chain.after {
            return Err(CertificateError::Empty);
        }
        if self.attestations.len() > limits::CERTIFICATE_ATTESTATIONS {
            return Err(CertificateError::TooManyAttestations);
        }
        let missing = CertificateError::MissingBlock(chain.end());
        let length = usize::try_from(self.height - chain.after).map_err(|_| missing)?;
        let span = chain.blocks.get(..length).ok_or(missing)?;
        let last = span.last().ok_or(CertificateError::Empty)?;
        if (last.hash, last.term) == (self.header, self.term) { Ok(span) } else { Err(CertificateError::OtherBlock) }
    }

    /// Checks whose the attestations are and in which order, adds what they cover, and returns what the votes weigh, each
    /// owner counted once.
    fn count(
        &self,
        set: &VerifierSet,
        domain: &SigningDomain,
        chain: &Chain<'_>,
        coverage: &mut Coverage,
    ) -> Result<u128, CertificateError> {
        let mut signed = Vec::with_capacity(2 * self.attestations.len());
        for (_, attestation) in self.above(chain.after) {
            attestation.append_signed(domain, &mut signed);
        }
        let mut signers = signature::recover_many(&signed).into_iter();
        let (mut weight, mut last) = (0_u128, None::<Rank>);
        let (mut listed, mut voted) = (Listed::default(), false);
        for (at, signed) in self.above(chain.after) {
            let rejected = |error| CertificateError::Vote(at, error);
            let attestation = &signed.attestation;
            let time_ms = chain.block(attestation.height()).map_or(u64::MAX, |block| block.time_ms);
            let voter = signed.voter(&mut signers, time_ms).map_err(|error| rejected(VoteError::Attestation(error)))?;
            let share = set.weight(&voter.owner);
            if share == 0 {
                return Err(rejected(VoteError::NotRegistered(voter.owner)));
            }
            let rank = (voter, attestation.height(), attestation.struct_hash());
            if last.is_some_and(|last| rank <= last) {
                return Err(CertificateError::NotAscending(at));
            }
            // Attestations of one owner stand together.
            if last.is_none_or(|(last, ..)| last.owner != voter.owner) {
                (listed, voted) = (Listed::default(), false);
            }
            last = Some(rank);
            coverage.add(&mut listed, attestation);
            if attestation.height() >= self.height && !voted {
                voted = true;
                weight = weight.saturating_add(u128::from(share));
            }
        }
        Ok(weight)
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
        wire::decode(bytes, limits::CERTIFICATE_BYTES)
    }
}

/// Blocks of consecutive heights.
struct Chain<'a> {
    after: u64,
    blocks: &'a [CertifiedBlock],
}

impl<'a> Chain<'a> {
    fn new(after: u64, blocks: &'a [CertifiedBlock]) -> Result<Self, CertificateError> {
        let mut expected = after;
        for block in blocks {
            expected = expected.checked_add(1).ok_or(CertificateError::Empty)?;
            if block.height != expected {
                return Err(CertificateError::MissingBlock(expected));
            }
        }
        Ok(Self { after, blocks })
    }

    /// The height after the last block.
    fn end(&self) -> u64 {
        self.after.saturating_add(self.blocks.len() as u64).saturating_add(1)
    }

    fn block(&self, height: u64) -> Option<&'a CertifiedBlock> {
        self.blocks.get(offset(self.after, height)?)
    }

    fn check(&self, attestation: &Attestation) -> Result<(), VoteError> {
        check_vote(self.after, |height| self.block(height), attestation).map(|_| ())
    }
}

/// The place of the block at `height` among those above `after`.
fn offset(after: u64, height: u64) -> Option<usize> {
    usize::try_from(height.checked_sub(after)?.checked_sub(1)?).ok()
}

/// Checks that `attestation` votes for a header of the chain and lists tasks that its blocks have; those of blocks not
/// above `after` are none of this chain's business. Returns the block voted for.
fn check_vote<'a>(
    after: u64,
    block: impl Fn(u64) -> Option<&'a CertifiedBlock>,
    attestation: &Attestation,
) -> Result<&'a CertifiedBlock, VoteError> {
    if attestation.height() <= after {
        return Err(VoteError::Stale);
    }
    let voted = block(attestation.height()).ok_or(VoteError::UnknownBlock)?;
    if voted.hash != attestation.header() {
        return Err(VoteError::OtherBlock);
    }
    if voted.term != attestation.term() {
        return Err(VoteError::OtherTerm);
    }
    for listed in attestation.tasks() {
        if block(listed.height).is_some_and(|block| listed.tasks.end() > block.tasks) {
            return Err(VoteError::NoSuchTask(listed.height));
        }
    }
    Ok(voted)
}
