//! Every limit that the protocol puts on a length, a count or a depth.
//!
//! Limits that may change by height are part of [`crate::params::Params`]; the constants here bound what a decoder
//! accepts before any parameters are known, and what the format itself cannot exceed.

/// Most transactions in one row.
pub const ROW_TRANSACTIONS: usize = 256;
/// Most transactions that any row may have; a chain may set [`ROW_TRANSACTIONS`] as low as it likes.
pub const ROW_TRANSACTIONS_ANY: usize = 4_096;
/// Most gas that the transactions of one row may spend, before refunds: the protocol's largest transaction (EIP-7825).
pub const ROW_GAS: u64 = 1 << 24;
/// Most work in one row, in gas as [`crate::evm::work`] counts it.
pub const ROW_WORK: u64 = 1 << 26;
/// Most bytes in the body of one row.
pub const ROW_BODY_BYTES: usize = 1 << 20;
/// Most bytes that any row body may have; a chain may set [`ROW_BODY_BYTES`] as low as it likes.
pub const ROW_BODY_BYTES_ANY: usize = 4 << 20;
/// Most bytes of code that one row may ask for.
pub const ROW_CODE_BYTES: usize = 2 << 20;
/// Most code blobs that one row may ask for. A cold account access costs 2,600 gas (EIP-2929), so [`ROW_GAS`] allows
/// fewer than 6,500; the bound is for decoders.
pub const ROW_CODES: usize = 8_192;
/// Most accesses of one row. A cold access costs at least 1,900 gas and a transaction's own accounts at least 21,000, so
/// [`ROW_GAS`] allows fewer than 9,000; authorizations and access lists stay below that too.
pub const ROW_ACCESSES: usize = 16_384;
/// Most accesses of a column that holds more than one key.
pub const COLUMN_ACCESSES: usize = 4_096;
/// Most accesses of any column; a chain may set [`COLUMN_ACCESSES`] as low as it likes. One key used by every row of a block has no
/// more than [`BLOCK_ROWS`].
pub const COLUMN_ACCESSES_ANY: usize = 1 << 18;
/// Most bytes in the body of one column that holds more than one key.
pub const COLUMN_BODY_BYTES: usize = 1 << 20;
/// Most bytes in the body of any column: one key used by every row of a block, and nothing else, is far below this.
pub const COLUMN_BODY_BYTES_ANY: usize = 4 << 20;
/// A block with `n` accesses has at most `n / COLUMN_ACCESSES_AT_LEAST + COLUMNS_EXTRA` columns.
pub const COLUMN_ACCESSES_AT_LEAST: usize = 1_024;
/// See [`COLUMN_ACCESSES_AT_LEAST`].
pub const COLUMNS_EXTRA: usize = 64;
/// Most rows in one block.
pub const BLOCK_ROWS: usize = 1 << 14;
/// Most columns in one block.
pub const BLOCK_COLUMNS: usize = 1 << 14;
/// Most bytes of an encoded manifest.
pub const MANIFEST_BYTES: usize = 8 << 20;
/// Bits in a path, the greatest depth of a leaf.
pub const PATH_BITS: usize = 256;
/// Most bytes in one EIP-2718 transaction.
pub const TRANSACTION_BYTES: usize = 128 << 10;
/// Most hashes in one Merkle path: trees have at most 2^64 leaves.
pub const MERKLE_PATH: usize = 64;
/// Most leaves of an append-only log that a decoder accepts.
pub const LOG_LEAVES: u64 = 1 << 63;
/// Most keys that one proof of state is about.
pub const PROOF_KEYS: usize = 128;
/// Most bytes of an encoded proof of state: for each key a path of 256 hashes, their shape, and two opened leaves.
pub const STATE_PROOF_BYTES: usize = PROOF_KEYS * (PATH_BITS * 34 + 512);
/// Most topics of one log.
pub const LOG_TOPICS: usize = 4;
/// Most bytes of an encoded proof of a receipt: a transaction and its logs (8 gas a byte at least, so 2 MiB), a row header,
/// and four paths.
pub const RECEIPT_PROOF_BYTES: usize = 4 << 20;
/// Most bytes of an encoded [`crate::message::BlockDocument`].
pub const BLOCK_DOCUMENT_BYTES: usize = MANIFEST_BYTES + (8 << 10);
/// Most bytes of one frame of the stream: a certificate, or an attestation.
pub const STREAM_MESSAGE_BYTES: usize = 17 << 20;
/// Most bytes of one piece of code (EIP-170).
pub const CODE_BYTES: usize = 0x6000;
/// Most registered verifiers: a certificate has room for a vote of each, and for as many attestations again that cover.
pub const VERIFIERS: usize = 1 << 11;
const _: () = assert!(2 * VERIFIERS <= CERTIFICATE_ATTESTATIONS);
/// Most tasks in one block.
pub const BLOCK_TASKS: usize = BLOCK_ROWS + BLOCK_COLUMNS;
/// Most blocks that one attestation lists tasks of.
pub const ATTESTATION_BLOCKS: usize = 256;
/// Most bytes of an attestation's list of tasks, as it is signed: every task of sixteen of the largest blocks, or of
/// ninety seconds of blocks of a hundred tasks.
pub const ATTESTATION_TASKS_BYTES: usize = 64 << 10;
/// Most bytes of an encoded attestation: its tasks, whose numbers may take up to four bytes more a block, and the rest.
pub const ATTESTATION_BYTES: usize = ATTESTATION_TASKS_BYTES + 4 * ATTESTATION_BLOCKS + 512;
/// Most bytes of an encoded promise: three numbers, a hash, an address and a signature.
pub const PROMISE_BYTES: usize = 256;
/// Most transactions that are handed in together.
pub const SUBMISSION_TRANSACTIONS: usize = 1 << 10;
/// Most bytes of an encoded submission: several of the largest transactions, or as many small ones as there may be.
pub const SUBMISSION_BYTES: usize = 1 << 20;
/// Most bytes of the encoded verdicts on a submission: a promise each, or why there is none.
pub const VERDICTS_BYTES: usize = 1 << 20;
/// Most attestations in one certificate.
pub const CERTIFICATE_ATTESTATIONS: usize = 1 << 12;
/// Most bytes of an encoded certificate.
pub const CERTIFICATE_BYTES: usize = 16 << 20;
/// Most blocks above the last certified one that attestations are collected for: almost two hours of blocks.
pub const COLLECTOR_BLOCKS: usize = 1 << 16;
/// Most attestations that are kept of one verifier until the next certificate.
pub const COLLECTOR_ATTESTATIONS: usize = 256;
/// Most bytes of lists of tasks that are kept of one verifier until the next certificate.
pub const COLLECTOR_TASKS_BYTES: usize = 1 << 20;
/// Most bytes of a row's cells: for each column a hash and a path of at most 14 (2^14 rows), each hash in 33 bytes.
pub const ROW_CELLS_BYTES: usize = BLOCK_COLUMNS * 15 * 33 + (1 << 10);
/// Most bytes of encoded evidence: a manifest, a row's body, cells and code, and a header. A fault that does not fit would be
/// a fault that cannot be shown.
pub const EVIDENCE_BYTES: usize = MANIFEST_BYTES + ROW_BODY_BYTES_ANY + ROW_CELLS_BYTES + ROW_CODE_BYTES + (1 << 20);
/// Most rows that a replica lets wait for rows before them: those of a block.
pub const REPLICA_WAITING_ROWS: usize = BLOCK_ROWS;
/// Most writes of all rows that a replica lets wait; a write takes about 300 bytes there.
pub const REPLICA_WAITING_WRITES: usize = 1 << 18;
/// Most writes of which a replica remembers the row; one takes about 200 bytes.
pub const REPLICA_REMEMBERED_WRITES: usize = 1 << 18;
