//! The tables of the database.
//!
//! ```text
//! chain.redb    what cannot be computed again
//!   meta          name → bytes            format (u32), genesis (32 bytes), config (wire)
//!   genesis       path → StoredLeaf       the first state
//!   certificates  height → Certificate
//! ```
//!
//! Integers in `meta` are big-endian; structures are in the core's wire encoding.

use super::{error::Failure, snapshot::LEAF_BYTES};
use crate::block::StoredLeaf;
use ocelli_core::wire;
use redb::{ReadTransaction, TableDefinition};

/// The version of the layout of `chain.redb`.
pub(super) const FORMAT: u32 = 6;

pub(super) type ByHash<V> = TableDefinition<'static, &'static [u8; 32], V>;
type ByHeight<V> = TableDefinition<'static, u64, V>;

pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");
pub(super) const GENESIS: ByHash<&'static [u8]> = TableDefinition::new("genesis");
pub(super) const CERTIFICATES: ByHeight<&'static [u8]> = TableDefinition::new("certificates");

/// Names in `meta`.
pub(super) const META_FORMAT: &str = "format";
pub(super) const META_GENESIS: &str = "genesis";
pub(super) const META_CONFIG: &str = "config";

/// The bytes of `meta` under `name`, of which there have to be `N`.
pub(super) fn meta<const N: usize>(transaction: &ReadTransaction, name: &str) -> Result<[u8; N], Failure> {
    let table = transaction.open_table(META)?;
    let value = table.get(name)?;
    let bytes = value.as_ref().and_then(|value| value.value().try_into().ok());
    bytes.ok_or_else(|| Failure::Damaged(format!("meta has no {name}")))
}

pub(super) fn decode_leaf(bytes: &[u8]) -> Result<StoredLeaf, Failure> {
    wire::decode(bytes, LEAF_BYTES).map_err(|error| Failure::Damaged(format!("a leaf: {error}")))
}
