//! Blocks of which different ones are in different stages at the same time, ours and the peer's alike.

use super::BenchError;
use alloy_primitives::Bytes;
use rayon::Yield;
use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, TryRecvError},
    },
    thread,
};

/// Transactions whose signers one core recovers at a time.
pub(super) const RECOVERED_AT_ONCE: usize = 256;

/// Blocks whose senders are known and that wait to be made, besides one that waits for its place among them.
const AHEAD: usize = 1;

/// Makes a block of `ready` and of each of `raws` but the last, one after the other, on rayon's threads; those of them that find
/// nothing to do for it `recover` what the blocks after it are made of. Gives what was recovered of the last of `raws`. Not to be
/// called by one of them.
///
/// # Errors
/// The first that is met; [`BenchError`] if something was not recovered.
pub(super) fn in_gaps<R: Send + 'static>(
    ready: Vec<R>,
    raws: &[Vec<Bytes>],
    recover: impl Fn(&[Bytes]) -> Result<Vec<R>, BenchError> + Send + Sync + 'static,
    mut make: impl FnMut(Vec<R>) -> Result<(), BenchError> + Send,
) -> Result<Vec<R>, BenchError> {
    let recover = Arc::new(recover);
    let (recovered, blocks) = mpsc::sync_channel(AHEAD);
    thread::scope(|scope| {
        let recovering = scope.spawn(move || -> Result<(), BenchError> {
            for raw in raws {
                // Whoever takes no more of them has failed, and says so.
                if recovered.send(recover_all(raw, &recover)?).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let last: Result<_, BenchError> = rayon::scope(move |_| {
            let mut ready = Some(ready);
            for _ in raws {
                let Some(block) = ready else { break };
                make(block)?;
                ready = next(&blocks);
            }
            Ok(ready)
        });
        recovering.join().unwrap_or(Err(NOT_RECOVERED))?;
        last?.ok_or(NOT_RECOVERED)
    })
}

const NOT_RECOVERED: BenchError = BenchError::Invalid("senders were not recovered");

/// Recovers a block in chunks. Of what is handed in from outside rayon's threads, they take the first first, when nothing else
/// is left to do.
fn recover_all<R: Send + 'static>(
    raw: &[Bytes],
    recover: &Arc<impl Fn(&[Bytes]) -> Result<Vec<R>, BenchError> + Send + Sync + 'static>,
) -> Result<Vec<R>, BenchError> {
    let (done, chunks) = mpsc::channel();
    for (at, chunk) in raw.chunks(RECOVERED_AT_ONCE).enumerate() {
        let (chunk, recover, done) = (chunk.to_vec(), recover.clone(), done.clone());
        // Nobody waits for it any more if another chunk failed.
        rayon::spawn(move || drop(done.send((at, recover(&chunk)))));
    }
    drop(done);
    let mut chunks: Vec<(usize, Result<Vec<R>, BenchError>)> = chunks.into_iter().collect();
    chunks.sort_unstable_by_key(|(at, _)| *at);
    let mut whole = Vec::with_capacity(raw.len());
    for (_, chunk) in chunks {
        whole.extend(chunk?);
    }
    if whole.len() == raw.len() { Ok(whole) } else { Err(NOT_RECOVERED) }
}

/// What comes next, or `None` if nothing does; until then this thread of rayon's does what others handed in.
fn next<T>(blocks: &Receiver<T>) -> Option<T> {
    loop {
        match blocks.try_recv() {
            Ok(block) => return Some(block),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {
                if rayon::yield_now() != Some(Yield::Executed) {
                    thread::yield_now();
                }
            }
        }
    }
}
