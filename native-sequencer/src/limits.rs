//! Every limit that the sequencer puts on what it keeps and serves. What the protocol limits is in `ocelli_core::limits`.

use std::time::Duration;

/// Blocks below the head whose state can be asked for. Snapshots in the store stay this far behind.
pub const HISTORY_BLOCKS: u64 = 256;
/// Bytes of the last blocks that stay decoded in memory, and how many blocks do whatever they take.
pub const RECENT_BYTES: usize = 256 << 20;
/// See [`RECENT_BYTES`].
pub const RECENT_BLOCKS: usize = 8;
/// Bytes of other blocks that stay decoded because somebody asked for them, and over how many locks they are spread: so many
/// are read at a time.
pub const OLD_BYTES: usize = 128 << 20;
/// See [`OLD_BYTES`].
pub const OLD_SHARDS: usize = 8;
/// Events that a slow subscriber may fall behind before it is dropped.
pub const EVENT_QUEUE: usize = 1_024;
/// Most transactions that one block takes from the pool.
pub const BLOCK_TRANSACTIONS: usize = 16_384;
/// Time between blocks while there is work.
pub const BLOCK_TIME_MS: u64 = 100;

// Metrics.

/// How often samples are put into their histograms, whether or not anybody asks for them.
pub const METRICS_UPKEEP: Duration = Duration::from_secs(5);
/// The upper bounds of histograms of times, in seconds.
pub const METRICS_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

// The store.

/// Most bytes of one stored block: bodies are bounded by the core's limits, and a block's gas bounds their number.
pub const STORED_BLOCK_BYTES: usize = 1 << 30;
/// Names (hashes of transactions and blocks), and blocks, that gather in memory before they become a segment of the store's index;
/// appending waits when as many again have gathered while that is written. After a crash they are read from the log.
pub const INDEX_NAMES: usize = 1 << 18;
/// See [`INDEX_NAMES`].
pub const INDEX_BLOCKS: usize = 1 << 10;
/// How often a segment is tried to be written before the sequencer stops.
pub const INDEX_TRIES: u32 = 5;
/// How long after one try comes the next.
pub const INDEX_TRIED_AGAIN: Duration = Duration::from_secs(2);
/// Segments of the index that are merged into one. There are fewer of each level; more would make looking slower, fewer would have
/// names written more often.
pub const INDEX_MERGED: usize = 8;
/// Keys, as often as they were written, after which a snapshot of the state is due, unless half of all keys are more. When the store
/// is opened, at most twice as many go onto one; those of the last [`HISTORY_BLOCKS`] may be more anyway.
pub const SNAPSHOT_WRITES: u64 = 1 << 23;
/// Blocks after which a snapshot of the state is due, whatever they wrote.
pub const SNAPSHOT_BLOCKS: u64 = 1 << 16;
/// Leaves in one batch of a snapshot.
pub const SNAPSHOT_LEAVES: usize = 1 << 16;
/// Bytes of writes of the last blocks that are put on the state one block after the other when the store is opened, so that
/// the states between can be asked for: of 240,000 transfers, which takes a few seconds. What blocks before them wrote goes onto
/// the state together, in a fourth of the time.
pub const RESTORED_WRITES_BYTES: u64 = 16 << 20;
/// Bytes that files of bodies of columns take together, unless told otherwise; the oldest are deleted.
pub const KEEP_COLUMNS: u64 = 32 << 30;
/// Bytes of one such file, which is deleted as a whole.
pub const COLUMNS_FILE_BYTES: u64 = 64 << 20;
/// Blocks after which such a file is synced, and bytes: fewer than those whose states are restored when the store is opened
/// ([`HISTORY_BLOCKS`], [`RESTORED_WRITES_BYTES`], of whose columns a block has several times as many bytes), so that what a crash
/// takes can be made again.
pub const COLUMNS_SYNC_BLOCKS: u64 = 32;
/// See [`COLUMNS_SYNC_BLOCKS`].
pub const COLUMNS_SYNC_BYTES: u64 = 16 << 20;
/// Blocks whose columns wait to be written; whoever appends another one waits.
pub const COLUMNS_QUEUE: usize = 2;
/// Such files of which it is remembered where in them blocks are, 8 bytes a block: those read last.
pub const COLUMNS_FILES_READ: usize = 8;
/// Requests that wait while the columns or cells of an old block are made again; more are told that the sequencer is busy.
pub const REBUILDS_WAITING: usize = 4;
/// Memory for pages of the file with the genesis and certificates, in bytes.
pub const CHAIN_CACHE_BYTES: usize = 16 << 20;
/// Leaves that blocks wrote that are put onto the state at once when the store is opened: of a key that is written often, fewer go
/// in. They take some 50 MB, three times.
pub const STORE_LEAF_BATCH: usize = 1 << 18;
/// Blocks that are decoded at once, on all cores, when the store is opened.
pub const RECOVERY_BATCH: usize = 32;

// All connections.

