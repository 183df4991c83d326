//! Who waits for which transaction to be sealed.
//!
//! One task follows the chain for all who wait, so a block costs one look at each of its transactions however many wait.

use crate::{
    block::SealedBlock,
    chain::{Chain, Event},
};
use alloy_primitives::B256;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::{broadcast::error::RecvError, oneshot};

type Found = (Arc<SealedBlock>, usize);

/// The expectations that are not fulfilled yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Sealing {
    expected: Arc<Mutex<HashMap<B256, Vec<oneshot::Sender<Found>>>>>,
}

impl Sealing {
    /// Follows `chain` as long as it lasts. Must be called on a tokio runtime.
    pub(super) fn follow(chain: &Chain) -> Self {
        let sealing = Self::default();
        let (followed, mut events) = (sealing.clone(), chain.subscribe());
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(Event::Sealed(block)) => followed.fulfil(&block),
                    // Whoever waits for a block that was missed looks at the chain when its time is over.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        sealing
    }

    /// Expects a block with this transaction from now on.
    pub(super) fn expect(&self, hash: B256) -> Expected {
        let (sender, receiver) = oneshot::channel();
        self.expected.lock().entry(hash).or_default().push(sender);
        Expected { hash, sealing: self.clone(), receiver: Some(receiver) }
    }

    fn fulfil(&self, block: &Arc<SealedBlock>) {
        let mut expected = self.expected.lock();
        if expected.is_empty() {
            return;
        }
        for (index, transaction) in block.transactions.iter().enumerate() {
            for sender in expected.remove(&transaction.hash).into_iter().flatten() {
                // Whoever stopped waiting misses nothing.
                let _ = sender.send((block.clone(), index));
            }
        }
    }
}

/// One expectation; given up when dropped.
#[derive(Debug)]
pub(super) struct Expected {
    hash: B256,
    sealing: Sealing,
    receiver: Option<oneshot::Receiver<Found>>,
}

impl Expected {
    /// The block and the transaction's index in it, if it comes in time.
    pub(super) async fn within(mut self, wait: Duration) -> Option<Found> {
        let receiver = self.receiver.take()?;
        tokio::time::timeout(wait, receiver).await.ok()?.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        drop(self.receiver.take());
        let mut expected = self.sealing.expected.lock();
        if let Some(senders) = expected.get_mut(&self.hash) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                expected.remove(&self.hash);
            }
        }
    }
}
