//! Promises: the sequencer's signed word that a transaction will be in by a height.
//!
//! The pool decides what can be promised and keeps it; this signs, after the transaction and the height are on disk and never
//! before. It runs where the answer is waited for, so signing holds up no other transaction.

use crate::{
    chain::Chain,
    pool::{Accepted, Pool, Rejected},
};
use alloy_primitives::Bytes;
use ocelli_core::{
    promise::{Promise, SignedPromise},
    signature::SecretKey,
    typed_data::SigningDomain,
};
use std::sync::Arc;

/// Gives promises on behalf of one term's sequencer.
#[derive(Debug)]
pub struct Promises {
    pool: Arc<Pool>,
    key: Arc<SecretKey>,
    domain: SigningDomain,
    term: u64,
}

impl Promises {
    /// Promises about `chain`, of which `pool` is the pool and `key` the sequencer's key; `term` is that of the blocks to come.
    pub fn new(chain: &Chain, pool: Arc<Pool>, key: Arc<SecretKey>, term: u64) -> Self {
        let config = chain.config();
        let domain = SigningDomain::new(config.params.chain_id, &config.genesis_hash());
        Self { pool, key, domain, term }
    }

    /// Where transactions wait.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Hands in the EIP-2718 encoding of a signed transaction, and promises it once it is durable.
    ///
    /// # Errors
    /// [`Rejected`] if it may not wait or cannot be promised.
    pub async fn submit(&self, raw: Bytes) -> Result<SignedPromise, Rejected> {
        let accepted = self.pool.submit_all(vec![raw], true).await.pop().unwrap_or(Err(Rejected::Stopping))?;
        // Without a window nothing was promised, which the pool does not answer if it was asked.
        self.sign(&accepted).ok_or(Rejected::Stopping)
    }

    /// The promise about what the pool has accepted, if it was asked for one.
    pub fn sign(&self, accepted: &Accepted) -> Option<SignedPromise> {
        let promise = Promise::new(&accepted.transaction, accepted.window?, self.term);
        metrics::counter!("ocelli_promises_total").increment(1);
        Some(SignedPromise::new(promise, &self.key, &self.domain))
    }
}