/// Connections served at once, over all protocols; more wait to be accepted.
pub const CONNECTIONS: usize = 8_192;
/// Connections that wait to be accepted; the kernel may keep fewer (`net.core.somaxconn`). Those above believe for a second that they
/// are connected before they try again, so there is room for as many as come at once after a restart, say.
pub const CONNECTIONS_WAITING: u32 = 4_096;
/// How long a connection may take nothing of what is written to it before it is dropped.
pub const SLOW_READER: Duration = Duration::from_secs(20);
/// How long a connection is kept that nothing is written to. Longer than any request takes, and than the time between pings.
pub const UNANSWERED: Duration = Duration::from_secs(60);
/// Most bytes of JSON-RPC answers that wait for their readers, over all connections, but for small ones.
pub const BACKLOG: usize = 512 << 20;
/// An answer that is no longer than this is given however much waits.
pub const BACKLOG_SMALL: usize = 16 << 10;

/// Requests of a kind that wait for their turn, beside those that run.
pub const WAITING: usize = 1_024;
/// How long a request waits for its turn before it is told that the sequencer is busy.
pub const TURN: Duration = Duration::from_secs(5);
/// Most bytes of JSON-RPC requests under way, over all connections, but for small ones.
pub const ASKED: usize = 256 << 20;
/// A request that is no longer than this is taken however much is under way.
pub const ASKED_SMALL: usize = 4 << 10;

// JSON-RPC.

/// JSON-RPC requests over HTTP served at once, those among them that wait for their block; what is above gets status 429.
pub const RPC_REQUESTS: u32 = 4_096;
/// JSON-RPC connections over WebSocket; what is above gets status 429.
pub const RPC_SOCKETS: u32 = 1_024;
/// Most bytes of a JSON-RPC request, a batch being one: room for the hex of the largest transaction several times.
pub const RPC_REQUEST_BYTES: u32 = 2 << 20;
/// Most bytes of a JSON-RPC response, a batch being one.
pub const RPC_RESPONSE_BYTES: u32 = 32 << 20;
/// Most requests in one batch: as many as libraries put into one.
pub const RPC_BATCH: usize = 1_000;
/// Requests of one connection answered at once.
pub const RPC_IN_FLIGHT: usize = 64;
/// How long one HTTP request may take, from its headers to its response.
pub const RPC_TIMEOUT: Duration = Duration::from_secs(40);
/// Subscriptions of one connection.
pub const RPC_SUBSCRIPTIONS: u32 = 128;
/// Messages waiting for one WebSocket connection to take them.
pub const RPC_OUTBOX: u32 = 128;
/// How often a WebSocket connection is asked whether it is alive.
pub const RPC_PING: Duration = Duration::from_secs(30);
/// Reads of blocks and state running at once.
pub const RPC_READS: usize = 16;
/// Calls and log queries running at once.
pub const RPC_HEAVY: usize = 4;

/// Most gas of `eth_call`. Memory costs gas, so this bounds memory too: frames that share 50 M gas and nest as deep as the
/// 63/64 rule (EIP-150) lets them hold less than 150 MB.
pub const CALL_GAS: u64 = 50_000_000;
/// Most accounts, slots and block hashes that one call may override.
pub const CALL_OVERRIDES: usize = 4_096;
/// Most gas of all runs that one estimate or access list takes.
pub const CALL_GAS_ALL: u64 = 4 * CALL_GAS;
/// Runs in which an access list must have settled: each run but the last adds at least one entry.
pub const ACCESS_LIST_RUNS: usize = 16;

/// Most blocks that a log query spans.
pub const LOG_BLOCKS: u64 = 10_000;
/// Most logs that a query of more than one block returns, and that a filter tells at once.
pub const LOG_RESULTS: usize = 10_000;
/// Most bytes of JSON that a log query returns, which [`RPC_RESPONSE_BYTES`] has room for.
pub const LOG_BYTES: usize = 24 << 20;
/// Most transactions in the blocks that a log query has to read, those ruled out by a bloom in memory not counted.
pub const LOG_TRANSACTIONS: usize = 250_000;
/// Most addresses, and most topics at one position, that a log query names.
pub const LOG_ALTERNATIVES: usize = 1_024;
/// Blocks whose bloom is kept in memory, 256 bytes each: those read last.
pub const BLOOMS: usize = 1 << 16;

/// Filters installed at once.
pub const FILTERS: usize = 4_096;
/// Most addresses and topics that all filters and subscriptions that are kept name, at some 100 bytes each.
pub const KEPT_ALTERNATIVES: usize = 1 << 19;
/// How long a filter that nobody asks for is kept.
pub const FILTER_IDLE: Duration = Duration::from_secs(300);

/// Most blocks of `eth_feeHistory`.
pub const FEE_HISTORY_BLOCKS: u64 = 256;
/// Most percentiles of `eth_feeHistory`.
pub const FEE_PERCENTILES: usize = 100;
/// Blocks whose tips the suggested tip follows.
pub const TIP_BLOCKS: u64 = 20;
/// The lowest suggested tip, in wei.
pub const TIP_AT_LEAST: u128 = 1_000_000;

