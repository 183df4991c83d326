//! The tables of `chain.redb`.
//!
//! ```text
//! meta          name → bytes            format (u32), genesis (32 bytes), config (wire), snapshot (u64)
//! blocks        height → StoredBlock    everything that is served of a block
//! headers       height → SignedHeader   the same header again, to be read without the bodies
//! diffs         height → [StoredLeaf]   what a block wrote, until the snapshot has it
//! hashes        block hash → height
//! places        transaction hash → (height, row, index in the row)
//! codes         code hash → code
//! genesis       path → StoredLeaf       the first state, to export
//! leaves        path → StoredLeaf       the snapshot: the state after block `snapshot`
//! certificates  height → Certificate
//! ```
//!
//! Integers in `meta` are big-endian; structures are in the core's wire encoding.

use super::error::Failure;
use crate::block::StoredLeaf;
use ocelli_core::{header::SignedHeader, wire};
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

/// The version of this layout.
pub(super) const FORMAT: u32 = 3;

type ByHash<V> = TableDefinition<'static, &'static [u8; 32], V>;
type ByHeight = TableDefinition<'static, u64, &'static [u8]>;

pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");
pub(super) const BLOCKS: ByHeight = TableDefinition::new("blocks");
pub(super) const HEADERS: ByHeight = TableDefinition::new("headers");
pub(super) const DIFFS: ByHeight = TableDefinition::new("diffs");
pub(super) const HASHES: ByHash<u64> = TableDefinition::new("hashes");
pub(super) const PLACES: ByHash<(u64, u32, u32)> = TableDefinition::new("places");
pub(super) const CODES: ByHash<&'static [u8]> = TableDefinition::new("codes");
pub(super) const GENESIS: ByHash<&'static [u8]> = TableDefinition::new("genesis");
pub(super) const LEAVES: ByHash<&'static [u8]> = TableDefinition::new("leaves");
pub(super) const CERTIFICATES: ByHeight = TableDefinition::new("certificates");

/// Names in `meta`.
pub(super) const META_FORMAT: &str = "format";
pub(super) const META_GENESIS: &str = "genesis";
pub(super) const META_CONFIG: &str = "config";
pub(super) const META_SNAPSHOT: &str = "snapshot";

/// Makes all tables, so that reading never meets one that is not there.
pub(super) fn make_all(transaction: &WriteTransaction) -> Result<(), Failure> {
    transaction.open_table(META)?;
    transaction.open_table(HASHES)?;
    transaction.open_table(PLACES)?;
    for table in [BLOCKS, HEADERS, DIFFS, CERTIFICATES] {
        transaction.open_table(table)?;
    }
    for table in [CODES, GENESIS, LEAVES] {
        transaction.open_table(table)?;
    }
    Ok(())
}

/// The bytes of `meta` under `name`, of which there have to be `N`.
pub(super) fn meta<const N: usize>(transaction: &ReadTransaction, name: &str) -> Result<[u8; N], Failure> {
    let table = transaction.open_table(META)?;
    let value = table.get(name)?;
    let bytes = value.as_ref().and_then(|value| value.value().try_into().ok());
    bytes.ok_or_else(|| Failure::Damaged(format!("meta has no {name}")))
}

/// The height of the snapshot.
pub(super) fn snapshot_height(transaction: &ReadTransaction) -> Result<u64, Failure> {
    meta(transaction, META_SNAPSHOT).map(u64::from_be_bytes)
}

/// The height of the last block; 0 if there is none.
pub(super) fn head_height(blocks: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, Failure> {
    Ok(blocks.last()?.map_or(0, |(height, _)| height.value()))
}

/// Most bytes of one encoded header; it has some 600.
const HEADER_BYTES: usize = 4_096;

pub(super) fn decode_header(height: u64, bytes: &[u8]) -> Result<SignedHeader, Failure> {
    wire::decode(bytes, HEADER_BYTES).map_err(|error| Failure::Damaged(format!("header {height}: {error}")))
}

/// Most bytes of one encoded leaf: a key has at most 53, a value at most 75, version and tags 12.
const LEAF_BYTES: usize = 256;

pub(super) fn decode_leaf(bytes: &[u8]) -> Result<StoredLeaf, Failure> {
    wire::decode(bytes, LEAF_BYTES).map_err(|error| Failure::Damaged(format!("a leaf: {error}")))
}
