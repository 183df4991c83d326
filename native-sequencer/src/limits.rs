//! Every limit that the sequencer puts on what it keeps and serves. What the protocol limits is in `ocelli_core::limits`.

/// Blocks below the head whose state can be asked for. Snapshots in the store stay this far behind.
pub const HISTORY_BLOCKS: u64 = 256;
/// Blocks kept decoded in memory; older ones are read from the store.
pub const RECENT_BLOCKS: usize = 256;
/// Events that a slow subscriber may fall behind before it is dropped.
pub const EVENT_QUEUE: usize = 1_024;
/// Most transactions that one block takes from the pool.
pub const BLOCK_TRANSACTIONS: usize = 16_384;
/// Time between blocks while there is work.
pub const BLOCK_TIME_MS: u64 = 100;
/// Memory for pages of the store, in bytes.
pub const STORE_CACHE_BYTES: usize = 256 << 20;
/// Leaves of the snapshot that are put into the tree at once when the store is opened.
pub const STORE_LEAF_BATCH: usize = 1 << 16;
/// Blocks that are decoded at once, on all cores, when the store is opened.
pub const RECOVERY_BATCH: u64 = 32;
