//! Log blooms of blocks, as Ethereum computes them, kept so that a log query need not read blocks that have nothing for it.

use crate::{block::SealedBlock, limits};
use alloy_primitives::{Bloom, BloomInput};
use ocelli_core::receipt::Log;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};

/// The blooms of the blocks that were read last, new and old ones.
#[derive(Debug, Default)]
pub(super) struct Blooms {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_height: HashMap<u64, Bloom>,
    /// In the order in which they were learnt.
    heights: VecDeque<u64>,
}

impl Blooms {
    /// The bloom of the block with this height, if it is known.
    pub(super) fn get(&self, height: u64) -> Option<Bloom> {
        self.known.lock().by_height.get(&height).copied()
    }

    /// The bloom of `block`.
    pub(super) fn of(&self, block: &SealedBlock) -> Bloom {
        let height = block.header().height;
        if let Some(bloom) = self.get(height) {
            return bloom;
        }
        let bloom = of_logs(block.receipts().flat_map(|receipt| &receipt.logs));
        self.known.lock().learn(height, bloom);
        bloom
    }
}

impl Known {
    /// Keeps a bloom, and forgets the one that was learnt first if there are too many. A block far below the others is no
    /// less wanted: who asks for old blocks goes through them upwards.
    fn learn(&mut self, height: u64, bloom: Bloom) {
        if self.by_height.insert(height, bloom).is_none() {
            self.heights.push_back(height);
        }
        if self.heights.len() > limits::BLOOMS
            && let Some(first) = self.heights.pop_front()
        {
            self.by_height.remove(&first);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learnt_of_an_old_block_is_kept_among_many_new_ones() {
        let mut known = Known::default();
        for at in 0..limits::BLOOMS as u64 {
            known.learn(1_000_000 + at, Bloom::ZERO);
        }
        known.learn(5, Bloom::ZERO);
        assert!(known.by_height.contains_key(&5));
        assert!(!known.by_height.contains_key(&1_000_000), "the one learnt first has made room");
        assert_eq!((known.by_height.len(), known.heights.len()), (limits::BLOOMS, limits::BLOOMS));
    }
}
