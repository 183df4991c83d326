//! Which block a request means, and the state after it.
//!
//! `latest` is the last sealed block, `safe` and `finalized` are the last one that a certificate covers, `earliest` is genesis.
//! `pending` is `latest`: nothing of a block is shown before it is durable. Only nonces look into the pool.

use super::{Rpc, errors::RpcError};
use crate::{block::SealedBlock, chain::Chain, state::Snapshot};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::B256;
use ocelli_core::header::Header;
use std::sync::Arc;

/// A block, genesis included.
#[derive(Clone, Debug)]
pub(super) enum Block {
    /// The block with height 0, which nobody signed and which has no rows.
    Genesis(Box<Header>),
    /// Any other.
    Sealed(Arc<SealedBlock>),
}

impl Block {
    pub(super) fn header(&self) -> &Header {
        match self {
            Self::Genesis(header) => header,
            Self::Sealed(block) => block.header(),
        }
    }

    pub(super) fn hash(&self) -> B256 {
        match self {
            Self::Genesis(header) => header.hash(),
            Self::Sealed(block) => block.hash,
        }
    }

    pub(super) fn sealed(&self) -> Option<&Arc<SealedBlock>> {
        match self {
            Self::Genesis(_) => None,
            Self::Sealed(block) => Some(block),
        }
    }
}

/// A block's header and the state after it.
#[derive(Debug)]
pub(super) struct View {
    pub(super) header: Header,
    pub(super) snapshot: Snapshot,
}

/// The height that a number or tag means; it may be above the head.
pub(super) fn height_of_tag(chain: &Chain, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => chain.head().header.height,
        BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized => chain.attested_height(),
        BlockNumberOrTag::Earliest => 0,
        BlockNumberOrTag::Number(height) => height,
    }
}

impl Rpc {
    /// The height of the block meant, if there is one.
    pub(super) fn height_at(&self, id: BlockId) -> Result<Option<u64>, RpcError> {
        match id {
            BlockId::Hash(hash) => Ok(self.chain.height_of(&hash.block_hash)?),
            BlockId::Number(tag) => {
                let height = height_of_tag(&self.chain, tag);
                Ok((height <= self.chain.head().header.height).then_some(height))
            }
        }
    }

    /// The block meant, if there is one.
    pub(super) fn block_at(&self, id: BlockId) -> Result<Option<Block>, RpcError> {
        self.height_at(id)?.map_or(Ok(None), |height| self.block(height))
    }

    /// The block with this height, if there is one.
    pub(super) fn block(&self, height: u64) -> Result<Option<Block>, RpcError> {
        if height == 0 {
            return Ok(Some(Block::Genesis(Box::new(self.chain.config().genesis_header()))));
        }
        Ok(self.chain.block(height)?.map(Block::Sealed))
    }

    /// The state after the block meant; the last one's if none is named.
    pub(super) fn view_at(&self, id: Option<BlockId>) -> Result<View, RpcError> {
        let height = self.height_at(id.unwrap_or_default())?.ok_or(RpcError::UnknownBlock)?;
        let snapshot = self.chain.snapshot_at(height).ok_or(RpcError::OldState { height })?;
        let header = self.chain.header(height)?.ok_or(RpcError::UnknownBlock)?;
        Ok(View { header, snapshot })
    }
}
