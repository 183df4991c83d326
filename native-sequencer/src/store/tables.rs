//! The tables of the two databases.
//!
//! ```text
//! chain.redb    what cannot be computed again
//!   meta          name → bytes            format (u32), genesis (32 bytes), config (wire)
//!   genesis       path → StoredLeaf       the first state
//!   certificates  height → Certificate
//! index.redb    what follows from chain.redb and blocks.log, up to block `indexed`
//!   meta          name → bytes            format (u32), genesis (32 bytes), indexed (u64), snapshot (u64)
//!   frames        height → where the block's frame begins in blocks.log
//!   hashes        block hash → height
//!   places        transaction hash → (height, row, index in the row)
//!   codes         code hash → code
//!   leaves        path → StoredLeaf       the snapshot: the state after block `snapshot`
//! ```
//!
//! Integers in `meta` are big-endian; structures are in the core's wire encoding.

use super::error::Failure;
use crate::block::StoredLeaf;
use ocelli_core::wire;
use redb::{ReadTransaction, TableDefinition, WriteTransaction};

/// The version of the layout of `chain.redb`.
pub(super) const FORMAT: u32 = 4;
/// The version of the layout of `index.redb`.
pub(super) const INDEX_FORMAT: u32 = 1;

pub(super) type ByHash<V> = TableDefinition<'static, &'static [u8; 32], V>;
type ByHeight<V> = TableDefinition<'static, u64, V>;

pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");
pub(super) const GENESIS: ByHash<&'static [u8]> = TableDefinition::new("genesis");
pub(super) const CERTIFICATES: ByHeight<&'static [u8]> = TableDefinition::new("certificates");

pub(super) const FRAMES: ByHeight<u64> = TableDefinition::new("frames");
pub(super) const HASHES: ByHash<u64> = TableDefinition::new("hashes");
pub(super) const PLACES: ByHash<(u64, u32, u32)> = TableDefinition::new("places");
pub(super) const CODES: ByHash<&'static [u8]> = TableDefinition::new("codes");
pub(super) const LEAVES: ByHash<&'static [u8]> = TableDefinition::new("leaves");

/// Names in `meta`.
pub(super) const META_FORMAT: &str = "format";
pub(super) const META_GENESIS: &str = "genesis";
pub(super) const META_CONFIG: &str = "config";
pub(super) const META_INDEXED: &str = "indexed";
pub(super) const META_SNAPSHOT: &str = "snapshot";

/// Makes all tables of the index, so that reading never meets one that is not there.
pub(super) fn make_index(transaction: &WriteTransaction) -> Result<(), Failure> {
    transaction.open_table(META)?;
    transaction.open_table(FRAMES)?;
    transaction.open_table(HASHES)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(CODES)?;
    transaction.open_table(LEAVES)?;
    Ok(())
}

/// The bytes of `meta` under `name`, of which there have to be `N`.
pub(super) fn meta<const N: usize>(transaction: &ReadTransaction, name: &str) -> Result<[u8; N], Failure> {
    let table = transaction.open_table(META)?;
    let value = table.get(name)?;
    let bytes = value.as_ref().and_then(|value| value.value().try_into().ok());
    bytes.ok_or_else(|| Failure::Damaged(format!("meta has no {name}")))
}

/// The height under `name` in `meta`.
pub(super) fn height(transaction: &ReadTransaction, name: &str) -> Result<u64, Failure> {
    meta(transaction, name).map(u64::from_be_bytes)
}

/// Most bytes of one encoded leaf: a key has at most 53, a value at most 75, version and tags 12.
const LEAF_BYTES: usize = 256;

pub(super) fn decode_leaf(bytes: &[u8]) -> Result<StoredLeaf, Failure> {
    wire::decode(bytes, LEAF_BYTES).map_err(|error| Failure::Damaged(format!("a leaf: {error}")))
}
