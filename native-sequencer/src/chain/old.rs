//! Blocks that are no longer recent and that somebody asked for: a verifier that follows from genesis, or an indexer, asks for
//! each many times.

use super::ReadError;
use crate::{block::SealedBlock, limits};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};

/// Those asked for lately, by height.
#[derive(Debug, Default)]
pub(super) struct OldBlocks {
    shards: [Mutex<VecDeque<Arc<SealedBlock>>>; limits::OLD_SHARDS],
}

impl OldBlocks {
    /// The block at `height`: kept, or read now. Who asks for one that is being read waits for it.
    pub(super) fn get(
        &self,
        height: u64,
        read: impl FnOnce() -> Result<Option<Arc<SealedBlock>>, ReadError>,
    ) -> Result<Option<Arc<SealedBlock>>, ReadError> {
        // There are as many shards as remainders.
        let Some(shard) = self.shards.get((height % limits::OLD_SHARDS as u64) as usize) else { return read() };
        let mut kept = shard.lock();
        if let Some(block) = kept.iter().find(|block| block.header().height == height) {
            return Ok(Some(block.clone()));
        }
        let Some(block) = read()? else { return Ok(None) };
        kept.push_back(block.clone());
        while kept.len() > 1
            && kept.iter().map(|block| block.bytes()).sum::<usize>() > limits::OLD_BYTES / limits::OLD_SHARDS
        {
            kept.pop_front();
        }
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tests::served::Served;

    #[test]
    fn a_block_is_read_once_for_all_who_ask() {
        let served = Served::with_blocks(2);
        let old = OldBlocks::default();
        for height in [1, 2] {
            let block = served.block(height);
            assert!(old.get(height, || Ok(Some(block.clone()))).expect("reads").is_some());
            let kept = old.get(height, || unreachable!("it is kept")).expect("kept").expect("a block");
            assert!(Arc::ptr_eq(&kept, &block));
        }
        assert!(old.get(3, || Ok(None)).expect("reads").is_none());
    }
}
