//! The blocks under way: from a header, over its manifest and its tasks, to a verified block, in order.
//!
//! Manifests and tasks of several blocks are fetched and checked at once; a block counts as verified when all blocks below it
//! are, and only then is it attested.

use super::{
    Event, FoundFault, Summary, VerifiedBlock, VerifyError, VerifyOptions,
    attester::Attester,
    client::{Client, ClientError},
    follow::{Follower, Start},
    pool::{Job, Note, Permits, Pool},
    task::{Block, Checker, Codes},
};
use crate::limits;
use alloy_primitives::{B256, Bytes};
use ocelli_core::{
    attestation::TaskSet,
    block::verify_block,
    certificate::{Certificate, CertifiedBlock},
    evidence::{Claim, Evidence},
    genesis::ChainConfig,
    header::{Header, SignedHeader},
    limits::COLLECTOR_BLOCKS,
    manifest::Manifest,
    merkle::Frontier,
    refusal::Refusal,
    typed_data::SigningDomain,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Instant,
};

/// Verifies the chain after `start`.
pub(super) fn verify(
    options: VerifyOptions,
    client: Arc<Client>,
    config: ChainConfig,
    start: Start,
    head: u64,
    events: &mut dyn FnMut(Event),
) -> Result<Summary, VerifyError> {
    let over = Arc::new(AtomicBool::new(false));
    let (sender, notes) = mpsc::sync_channel(limits::VERIFY_QUEUE);
    let workers = options.worker_count();
    let to = options.to.or(options.once.then_some(head));
    let checker = Checker {
        client: client.clone(),
        config: config.clone(),
        codes: Codes::default(),
        cores: Permits::new(workers),
    };
    let threads = workers.saturating_mul(limits::VERIFY_FETCHES_A_WORKER);
    let pool = Pool::start(threads, checker, &sender, &over, to.is_none())?;
    let room = Arc::new(Permits::new(limits::VERIFY_BLOCKS));
    let follower = Follower {
        client: client.clone(),
        config: config.clone(),
        last: (start.header.height, start.header.hash()),
        room: room.clone(),
        notes: sender,
        over: over.clone(),
    };
    thread::Builder::new()
        .name("follow".into())
        .spawn(move || follower.run())
        .map_err(|_| VerifyError::Options("the system gives no more threads"))?;
    let mut window = Window::new(options, client, config, start, to, pool, room);
    let result = window.run(&notes, events);
    // Threads end when they next look, or when they have something to tell and nobody listens.
    over.store(true, Ordering::Relaxed);
    result
}

/// A block under way.
#[derive(Debug)]
struct UnderWay {
    signed: SignedHeader,
    hash: B256,
    manifest: Option<Manifest>,
    checking: Option<Checking>,
}

/// A block whose tasks are being checked.
#[derive(Debug)]
struct Checking {
    block: Arc<Block>,
    share: TaskSet,
    left: u32,
    bytes: u64,
}

struct Window {
    options: VerifyOptions,
    client: Arc<Client>,
    config: ChainConfig,
    domain: SigningDomain,
    to: Option<u64>,
    pool: Arc<Pool>,
    room: Arc<Permits>,
    /// The last block whose header and manifest hold, and its log of ancestors.
    parent: Header,
    ancestors: Frontier,
    /// Blocks above the last verified one, by height.
    under_way: BTreeMap<u64, UnderWay>,
    /// Signed headers that were passed, to recognise a second one.
    seen: BTreeMap<u64, SignedHeader>,
    /// The height up to which blocks are certified, or were taken on trust.
    certified: u64,
    /// Verified blocks above it.
    verified: BTreeMap<u64, CertifiedBlock>,
    /// Certificates that wait for their blocks to be verified, or for those before them.
    certificates: VecDeque<Certificate>,
    /// The height of which a certificate was asked for, until one came that made it certified.
    asked: Option<u64>,
    attester: Option<Attester>,
    /// Attestations that were not answered yet.
    unanswered: usize,
    announced: u32,
    summary: Summary,
    began: Instant,
}

