//! What this verifier says of the chain: a vote for the last block that it verified, with the tasks that it checked.
//!
//! What it said counts when a certificate has it. Until then it is kept, and said again when the connection was lost: a
//! sequencer that restarts forgets what was waiting.

use crate::{clock::now_ms, limits};
use alloy_primitives::B256;
use ocelli_core::{
    attestation::{Attestation, BlockTasks, SignedAttestation, TaskSet},
    genesis::ChainConfig,
    header::Header,
    limits::{ATTESTATION_BLOCKS, ATTESTATION_TASKS_BYTES, COLLECTOR_BLOCKS},
    signature::SecretKey,
    typed_data::SigningDomain,
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// A block that was verified.
#[derive(Clone, Debug)]
struct Verified {
    hash: B256,
    term: u64,
    time_ms: u64,
    tasks: TaskSet,
}

/// Attests what was verified, not more often than it is told to.
#[derive(Debug)]
pub(super) struct Attester {
    key: Arc<SecretKey>,
    domain: SigningDomain,
    every: Duration,
    last: Option<Instant>,
    /// Nothing is said before.
    pause: Option<Instant>,
    /// Verified blocks that no certificate covers.
    blocks: BTreeMap<u64, Verified>,
    /// The first of them that nothing was said of since the connection was opened.
    unsaid: u64,
}

impl Attester {
    pub(super) fn new(key: Arc<SecretKey>, config: &ChainConfig, every: Duration) -> Self {
        let domain = SigningDomain::new(config.params.chain_id, &config.genesis_hash());
        Self { key, domain, every, last: None, pause: None, blocks: BTreeMap::new(), unsaid: 0 }
    }

    /// Takes note of a block that holds, and of which `tasks` were checked.
    pub(super) fn verified(&mut self, header: &Header, hash: B256, tasks: TaskSet) {
        let verified = Verified { hash, term: header.term, time_ms: header.time_ms, tasks };
        self.blocks.insert(header.height, verified);
        if self.blocks.len() > COLLECTOR_BLOCKS {
            self.blocks.pop_first();
        }
    }

    /// Takes note that a certificate covers everything up to `height`.
    pub(super) fn certified(&mut self, height: u64) {
        self.blocks = self.blocks.split_off(&height.saturating_add(1));
    }

    /// Takes note that what was said may be forgotten.
    pub(super) fn reconnected(&mut self) {
        (self.unsaid, self.last, self.pause) = (0, None, None);
    }

    /// Takes note that the sequencer was not ready for what was said: it is said again, a little later.
    pub(super) fn not_taken(&mut self) {
        (self.unsaid, self.pause) = (0, Some(Instant::now() + limits::VERIFY_ATTEST_AGAIN));
    }

    /// The next attestation, if it is time for one: the height voted for, and the encoded attestation.
    pub(super) fn next(&mut self) -> Option<(u64, Vec<u8>)> {
        let paused = self.pause.is_some_and(|pause| Instant::now() < pause);
        if paused || self.last.is_some_and(|last| last.elapsed() < self.every) {
            return None;
        }
        let next = self.now();
        // With more blocks to speak of than one attestation holds, the next one follows at once.
        if next.is_none() || self.blocks.range(self.unsaid..).next().is_none() {
            self.last = next.as_ref().map(|_| Instant::now()).or(self.last);
        }
        next
    }

    /// The next attestation, whether or not it is time for one.
    pub(super) fn now(&mut self) -> Option<(u64, Vec<u8>)> {
        let latest = now_ms().saturating_add(limits::VERIFY_CLOCK_AHEAD.as_millis() as u64);
        let (mut tasks, mut bytes) = (Vec::new(), 1);
        let mut top = None;
        for (height, block) in self.blocks.range(self.unsaid..) {
            bytes += 10 + block.tasks.as_bytes().len();
            // A header from the future is not attested before its time comes.
            if tasks.len() >= ATTESTATION_BLOCKS || bytes > ATTESTATION_TASKS_BYTES || block.time_ms > latest {
                break;
            }
            if !block.tasks.is_empty() {
                tasks.push(BlockTasks { height: *height, tasks: block.tasks.clone() });
            }
            top = Some((*height, block));
        }
        let (height, block) = top?;
        // It cannot fail: ascending, none empty, and within both limits.
        let attestation = Attestation::new(height, block.term, block.hash, tasks).ok()?;
        self.unsaid = height + 1;
        Some((height, SignedAttestation::by_owner(attestation, &self.key, &self.domain).encode()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocelli_tests::chain::TestChain;

    fn attester() -> (Attester, ChainConfig) {
        let key = Arc::new(SecretKey::from_bytes(&[1; 32]).expect("a key"));
        let config = TestChain::new([]).config;
        (Attester::new(key, &config, Duration::ZERO), config)
    }

    fn decode(next: Option<(u64, Vec<u8>)>) -> Attestation {
        SignedAttestation::decode(&next.expect("one is due").1).expect("decodes").attestation
    }

    #[test]
    fn what_no_certificate_covers_is_said_again_after_a_new_connection() {
        let (mut attester, config) = attester();
        let header = |height| Header { height, ..config.genesis_header() };
        for height in 1..=3 {
            attester.verified(&header(height), header(height).hash(), TaskSet::all(4));
        }
        let first = decode(attester.next());
        assert_eq!((first.height(), first.tasks().len()), (3, 3));
        assert_eq!(attester.next(), None, "all is said");
        attester.certified(2);
        attester.reconnected();
        let again = decode(attester.next());
        assert_eq!((again.height(), again.tasks().len()), (3, 1));
    }

    #[test]
    fn a_header_from_the_future_is_not_attested() {
        let (mut attester, config) = attester();
        let soon = now_ms() + 60 * 60 * 1_000;
        let header = Header { height: 1, time_ms: soon, ..config.genesis_header() };
        attester.verified(&header, header.hash(), TaskSet::all(4));
        assert_eq!(attester.next(), None);
    }

    #[test]
    fn many_blocks_are_said_in_several_attestations() {
        let (mut attester, config) = attester();
        let blocks = ATTESTATION_BLOCKS as u64 + 10;
        for height in 1..=blocks {
            let header = Header { height, ..config.genesis_header() };
            attester.verified(&header, header.hash(), TaskSet::all(4));
        }
        assert_eq!(decode(attester.next()).height(), ATTESTATION_BLOCKS as u64);
        assert_eq!(decode(attester.next()).height(), blocks);
    }
}
