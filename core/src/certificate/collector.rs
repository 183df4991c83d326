//! Collecting attestations until they make a certificate.
//!
//! A [`Collector`] follows the chain above the last certified block. What it is told twice changes nothing, in whichever
//! order attestations arrive they make the same votes and the same coverage, and what it keeps is bounded for each verifier
//! and for the chain. A verifier refused with [`VoteError::TooMuch`] has to say it again after the next certificate.
//!
//! Guaranteed: a certificate that it gives verifies with the blocks that it was told of.

use super::{
    Certificate, CertifiedBlock, Rank, VoteError, check_vote,
    coverage::{Coverage, Levels, Listed},
    offset,
};
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
    /// Tasks that too few had listed before, and their owner not.
    pub tasks: u32,
    /// Whether its owner had voted for nothing as high before.
    pub vote: bool,
}

/// A block that waits for a certificate.
#[derive(Clone, Debug)]
struct Tracked {
    block: CertifiedBlock,
    listed: Levels,
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
    redundancy: u16,
    domain: SigningDomain,
    certified: u64,
    blocks: VecDeque<Tracked>,
    kept: BTreeMap<Address, Vec<Kept>>,
}

impl Collector {
    /// A collector for the blocks above `certified`, each task of which as many owners must list as `redundancy` says.
    pub const fn new(set: VerifierSet, redundancy: u16, domain: SigningDomain, certified: u64) -> Self {
        Self { set, redundancy, domain, certified, blocks: VecDeque::new(), kept: BTreeMap::new() }
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
        self.blocks.push_back(Tracked { block, listed: Levels::default() });
        Ok(())
    }

    /// Forgets the blocks above `height`, which a higher term replaces, and all that was attested of them. Certified blocks
    /// cannot be replaced.
    pub fn truncate(&mut self, height: u64) {
        self.blocks.truncate(usize::try_from(height.saturating_sub(self.certified)).unwrap_or(usize::MAX));
        let top = self.top();
        self.retain(|kept| kept.height() <= top);
        let mut coverage = Coverage::new(self.certified, self.blocks.len(), self.redundancy);
        for kept in self.kept.values() {
            let mut listed = Listed::default();
            for kept in kept {
                coverage.add(&mut listed, &kept.signed.attestation);
            }
        }
        for (tracked, listed) in self.blocks.iter_mut().zip(coverage.blocks) {
            tracked.listed = listed;
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

    /// The tasks of the block at `height` that enough owners have listed; none if it does not wait for a certificate.
    pub fn coverage(&self, height: u64) -> Option<&TaskSet> {
        self.block(height).map(|tracked| tracked.listed.covered(self.redundancy))
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
        waiting(self.certified, attestation).all(|(height, tasks)| tasks.is_subset(&listed(kept, height)))
    }

    /// Keeps an attestation, in the place of those votes of its owner for the same header that it says all of, and returns
    /// how many tasks too few had listed before. Votes for lower headers stay: they outlive a higher one that is replaced.
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
        let added = self.cover(&voter.owner, attestation);
        let kept = self.kept.entry(voter.owner).or_default();
        kept.retain(stays);
        kept.push(Kept { voter, hash: attestation.struct_hash(), signed });
        Ok(added)
    }

    fn cover(&mut self, owner: &Address, attestation: &Attestation) -> u32 {
        let kept = self.kept.get(owner).map_or(&[][..], Vec::as_slice);
        let mut added = 0;
        for (height, tasks) in waiting(self.certified, attestation) {
            let at = offset(self.certified, height);
            if let Some(tracked) = at.and_then(|at| self.blocks.get_mut(at)) {
                added += tracked.listed.add(tasks.difference(&listed(kept, height)), self.redundancy);
            }
        }
        added
    }

    /// The height up to which blocks can be certified; that of the last certified one if no block can.
    pub fn certifiable(&self) -> u64 {
        let is_covered =
            |tracked: &&Tracked| tracked.listed.covered(self.redundancy).first_missing(tracked.block.tasks).is_none();
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

    /// A certificate for the greatest height that can be certified, if any block can; for a lower one if what it takes is more
    /// than a certificate may hold.
    ///
    /// This walks over all that is kept, so it is for once in a while, not for each attestation.
    pub fn certificate(&self) -> Option<Certificate> {
        let mut height = self.certifiable();
        while height > self.certified {
            // The lower the votes, the fewer headers it takes to verify; the shorter, the more of them fit.
            let lowest = self.certificate_for(height, |vote| (vote.height(), 0));
            let shortest = || self.certificate_for(height, |vote| (vote.tasks_length() as u64, vote.height()));
            if let Some(fitting) = lowest.filter(fits).or_else(|| shortest().filter(fits)) {
                return Some(fitting);
            }
            height = self.certified + (height - self.certified) / 2;
        }
        None
    }

    /// The certificate for `height`, which can be certified: the votes that weigh most, of each owner the first in `order`, and
    /// of the rest, the longest first, what adds coverage.
    fn certificate_for(&self, height: u64, order: impl Fn(&Attestation) -> (u64, u64)) -> Option<Certificate> {
        let last = self.block(height)?.block;
        let mut coverage = Coverage::new(self.certified, offset(self.certified, height)? + 1, self.redundancy);
        let mut listed: BTreeMap<Address, Listed> = BTreeMap::new();
        let mut chosen: BTreeMap<Rank, &Kept> = BTreeMap::new();
        for kept in self.heaviest_votes(height, order) {
            coverage.add(listed.entry(kept.voter.owner).or_default(), &kept.signed.attestation);
            chosen.insert(kept.rank(), kept);
        }
        let mut rest: Vec<&Kept> = self.kept.values().flatten().collect();
        rest.sort_by_key(|kept| core::cmp::Reverse(kept.signed.attestation.tasks_length()));
        for kept in rest {
            if coverage.add(listed.entry(kept.voter.owner).or_default(), &kept.signed.attestation) {
                chosen.insert(kept.rank(), kept);
            }
        }
        Some(Certificate {
            after: self.certified,
            height,
            term: last.term,
            header: last.hash,
            attestations: chosen.into_values().map(|kept| kept.signed.clone()).collect(),
        })
    }

    /// For as many owners as make a quorum, the heaviest first, its first vote for `height` or above in this `order`.
    fn heaviest_votes(&self, height: u64, order: impl Fn(&Attestation) -> (u64, u64)) -> Vec<&Kept> {
        let votes = self.kept.iter().filter_map(|(owner, kept)| {
            let above = kept.iter().filter(|kept| kept.height() >= height);
            Some((self.set.weight(owner), above.min_by_key(|kept| order(&kept.signed.attestation))?))
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

/// Whether `certificate` is within its limits.
fn fits(certificate: &Certificate) -> bool {
    certificate.attestations.len() <= limits::CERTIFICATE_ATTESTATIONS
        && certificate.encode().len() <= limits::CERTIFICATE_BYTES
}

/// The tasks of the block at `height` that `kept` list.
fn listed(kept: &[Kept], height: u64) -> TaskSet {
    let mut listed = TaskSet::default();
    kept.iter().filter_map(|kept| kept.signed.attestation.tasks_at(height)).for_each(|tasks| listed.union(tasks));
    listed
}

/// The lists of `attestation` for blocks above `certified`.
fn waiting(certified: u64, attestation: &Attestation) -> impl Iterator<Item = (u64, &TaskSet)> {
    let lists = attestation.tasks().iter().map(|listed| (listed.height, &listed.tasks));
    lists.filter(move |(height, _)| *height > certified)
}