impl Window {
    fn new(
        options: VerifyOptions,
        client: Arc<Client>,
        config: ChainConfig,
        start: Start,
        to: Option<u64>,
        pool: Arc<Pool>,
        room: Arc<Permits>,
    ) -> Self {
        let attester = options.key.clone().map(|key| Attester::new(key, &config, options.attest_every));
        let domain = SigningDomain::new(config.params.chain_id, &config.genesis_hash());
        let summary = Summary { height: start.header.height, hash: start.header.hash(), ..Summary::default() };
        Self {
            options,
            client,
            config,
            domain,
            to,
            pool,
            room,
            certified: start.header.height,
            parent: start.header,
            ancestors: start.ancestors,
            under_way: BTreeMap::new(),
            seen: BTreeMap::new(),
            verified: BTreeMap::new(),
            certificates: VecDeque::new(),
            asked: None,
            attester,
            unanswered: 0,
            announced: 0,
            summary,
            began: Instant::now(),
        }
    }

    fn run(&mut self, notes: &Receiver<Note>, events: &mut dyn FnMut(Event)) -> Result<Summary, VerifyError> {
        while !self.is_done() {
            match notes.recv_timeout(limits::VERIFY_TICK) {
                Ok(note) => self.take(note, events)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.attest(Attester::next);
        }
        self.say_goodbye(notes, events)?;
        self.summary.elapsed = self.began.elapsed();
        Ok(self.summary)
    }

    fn is_done(&self) -> bool {
        self.options.stop.load(Ordering::Relaxed) || self.to.is_some_and(|to| self.summary.height >= to)
    }

    /// Says what is left to say, and waits for the answers.
    fn say_goodbye(&mut self, notes: &Receiver<Note>, events: &mut dyn FnMut(Event)) -> Result<(), VerifyError> {
        self.attest(Attester::now);
        let until = Instant::now() + limits::VERIFY_GOODBYE;
        while self.unanswered > 0 {
            let Ok(note) = notes.recv_timeout(until.saturating_duration_since(Instant::now())) else { return Ok(()) };
            if matches!(note, Note::Answered(..) | Note::Faulty(..)) {
                self.take(note, events)?;
            }
        }
        Ok(())
    }

    fn attest(&mut self, next: impl Fn(&mut Attester) -> Option<(u64, Vec<u8>)>) {
        while let Some((height, body)) = self.attester.as_mut().and_then(&next) {
            self.unanswered += 1;
            self.pool.add(Job::Attestation(height, body));
        }
    }

    fn take(&mut self, note: Note, events: &mut dyn FnMut(Event)) -> Result<(), VerifyError> {
        match note {
            Note::Connected => {
                if let Some(attester) = &mut self.attester {
                    attester.reconnected();
                }
                events(Event::Connected);
            }
            Note::Disconnected(reason, retry) => events(Event::Disconnected { reason, retry }),
            Note::Header(signed) => self.header(signed, events),
            Note::OtherHeader(signed) => self.other_header(signed)?,
            Note::Manifest(height, manifest) => {
                if let Some(block) = self.under_way.get_mut(&height) {
                    block.manifest = Some(manifest);
                }
                self.begin_checks()?;
                self.finish_blocks(events);
            }
            Note::Valid(height, bytes) => {
                self.valid(height, bytes);
                self.finish_blocks(events);
            }
            Note::Faulty(evidence, announced) => return Err(self.faulty(&evidence, announced)),
            Note::Withheld(height, what, reason) => {
                if self.to.is_some() {
                    return Err(VerifyError::Withheld { height, what, reason });
                }
                events(Event::Withheld { height, what, reason });
            }
            Note::NotKept(height, what, reason) => return Err(VerifyError::NotKept { height, what, reason }),
            Note::Certificate(bytes) => self.certificate(&bytes, events),
            Note::Asked(certificate) => self.joining(certificate, events),
            Note::FaultAnnounced(hash) => self.fault_announced(hash),
            Note::Answered(height, answer) => self.answered(height, answer, events),
            Note::Fatal(error) => return Err(error),
        }
        Ok(())
    }

    fn header(&mut self, signed: SignedHeader, events: &mut dyn FnMut(Event)) {
        let height = signed.header.height;
        if self.to.is_some_and(|to| height > to) {
            return;
        }
        events(Event::Sealed { height });
        self.seen.insert(height, signed.clone());
        if self.seen.len() > limits::VERIFY_HEADERS_KEPT {
            self.seen.pop_first();
        }
        self.pool.add(Job::Manifest(Box::new(signed.clone())));
        let hash = signed.header.hash();
        self.under_way.insert(height, UnderWay { signed, hash, manifest: None, checking: None });
    }

    /// A header of a height that was passed: the same again, or a second one, which may be evidence.
    fn other_header(&mut self, other: SignedHeader) -> Result<(), VerifyError> {
        let height = other.header.height;
        let Some(ours) = self.seen.get(&height).filter(|ours| ours.header != other.header) else { return Ok(()) };
        let (our_hash, theirs) = (ours.header.hash(), other.header.hash());
        let evidence =
            Evidence { signed: ours.clone(), manifest: Manifest::default(), claim: Claim::Equivocation { other } };
        if evidence.check(&self.config).is_ok() {
            return Err(self.faulty(&evidence, false));
        }
        Err(VerifyError::Replaced { height, ours: our_hash, theirs })
    }

    /// Checks headers and manifests as far as they have come, in order, and has their tasks checked.
    fn begin_checks(&mut self) -> Result<(), VerifyError> {
        loop {
            let height = self.parent.height + 1;
            let Some(next) = self.under_way.get_mut(&height) else { return Ok(()) };
            let Some(manifest) = next.manifest.take() else { return Ok(()) };
            let before = self.ancestors.clone();
            let verdict = verify_block(&self.config, &self.parent, &mut self.ancestors, &next.signed, &manifest);
            let block = Arc::new(Block { signed: next.signed.clone(), hash: next.hash, manifest });
            match verdict {
                Ok(()) => {}
                Err(Refusal::Fault(_)) => {
                    let claim = Claim::Block { parent: self.parent.clone(), ancestors: before };
                    return Err(self.faulty(&block.evidence(claim), false));
                }
                // Header, parent and manifest were put together here and belong together.
                Err(Refusal::NotCommitted(reason)) => {
                    return Err(VerifyError::Begin { height, reason: reason.to_string() });
                }
            }
            let mut share = TaskSet::default();
            for task in (0..block.manifest.task_count()).filter(|task| self.options.share.includes(height, *task)) {
                // A manifest has no more tasks than a set holds.
                if share.insert(task).is_ok() {
                    self.pool.add(Job::Task(block.clone(), task));
                }
            }
            self.parent = block.signed.header.clone();
            next.checking = Some(Checking { left: share.len(), share, block, bytes: 0 });
        }
    }

    fn valid(&mut self, height: u64, bytes: u64) {
        if let Some(checking) = self.under_way.get_mut(&height).and_then(|block| block.checking.as_mut()) {
            checking.left = checking.left.saturating_sub(1);
            checking.bytes += bytes;
        }
    }

    /// Takes note of the blocks that are verified now: those whose tasks are all checked, from the lowest on.
    fn finish_blocks(&mut self, events: &mut dyn FnMut(Event)) {
        while let Some(first) = self.under_way.first_entry()
            && first.get().checking.as_ref().is_some_and(|checking| checking.left == 0)
        {
            let Some(checking) = first.remove().checking else { return };
            self.finish(checking, events);
            self.room.release();
            if self.is_done() {
                return;
            }
        }
    }

    fn finish(&mut self, Checking { block, share, bytes, .. }: Checking, events: &mut dyn FnMut(Event)) {
        let (header, manifest) = (&block.signed.header, &block.manifest);
        let verified = VerifiedBlock {
            height: header.height,
            hash: block.hash,
            tasks: manifest.task_count(),
            checked: share.len(),
            transactions: manifest.rows.iter().map(|row| u64::from(row.tx_count)).sum(),
            gas: header.gas_used,
            bytes,
        };
        self.count(&verified);
        let (height, term, hash, time_ms) = (header.height, header.term, block.hash, header.time_ms);
        self.verified.insert(height, CertifiedBlock { height, term, hash, time_ms, tasks: verified.tasks });
        if self.verified.len() > COLLECTOR_BLOCKS {
            self.verified.pop_first();
        }
        if let Some(attester) = &mut self.attester {
            attester.verified(header, block.hash, share);
        }
        events(Event::Verified(verified));
        self.check_certificates(events);
    }

    fn count(&mut self, verified: &VerifiedBlock) {
        let summary = &mut self.summary;
        (summary.height, summary.hash) = (verified.height, verified.hash);
        summary.blocks += 1;
        summary.tasks += u64::from(verified.checked);
        summary.transactions += verified.transactions;
        summary.gas = summary.gas.saturating_add(verified.gas);
        summary.bytes += verified.bytes;
    }

    fn certificate(&mut self, bytes: &[u8], events: &mut dyn FnMut(Event)) {
        let Ok(certificate) = Certificate::decode(bytes) else { return };
        if certificate.height <= self.certified {
            return;
        }
        self.certificates.push_back(certificate);
        if self.certificates.len() > limits::VERIFY_CERTIFICATES {
            self.certificates.pop_front();
        }
        self.check_certificates(events);
    }

    /// The answer to what [`Self::ask`] asked for. Without one that joins, the waiting certificate is of no use; the next one
    /// of the stream asks again.
    fn joining(&mut self, certificate: Option<Certificate>, events: &mut dyn FnMut(Event)) {
        match certificate.filter(|found| found.after <= self.certified) {
            Some(found) => self.certificates.push_front(found),
            None => {
                self.asked = None;
                self.certificates.pop_front();
            }
        }
        self.check_certificates(events);
    }

    /// Verifies the certificates for which all blocks are verified. One that does not hold is passed over; what it would have
    /// said, the server is asked for when the next one does not join what is certified.
    fn check_certificates(&mut self, events: &mut dyn FnMut(Event)) {
        while let Some(first) = self.certificates.front().filter(|first| first.top() <= self.summary.height) {
            let certified = self.certified;
            if first.after > certified {
                return self.ask(certified + 1);
            }
            let Some(certificate) = self.certificates.pop_front() else { return };
            let height = certificate.height;
            if self.holds(&certificate) {
                self.certified = height;
                self.summary.certified = height;
                self.asked = None;
                self.verified = self.verified.split_off(&height.saturating_add(1));
                if let Some(attester) = &mut self.attester {
                    attester.certified(height);
                }
                events(Event::Certified { height });
            } else if self.asked == Some(certified + 1) {
                self.asked = None;
                self.certificates.pop_front();
            }
        }
    }

    fn holds(&self, certificate: &Certificate) -> bool {
        let certified = self.certified;
        let above =
            self.verified.range(certified.saturating_add(1)..=certificate.top().max(certified.saturating_add(1)));
        let blocks: Vec<CertifiedBlock> = above.map(|(_, block)| *block).collect();
        let params = self.config.params_at(certificate.height);
        certificate.verify(certified, &params.verifiers, params.redundancy, &self.domain, &blocks).is_ok()
    }

    /// Asks, once, for the certificate that covers the block at `height`: the first one that waits says nothing of it.
    fn ask(&mut self, height: u64) {
        if self.asked != Some(height) {
            self.asked = Some(height);
            self.pool.add(Job::Certificate(height));
        }
    }

    fn fault_announced(&mut self, hash: B256) {
        if self.announced < limits::VERIFY_ANNOUNCED {
            self.announced += 1;
            self.pool.add(Job::Announced(hash));
        }
    }

    fn answered(&mut self, height: u64, answer: Result<(), ClientError>, events: &mut dyn FnMut(Event)) {
        self.unanswered = self.unanswered.saturating_sub(1);
        match answer {
            Ok(()) => {
                self.summary.attestations += 1;
                events(Event::Attested { height });
            }
            // Said again after a new connection, and not lost after all.
            Err(error) if error.is_repetition() => {}
            Err(error) => {
                if let Some(attester) = self.attester.as_mut().filter(|_| error.may_pass()) {
                    attester.not_taken();
                }
                events(Event::AttestationRefused { height, reason: error.to_string() });
            }
        }
    }

    /// Sends the evidence to every server that may not have it, and says what was found.
    fn faulty(&self, evidence: &Evidence, announced: bool) -> VerifyError {
        let (height, hash) = (evidence.signed.header.height, evidence.signed.header.hash());
        // The same check once more, from the evidence alone, as everyone who gets it will do it.
        let fault = match evidence.check(&self.config) {
            Ok(fault) => fault,
            Err(error) => return VerifyError::Begin { height, reason: error.to_string() },
        };
        let bytes = Bytes::from(evidence.encode());
        let servers = if announced { 0 } else { self.client.servers() };
        let submitted = (0..servers).map(|server| {
            let answer = self.client.post_patiently(server, "/v1/evidence", &bytes, || false);
            (self.client.url(server).to_owned(), answer.map_err(|error| error.to_string()))
        });
        let submitted = submitted.collect();
        VerifyError::Fault(Box::new(FoundFault { height, hash, fault, evidence: bytes, announced, submitted }))
    }
}
