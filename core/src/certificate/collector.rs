//! Collecting attestations until they make a certificate.
//!
//! A [`Collector`] follows the chain above the last certified block. What it is told twice changes nothing, in whichever
//! order attestations arrive they make the same votes and the same coverage, and what it keeps is bounded for each verifier
//! and for the chain. A verifier refused with [`VoteError::TooMuch`] has to say it again after the next certificate.
//!
//! Guaranteed: a certificate that it gives verifies with the blocks that it was told of.

use super::{Certificate, CertifiedBlock, Coverage, Rank, VoteError, check_vote, offset};
use crate::{
    attestation::{Attestation, SignedAttestation, TaskSet, Voter},
    limits,
    typed_data::{SigningDomain, TypedData},
    verifiers::VerifierSet,
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use alloy_primitives::{Address, B256};

/// Why a block was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CollectorError {
    /// The block does not follow the last one.
    NotNext {
        /// The height that would.
        expected: u64,
    },
    /// More than [`limits::COLLECTOR_BLOCKS`] wait for a certificate.
    Full,
}

impl core::fmt::Display for CollectorError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotNext { expected } => write!(f, "block {expected} comes next"),
            Self::Full => write!(f, "{} blocks wait for a certificate", limits::COLLECTOR_BLOCKS),
        }
    }
}

impl core::error::Error for CollectorError {}

/// What an attestation added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// Whom it speaks for.
    pub voter: Voter,
    /// Tasks that nobody had listed before.
    pub tasks: u32,
    /// Whether its owner had voted for nothing as high before.
    pub vote: bool,
}

/// A block that waits for a certificate.
#[derive(Clone, Debug)]
struct Tracked {
    block: CertifiedBlock,
    covered: TaskSet,
}

/// An attestation that counts.
#[derive(Clone, Debug)]
struct Kept {
    voter: Voter,
    hash: B256,
    signed: SignedAttestation,
}

impl Kept {
    fn rank(&self) -> Rank {
        (self.voter, self.height(), self.hash)
    }

    const fn height(&self) -> u64 {
        self.signed.attestation.height()
    }
}

/// Collects the attestations of one set of verifiers for the blocks above the last certified one.
#[derive(Clone, Debug)]
pub struct Collector {
    set: VerifierSet,
    domain: SigningDomain,
    certified: u64,
    blocks: VecDeque<Tracked>,
    kept: BTreeMap<Address, Vec<Kept>>,
}

impl Collector {
    /// A collector for the blocks above `certified`.
    pub const fn new(set: VerifierSet, domain: SigningDomain, certified: u64) -> Self {
        Self { set, domain, certified, blocks: VecDeque::new(), kept: BTreeMap::new() }
    }

    /// The height of the last certified block.
    pub const fn certified(&self) -> u64 {
        self.certified
    }

    /// The height of the last block.
    pub fn top(&self) -> u64 {
        self.certified.saturating_add(self.blocks.len() as u64)
    }

    /// Takes the next block of the chain.
    ///
    /// # Errors
    /// [`CollectorError`]; the collector is then as it was before.
    pub fn push(&mut self, block: CertifiedBlock) -> Result<(), CollectorError> {
        let expected = self.top().checked_add(1).ok_or(CollectorError::Full)?;
        if block.height != expected {
            return Err(CollectorError::NotNext { expected });
        }
        if self.blocks.len() >= limits::COLLECTOR_BLOCKS {
            return Err(CollectorError::Full);
        }
        self.blocks.push_back(Tracked { block, covered: TaskSet::default() });
        Ok(())
    }

    /// Forgets the blocks above `height`, which a higher term replaces, and all that was attested of them. Certified blocks
    /// cannot be replaced.
    pub fn truncate(&mut self, height: u64) {
        self.blocks.truncate(usize::try_from(height.saturating_sub(self.certified)).unwrap_or(usize::MAX));
        let top = self.top();
        self.retain(|kept| kept.height() <= top);
        let mut covered = Coverage::new(self.certified, self.blocks.len());
        for kept in self.kept.values().flatten() {
            covered.add(&kept.signed.attestation);
        }
        for (tracked, covered) in self.blocks.iter_mut().zip(covered.blocks) {
            tracked.covered = covered;
        }
    }

