//! Blocks, the bodies of their tasks, and code.

use super::{
    Api, ApiError, Shared,
    caching::{self, Tag},
};
use crate::{
    block::SealedBlock,
    chain::{Chain, ReadError},
};
use alloy_primitives::{B256, Bytes};
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use ocelli_core::{message::BlockDocument, wire};
use std::sync::Arc;

/// How a path names a block.
#[derive(Clone, Copy, Debug)]
enum BlockName {
    Hash(B256),
    Height(u64),
}

impl BlockName {
    fn parse(name: &str) -> Result<Self, ApiError> {
        let hash = || name.strip_prefix("0x").filter(|digits| digits.len() == 64)?.parse().ok().map(Self::Hash);
        let height = || name.parse().ok().map(Self::Height);
        let message = "a block is named by 0x and 64 hexadecimal digits, its hash, or by its height in decimal";
        hash().or_else(height).ok_or(ApiError::malformed(message))
    }
}

fn parse_hash(name: &str) -> Result<B256, ApiError> {
    match BlockName::parse(name) {
        Ok(BlockName::Hash(hash)) => Ok(hash),
        _ => Err(ApiError::malformed("name it by its hash: 0x and 64 hexadecimal digits")),
    }
}

impl Api {
    fn block_at(&self, height: u64) -> Result<Arc<SealedBlock>, ApiError> {
        if height == 0 {
            return Err(ApiError::not_found("genesis has no block; its header follows from /v1/chain"));
        }
        self.chain.block(height)?.ok_or_else(|| {
            let head = self.chain.head().header.height;
            ApiError::not_found(format!("the chain ends at block {head}; wait for the stream to announce this one"))
        })
    }

    fn block_with(&self, hash: &B256) -> Result<Arc<SealedBlock>, ApiError> {
        let unknown = || ApiError::not_found("no block of this chain has that hash");
        let block = self.block_at(self.chain.height_of(hash)?.ok_or_else(unknown)?)?;
        if block.hash != *hash {
            return Err(unknown());
        }
        Ok(block)
    }
}

fn document_of(block: &SealedBlock) -> Vec<u8> {
    wire::encode(&BlockDocument {
        signed: block.stored.signed.clone(),
        parent_ancestors: block.stored.parent_ancestors.clone(),
        manifest: block.stored.manifest.clone(),
    })
}

/// `GET /v1/blocks/{hash or height}`: the encoded [`BlockDocument`].
pub(super) async fn document(
    State(api): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = BlockName::parse(&name)?;
    let work = api.clone();
    api.gate
        .run(move || match name {
            BlockName::Height(height) => Ok(caching::changing(document_of(&*work.block_at(height)?))),
            BlockName::Hash(hash) => {
                let block = work.block_with(&hash)?;
                answer(&hash.to_string(), &headers, || Ok(document_of(&block)))
            }
        })
        .await
}

/// `GET /v1/blocks/{hash}/rows/{index}`: the encoded [`RowTask`](ocelli_core::row::RowTask).
pub(super) async fn row(
    State(api): Shared,
    Path((block, index)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    task(api, "row", &block, &index, headers, |chain, block, index| {
        Ok(chain.row_task(block, index)?.map(|task| wire::encode(&task).into()))
    })
    .await
}

/// `GET /v1/blocks/{hash}/columns/{index}`: the column's body.
pub(super) async fn column(
    State(api): Shared,
    Path((block, index)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    task(api, "column", &block, &index, headers, Chain::column_body).await
}

async fn task(
    api: Arc<Api>,
    kind: &'static str,
    block: &str,
    index: &str,
    headers: HeaderMap,
    of: impl FnOnce(&Chain, &SealedBlock, usize) -> Result<Option<Bytes>, ReadError> + Send + 'static,
) -> Result<Response, ApiError> {
    let hash = parse_hash(block)?;
    let index: u32 = index.parse().map_err(|_| ApiError::malformed(format!("a {kind} is named by its index")))?;
    let work = api.clone();
    api.gate
        .run(move || {
            let block = work.block_with(&hash)?;
            let none = || {
                let manifest = &block.stored.manifest;
                let (rows, columns) = (manifest.rows.len(), manifest.columns.len());
                ApiError::not_found(format!("the block has {rows} rows and {columns} columns, counted from 0"))
            };
            answer(&format!("{hash}-{kind}-{index}"), &headers, || {
                of(&work.chain, &block, index as usize)?.ok_or_else(none)
            })
        })
        .await
}

/// `GET /v1/codes/{hash}`: the code itself.
pub(super) async fn code(
    State(api): Shared,
    Path(hash): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let hash = parse_hash(&hash)?;
    let none = || ApiError::not_found("no code of this chain has that hash");
    let code = api.chain.code(&hash).ok_or_else(none)?;
    answer(&hash.to_string(), &headers, || Ok(code))
}

/// What is named by `tag` and never changes, or that who asks has it.
pub(super) fn answer<B: Into<axum::body::Bytes>>(
    tag: &str,
    headers: &HeaderMap,
    bytes: impl FnOnce() -> Result<B, ApiError>,
) -> Result<Response, ApiError> {
    let tag = Tag::new(tag).ok_or_else(|| ApiError::malformed("not a name"))?;
    // Whatever the asker has, only what is there is unchanged.
    let bytes = bytes()?;
    if tag.is_known(headers) {
        return Ok(tag.not_modified());
    }
    Ok(tag.immutable(bytes))
}
