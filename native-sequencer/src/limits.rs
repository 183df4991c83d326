//! Every limit that the sequencer puts on what it keeps and serves. What the protocol limits is in `ocelli_core::limits`.

use std::time::Duration;

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

// The verifier API.

/// Pieces of blocking work (reading, encoding, checking) that requests have under way at a time.
pub const API_BLOCKING: usize = 8;
/// How long a request waits for its turn before it is told that the sequencer is busy.
pub const API_QUEUE: Duration = Duration::from_secs(5);
/// How long a request may take to arrive and to be answered.
pub const API_REQUEST: Duration = Duration::from_secs(30);
/// Old blocks that stay decoded because somebody asked for one of their tasks.
pub const API_OLD_BLOCKS: usize = 16;
/// Most headers in one answer.
pub const API_HEADERS: u64 = 512;
/// Peers (addresses, or IPv6 networks of 64 bits) whose use is counted one by one; those beyond share one count.
pub const API_PEERS: usize = 1 << 16;
/// Attestations that a peer may send at once, and the time after which it may send one more.
pub const ATTESTATIONS_A_PEER: (u32, Duration) = (64, Duration::from_millis(50));
/// Attestations that wait to be looked at.
pub const ATTESTATION_QUEUE: usize = 1_024;
/// Pieces of evidence that a peer may send at once, and the time after which it may send one more.
pub const EVIDENCE_A_PEER: (u32, Duration) = (4, Duration::from_secs(10));
/// Pieces of evidence that are received or checked at a time: each may be as large as a manifest and a body.
pub const EVIDENCE_UNDER_WAY: usize = 2;
/// Confirmed faults whose evidence is kept. The first one stops the sequencer; later ones are for the curious.
pub const EVIDENCE_KEPT: usize = 16;
/// Least time between two certificates.
pub const CERTIFICATE_INTERVAL: Duration = Duration::from_millis(100);

// The stream.

/// Blocks below the head that a stream can begin at; who is further behind reads headers first.
pub const STREAM_REPLAY: u64 = 1_024;
/// Open streams.
pub const STREAMS: usize = 4_096;
/// Open streams of one peer.
pub const STREAMS_A_PEER: u32 = 64;
/// Most bytes of a frame that a reader of the stream may send: it has nothing to say but pings, pongs and goodbye.
pub const STREAM_INCOMING_BYTES: usize = 1 << 10;
/// Time between two pings.
pub const STREAM_PING: Duration = Duration::from_secs(15);
/// A reader that has not been heard of for this long is gone.
pub const STREAM_SILENCE: Duration = Duration::from_secs(45);
/// A frame that a reader does not take for this long is the last one.
pub const STREAM_SEND: Duration = Duration::from_secs(10);

// The native verifier.

/// Blocks that the verifier works on at a time.
pub const VERIFY_BLOCKS: usize = 16;
/// Fetches that it has under way for each task that it checks: fetching waits for the network, checking for a core.
pub const VERIFY_FETCHES_A_WORKER: usize = 8;
/// Messages between its threads before the faster one waits.
pub const VERIFY_QUEUE: usize = 1_024;
/// Times that it asks for a body before it says that it is withheld.
pub const VERIFY_TRIES: u32 = 8;
/// How long it waits before it asks a second time, and for how long at most.
pub const VERIFY_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long one answer may take.
pub const VERIFY_REQUEST: Duration = Duration::from_secs(30);
/// How long it takes at most to see that it is to stop.
pub const VERIFY_TICK: Duration = Duration::from_millis(200);
/// Bytes of code that it keeps.
pub const VERIFY_CODE_BYTES: usize = 64 << 20;
/// Headers kept to recognise a second one of the same height.
pub const VERIFY_HEADERS_KEPT: usize = 1_024;
/// Certificates that wait for blocks to be verified.
pub const VERIFY_CERTIFICATES: usize = 16;
/// Announced faults whose evidence it fetches and checks in one run.
pub const VERIFY_ANNOUNCED: u32 = 16;
/// An attesting verifier does not sign a header that is further ahead of its clock.
pub const VERIFY_CLOCK_AHEAD: Duration = Duration::from_secs(2);
/// How long it waits at the end for answers to its last attestations.
pub const VERIFY_GOODBYE: Duration = Duration::from_secs(10);