/// How long `eth_sendRawTransactionSync` waits for the receipt unless told (EIP-7966).
pub const RECEIPT_WAIT: Duration = Duration::from_secs(2);
/// The longest that `eth_sendRawTransactionSync` may be told to wait.
pub const RECEIPT_WAIT_MOST: Duration = Duration::from_secs(30);

// The pool.

/// Most transactions that wait in the pool.
pub const POOL_TRANSACTIONS: usize = 65_536;
/// Most bytes of transactions that wait in the pool.
pub const POOL_BYTES: usize = 128 << 20;
/// Most bytes of one account's waiting transactions.
pub const POOL_ACCOUNT_BYTES: usize = 4 << 20;
/// How far above its account's nonce a waiting transaction's may be. So many transactions of one account wait at most.
pub const POOL_NONCE_AHEAD: u64 = 1_024;
/// Most waiting transactions of an account that another account's transaction can make worthless: one that delegates to code
/// (EIP-7702), or that a waiting transaction carries an authorization of.
pub const POOL_DELEGATED_TRANSACTIONS: usize = 16;
/// How much more a transaction has to offer than the one whose place it takes, in hundredths: fee and tip both.
pub const POOL_REPLACEMENT_PERCENT: u128 = 10;
/// Blocks above the one under way by whose last a promised transaction is in.
pub const PROMISE_BLOCKS: u64 = 8;
/// Blocks that must be left of these when a promise is signed.
pub const PROMISE_BLOCKS_LEFT: u64 = 4;
/// Most transactions that are held for promises: what one block surely takes, beside as many others.
pub const PROMISED_TRANSACTIONS: usize = BLOCK_TRANSACTIONS / 2;
/// Transactions handed in that wait to be looked at; whoever comes later waits before handing in.
pub const POOL_SUBMISSIONS: usize = 4_096;
/// Most transactions whose signers are recovered as one batch.
pub const POOL_BATCH: usize = 1_024;
/// Transactions of a batch that one core recovers at a time.
pub const POOL_BATCH_SHARE: usize = 64;
/// Batches that wait to be written to the journal.
pub const POOL_BATCHES: usize = 4;
/// Transactions that left the pool for another reason than a block, of which the reason is remembered.
pub const POOL_REASONS: usize = 4_096;
/// Bytes of the pool's journal, beyond twice those of waiting transactions, at which it is rewritten.
pub const POOL_JOURNAL_SLACK: u64 = 16 << 20;
/// Accepted transactions that a slow subscriber may fall behind.
pub const POOL_EVENTS: usize = 8_192;

// The verifier API.

/// Pieces of blocking work (reading, encoding, checking) that requests have under way at a time.
pub const API_BLOCKING: usize = 8;
/// How long a request may take to arrive and to be answered.
pub const API_REQUEST: Duration = Duration::from_secs(30);
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
/// Pieces of evidence that are received at a time: each may be as large as a manifest and a body.
pub const EVIDENCE_RECEIVED: usize = 16;
/// How long a piece of evidence may take to arrive.
pub const EVIDENCE_ARRIVAL: Duration = Duration::from_secs(10);
/// Pieces of evidence that are checked at a time.
pub const EVIDENCE_CHECKED: usize = 2;
/// Confirmed faults whose evidence is kept. The first one stops the sequencer; later ones are for the curious.
pub const EVIDENCE_KEPT: usize = 16;
/// Least time between two certificates.
pub const CERTIFICATE_INTERVAL: Duration = Duration::from_millis(100);

/// Submissions over HTTP that are received or answered at a time, and how long one may take to arrive.
pub const SUBMISSIONS: usize = 512;
/// Of one peer.
pub const SUBMISSIONS_A_PEER: u32 = 192;
/// See [`SUBMISSIONS`].
pub const SUBMISSION_ARRIVAL: Duration = Duration::from_secs(10);
/// WebSockets that submissions come over.
pub const SUBMISSION_SOCKETS: usize = 64;
/// Of one peer.
pub const SUBMISSION_SOCKETS_A_PEER: u32 = 16;
/// A WebSocket over which nothing was submitted for this long is closed.
pub const SUBMISSION_SILENCE: Duration = Duration::from_secs(60);
/// Submissions of one WebSocket that wait for their verdicts; the next one is not read before.
pub const SUBMISSION_FRAMES: usize = 4;

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
pub const VERIFY_TRIES: u32 = 6;
/// How old a block is at least whose bodies may be kept no more: who says so of a younger one withholds them.
pub const VERIFY_NOT_KEPT: Duration = Duration::from_secs(600);
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
/// How long it waits before it says again what the sequencer was not ready for.
pub const VERIFY_ATTEST_AGAIN: Duration = Duration::from_secs(5);
/// How long it waits at the end for answers to its last attestations.
pub const VERIFY_GOODBYE: Duration = Duration::from_secs(10);
/// How long readers are given to hear that the process stops.
pub const GOODBYE: Duration = Duration::from_millis(500);
/// How long requests may still take when the process is told to stop.
pub const SHUTDOWN: Duration = Duration::from_secs(2);
