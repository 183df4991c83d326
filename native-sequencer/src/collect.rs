//! Collecting: attestations in, certificates out. One thread owns the core's collector.
//!
//! Guaranteed: a certificate is durable before anyone sees it, and what is published of an attestation was checked by the
//! core. A restart goes on from the newest certificate; attestations that were waiting for the next one are lost, and
//! verifiers, who see that blocks stay without a certificate, attest them again.
//!
//! The collector follows the chain when it needs to: before it looks at an attestation it takes every block up to the head.

use crate::{
    block::SealedBlock,
    chain::{Chain, ReadError},
    limits,
    store::{Store, StoreError},
};
use ocelli_core::{
    attestation::SignedAttestation,
    certificate::{Added, CertifiedBlock, Collector, CollectorError, VoteError},
    params::Params,
    typed_data::SigningDomain,
};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Why an attestation was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not count; the sender's fault.
    #[error("{0}")]
    Vote(VoteError),
    /// Too many wait already.
    #[error("too many attestations are waiting")]
    Busy,
    /// Nothing is collected, because the store failed or the process ends.
    #[error("attestations are not collected at the moment")]
    Stopped,
}

/// Why collecting ended.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A block could not be read.
    #[error("following the chain: {0}")]
    Read(#[from] ReadError),
    /// A certificate could not be made durable. It was not published.
    #[error("storing a certificate: {0}")]
    Store(#[from] StoreError),
}

/// An attestation and who waits to hear what became of it.
type Submission = (SignedAttestation, oneshot::Sender<Result<Added, VoteError>>);

/// The way to the collecting thread.
#[derive(Clone, Debug)]
pub struct Collecting(SyncSender<Submission>);

impl Collecting {
    /// Brings an attestation, and waits until it is taken or refused.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn add(&self, signed: SignedAttestation) -> Result<Added, Refused> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send((signed, answer)).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Stopped,
        })?;
        answered.await.map_err(|_| Refused::Stopped)?.map_err(Refused::Vote)
    }
}

/// Starts collecting for `chain`. The thread ends when the last [`Collecting`] is dropped, or with an error.
///
/// # Errors
/// The thread could not be started.
pub fn start(chain: Arc<Chain>, store: Arc<Store>) -> io::Result<(Collecting, JoinHandle<Result<(), CollectError>>)> {
    let (sender, receiver) = mpsc::sync_channel(limits::ATTESTATION_QUEUE);
    let thread = thread::Builder::new().name("collect".into()).spawn(move || {
        let result = Follower::new(chain, store).run(&receiver);
        if let Err(error) = &result {
            tracing::error!(%error, "attestations are no longer collected");
        }
        result
    })?;
    Ok((Collecting(sender), thread))
}

/// The collector and what it follows.
struct Follower {
    chain: Arc<Chain>,
    store: Arc<Store>,
    collector: Collector,
    last: Option<Instant>,
}

impl Follower {
    fn new(chain: Arc<Chain>, store: Arc<Store>) -> Self {
        let config = chain.config();
        let domain = SigningDomain::new(config.params.chain_id, &config.genesis_hash());
        let Params { verifiers, redundancy, .. } = &config.params;
        let collector = Collector::new(verifiers.clone(), *redundancy, domain, chain.attested_height());
        Self { chain, store, collector, last: None }
    }

    fn run(&mut self, submissions: &Receiver<Submission>) -> Result<(), CollectError> {
        self.follow()?;
        loop {
            match self.wait(submissions) {
                Ok((signed, answer)) => {
                    let result = self.take(signed)?;
                    // Whoever asked may have gone; the attestation counts all the same.
                    let _ = answer.send(result);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.certify()?;
        }
    }

    /// The next attestation. If there is a certificate to be made that is not due yet, waits no longer than until it is.
    fn wait(&self, submissions: &Receiver<Submission>) -> Result<Submission, RecvTimeoutError> {
        if self.collector.certifiable() > self.collector.certified() {
            submissions.recv_timeout(self.until_due())
        } else {
            submissions.recv().map_err(|_| RecvTimeoutError::Disconnected)
        }
    }

    fn until_due(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| limits::CERTIFICATE_INTERVAL.saturating_sub(last.elapsed()))
    }

    /// Takes the blocks up to the head.
    fn follow(&mut self) -> Result<(), CollectError> {
        let head = self.chain.head().header.height;
        while self.collector.top() < head {
            let Some(block) = self.chain.block(self.collector.top() + 1)? else { return Ok(()) };
            match self.collector.push(certified(&block)) {
                Ok(()) => {}
                // The blocks that wait already have to be certified first.
                Err(CollectorError::Full) => return Ok(()),
                Err(error) => {
                    tracing::error!(%error, height = block.header().height, "the collector does not take a block");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, signed: SignedAttestation) -> Result<Result<Added, VoteError>, CollectError> {
        self.follow()?;
        let kept = Arc::new(signed.clone());
        let result = self.collector.add(signed);
        match &result {
            Ok(added) => {
                metrics::counter!("ocelli_attestations_total").increment(1);
                tracing::debug!(owner = %added.voter.owner, height = kept.attestation.height(), tasks = added.tasks, "attested");
                self.chain.publish_attestation(kept);
            }
            Err(error) => {
                metrics::counter!("ocelli_attestations_refused_total").increment(1);
                tracing::debug!(%error, "an attestation does not count");
            }
        }
        Ok(result)
    }

    /// Makes the next certificate, if it can be made and is due.
    fn certify(&mut self) -> Result<(), CollectError> {
        if self.collector.certifiable() <= self.collector.certified() || !self.until_due().is_zero() {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let Some(certificate) = self.collector.certificate() else { return Ok(()) };
        self.store.append_certificate(&certificate)?;
        self.collector.advance(certificate.height);
        metrics::gauge!("ocelli_attested_height").set(certificate.height as f64);
        tracing::info!(height = certificate.height, attestations = certificate.attestations.len(), "attested");
        self.chain.publish_certificate(Arc::new(certificate));
        Ok(())
    }
}

/// What a certificate needs to know of a block.
fn certified(block: &SealedBlock) -> CertifiedBlock {
    let header = block.header();
    let tasks = block.stored.manifest.task_count();
    CertifiedBlock { height: header.height, term: header.term, hash: block.hash, time_ms: header.time_ms, tasks }
}