    /// Takes note that the blocks up to `height` are certified, and forgets them and the votes for them.
    pub fn advance(&mut self, height: u64) {
        let height = height.min(self.top());
        while self.certified < height && self.blocks.pop_front().is_some() {
            self.certified += 1;
        }
        self.retain(|kept| kept.height() > height);
    }

    fn retain(&mut self, keep: impl Fn(&Kept) -> bool) {
        self.kept.retain(|_, kept| {
            kept.retain(&keep);
            !kept.is_empty()
        });
    }

    fn block(&self, height: u64) -> Option<&Tracked> {
        self.blocks.get(offset(self.certified, height)?)
    }

    /// The tasks of the block at `height` that verifiers have listed; none if the block does not wait for a certificate.
    pub fn coverage(&self, height: u64) -> Option<&TaskSet> {
        self.block(height).map(|tracked| &tracked.covered)
    }

    /// What the votes for the block at `height` or one above it weigh.
    pub fn weight(&self, height: u64) -> u128 {
        self.highest_votes().filter(|(voted, _)| *voted >= height).map(|(_, weight)| u128::from(weight)).sum()
    }

    /// For each owner that voted, the height of its highest vote and its weight.
    fn highest_votes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.kept.iter().filter_map(|(owner, kept)| {
            let highest = kept.iter().map(Kept::height).max()?;
            Some((highest, self.set.weight(owner)))
        })
    }

    /// Takes an attestation.
    ///
    /// # Errors
    /// [`VoteError`]; the collector is then as it was before.
    pub fn add(&mut self, signed: SignedAttestation) -> Result<Added, VoteError> {
        let attestation = &signed.attestation;
        let voted = check_vote(self.certified, |height| self.block(height).map(|tracked| &tracked.block), attestation)?;
        let voter = signed.verify(&self.domain, voted.time_ms).map_err(VoteError::Attestation)?;
        if self.set.weight(&voter.owner) == 0 {
            return Err(VoteError::NotRegistered(voter.owner));
        }
        let kept = self.kept.get(&voter.owner).map_or(&[][..], Vec::as_slice);
        let vote = kept.iter().all(|kept| kept.height() < attestation.height());
        if !vote && self.is_known(kept, attestation) {
            return Err(VoteError::NothingNew);
        }
        self.keep(voter, signed).map(|tasks| Added { voter, tasks, vote })
    }

    /// Whether every task that `attestation` lists is listed among `kept`.
    fn is_known(&self, kept: &[Kept], attestation: &Attestation) -> bool {
        waiting(self.certified, attestation).all(|(height, tasks)| {
            let mut known = TaskSet::default();
            kept.iter()
                .filter_map(|kept| kept.signed.attestation.tasks_at(height))
                .for_each(|tasks| known.union(tasks));
            tasks.is_subset(&known)
        })
    }

    /// Keeps an attestation, in the place of those votes of its owner for the same header that it says all of, and returns
    /// how many tasks nobody had listed before. Votes for lower headers stay: they outlive a higher one that is replaced.
    fn keep(&mut self, voter: Voter, signed: SignedAttestation) -> Result<u32, VoteError> {
        let attestation = &signed.attestation;
        let certified = self.certified;
        let stays = |old: &Kept| {
            let covers =
                |(height, tasks): (u64, &TaskSet)| attestation.tasks_at(height).is_some_and(|new| tasks.is_subset(new));
            old.height() != attestation.height() || !waiting(certified, &old.signed.attestation).all(covers)
        };
        let kept = self.kept.get(&voter.owner).map_or(&[][..], Vec::as_slice).iter().filter(|old| stays(old));
        let sum =
            |(count, bytes): (usize, usize), old: &Kept| (count + 1, bytes + old.signed.attestation.tasks_length());
        let (count, bytes) = kept.fold((1, attestation.tasks_length()), sum);
        if count > limits::COLLECTOR_ATTESTATIONS || bytes > limits::COLLECTOR_TASKS_BYTES {
            return Err(VoteError::TooMuch);
        }
        let added = self.cover(attestation);
        let kept = self.kept.entry(voter.owner).or_default();
        kept.retain(stays);
        kept.push(Kept { voter, hash: attestation.struct_hash(), signed });
        Ok(added)
    }

    fn cover(&mut self, attestation: &Attestation) -> u32 {
        let mut added = 0;
        for listed in attestation.tasks() {
            let at = offset(self.certified, listed.height);
            if let Some(tracked) = at.and_then(|at| self.blocks.get_mut(at)) {
                let before = tracked.covered.len();
                tracked.covered.union(&listed.tasks);
                added += tracked.covered.len() - before;
            }
        }
        added
    }

    /// The height up to which blocks can be certified; that of the last certified one if no block can.
    pub fn certifiable(&self) -> u64 {
        let is_covered = |tracked: &&Tracked| tracked.covered.first_missing(tracked.block.tasks).is_none();
        let covered = self.certified.saturating_add(self.blocks.iter().take_while(is_covered).count() as u64);
        if covered == self.certified { covered } else { covered.min(self.voted()) }
    }

    /// The greatest height that a quorum voted for or above; that of the last certified one if there is none.
    fn voted(&self) -> u64 {
        let mut votes: Vec<(u64, u64)> = self.highest_votes().collect();
        votes.sort_unstable_by_key(|(height, _)| core::cmp::Reverse(*height));
        let mut weight = 0_u128;
        for (height, share) in votes {
            weight += u128::from(share);
            if self.set.is_quorum(weight) {
                return height;
            }
        }
        self.certified
    }

    /// A certificate for the greatest height that can be certified, if any block can.
    ///
    /// It takes the votes that weigh most, and of the rest what adds coverage. None too if that is more than a certificate
    /// may hold. This walks over all that is kept, so it is for once in a while, not for each attestation.
    pub fn certificate(&self) -> Option<Certificate> {
        let height = self.certifiable();
        let last = self.block(height)?.block;
        let mut covered = Coverage::new(self.certified, offset(self.certified, height)? + 1);
        let mut chosen: BTreeMap<Rank, &Kept> = BTreeMap::new();
        for kept in self.heaviest_votes(height) {
            covered.add(&kept.signed.attestation);
            chosen.insert(kept.rank(), kept);
        }
        for kept in self.kept.values().flatten() {
            if covered.add(&kept.signed.attestation) {
                chosen.insert(kept.rank(), kept);
            }
        }
        let certificate = Certificate {
            after: self.certified,
            height,
            term: last.term,
            header: last.hash,
            attestations: chosen.into_values().map(|kept| kept.signed.clone()).collect(),
        };
        let fits = certificate.attestations.len() <= limits::CERTIFICATE_ATTESTATIONS
            && certificate.encode().len() <= limits::CERTIFICATE_BYTES;
        fits.then_some(certificate)
    }

    /// For as many owners as make a quorum, the heaviest first, its lowest vote for `height` or above: the lower, the fewer
    /// headers it takes to verify.
    fn heaviest_votes(&self, height: u64) -> Vec<&Kept> {
        let votes = self.kept.iter().filter_map(|(owner, kept)| {
            let lowest = kept.iter().filter(|kept| kept.height() >= height).min_by_key(|kept| kept.height())?;
            Some((self.set.weight(owner), lowest))
        });
        let mut votes: Vec<(u64, &Kept)> = votes.collect();
        votes.sort_by_key(|(weight, _)| core::cmp::Reverse(*weight));
        let mut weight = 0_u128;
        let mut taken = Vec::new();
        for (share, kept) in votes {
            if self.set.is_quorum(weight) {
                break;
            }
            weight += u128::from(share);
            taken.push(kept);
        }
        taken
    }
}

/// The lists of `attestation` for blocks above `certified`.
fn waiting(certified: u64, attestation: &Attestation) -> impl Iterator<Item = (u64, &TaskSet)> {
    let lists = attestation.tasks().iter().map(|listed| (listed.height, &listed.tasks));
    lists.filter(move |(height, _)| *height > certified)
}
