/** Every limit of the package on a size, a count or a time. */

/** Most bytes of a chain's configuration. */
export const CONFIG_BYTES = 4 << 20;
/** Most bytes of a block document: the largest manifest, and the rest. */
export const DOCUMENT_BYTES = (8 << 20) + (64 << 10);
/** Most bytes of a row task or a column body: the largest body, and the paths of a row's cells. */
export const BODY_BYTES = 16 << 20;
/** Most bytes of one piece of code. */
export const CODE_BYTES = 0x6000;
/** Most bytes of evidence: the core's limit of 22.8 MiB, rounded up. */
export const EVIDENCE_BYTES = 24 << 20;
/** Most bytes of a frame of the stream. */
export const FRAME_BYTES = 16 << 20;
/** Most bytes of where the chain is: mostly its verifiers. */
export const SUMMARY_BYTES = 8 << 20;
/** Most bytes of an answer that says why something was refused. */
export const REASON_BYTES = 4 << 10;

/** Most bytes of code that are kept, for all workers together and once more in each. */
export const CODE_CACHE_BYTES = 16 << 20;
/** Most blocks that a worker keeps open. */
export const OPEN_BLOCKS = 8;
/** Most blocks that are remembered: to go back to, and while their tasks are waiting. */
export const REMEMBERED_BLOCKS = 2_048;
/** Most blocks above the last certified one that certificates are verified with: as many as the sequencer collects for. */
export const UNCERTIFIED_BLOCKS = 65_536;
/** Most certificates that are fetched at once to join one to what is certified; the next one goes on from there. */
export const JOINED_CERTIFICATES = 64;
/** Most certified blocks whose tasks an idle verifier still checks. */
export const CERTIFIED_BLOCKS = 64;
/** How far above the lowest task that waits a verifier that checks everything follows the chain. */
export const BLOCKS_AHEAD = 256;
/** Most bytes of the documents of remembered blocks; those of older ones are fetched again when they are needed. */
export const DOCUMENTS_KEPT_BYTES = 64 << 20;
/** Most blocks that one attestation lists tasks of. */
export const ATTESTATION_BLOCKS = 256;
/** Most tasks that one attestation lists: it stays far below its limit of bytes. */
export const ATTESTATION_TASKS = 32_768;
/** Most frames that wait to be read; with more, the connection is given up and made again. */
export const WAITING_FRAMES = 1_024;
/** Most bytes of frames that wait to be read: more than two of the largest. */
export const WAITING_BYTES = 40 << 20;
/** Most pieces of evidence by others that are fetched and checked. */
export const FOREIGN_EVIDENCE = 64;

/** A verifier further behind than this many blocks begins anew, nearer to the head. */
export const CATCH_UP_BLOCKS = 1_024;
/** A chain no higher than this is followed from its genesis. */
export const FROM_GENESIS_BLOCKS = 256;
/** How often a body, document or piece of code is asked for at once before it counts as not to be had for now. */
export const FETCH_ATTEMPTS = 4;
/** How often a task is begun again after its worker crashed. */
export const TASK_ATTEMPTS = 3;
/** How long a task that gets no verdict is tried again, in milliseconds. */
export const TASK_PATIENCE_MS = 600_000;
/** Most tasks that wait to be tried again, each by itself. */
export const FAILING_TASKS = 4_096;
/** How far a header's time may be ahead of the own clock, in milliseconds, to be voted for. */
export const CLOCK_AHEAD_MS = 2_000;
/** The time between two attestations, in milliseconds. */
export const ATTESTATION_INTERVAL_MS = 1_000;
/** How long a request may take, in milliseconds. */
export const REQUEST_MS = 15_000;
/** How long a worker may take to begin, and to answer a call, in milliseconds. */
export const WORKER_MS = 60_000;
/** When a stream has brought nothing for this long, the endpoint is asked whether it should have, in milliseconds. */
export const SILENCE_MS = 60_000;
/** The first and the longest wait before something is tried again, in milliseconds. */
export const RETRY_MIN_MS = 250;
export const RETRY_MAX_MS = 15_000;
