//! Log blooms of blocks, as Ethereum computes them, kept so that a log query need not read blocks that have nothing for it.

use crate::{block::SealedBlock, limits};
use alloy_primitives::{Bloom, BloomInput};
use ocelli_core::receipt::Log;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// The blooms of the most recent blocks and of those asked for, by height.
#[derive(Debug, Default)]
pub(super) struct Blooms {
    known: Mutex<BTreeMap<u64, Bloom>>,
}

impl Blooms {
    /// The bloom of the block with this height, if it is known.
    pub(super) fn get(&self, height: u64) -> Option<Bloom> {
        self.known.lock().get(&height).copied()
    }

    /// The bloom of `block`.
    pub(super) fn of(&self, block: &SealedBlock) -> Bloom {
        let height = block.header().height;
        if let Some(bloom) = self.get(height) {
            return bloom;
        }
        let bloom = of_logs(block.transactions.iter().flat_map(|transaction| &transaction.receipt.logs));
        let mut known = self.known.lock();
        known.insert(height, bloom);
        while known.len() > limits::BLOOMS {
            known.pop_first();
        }
        bloom
    }
}

/// The bloom of some logs: three bits for each address and each topic.
pub(super) fn of_logs<'a>(logs: impl IntoIterator<Item = &'a Log>) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        bloom.accrue(BloomInput::Raw(log.address.as_slice()));
        for topic in &log.topics {
            bloom.accrue(BloomInput::Raw(topic.as_slice()));
        }
    }
    bloom
}
