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

/// The signed bytes of a block's transactions, which whoever works on some of them shares.
pub(super) type RawBlock = Arc<[Bytes]>;

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
    raws: &[RawBlock],
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
    raw: &RawBlock,
    recover: &Arc<impl Fn(&[Bytes]) -> Result<Vec<R>, BenchError> + Send + Sync + 'static>,
) -> Result<Vec<R>, BenchError> {
    let (done, chunks) = mpsc::channel();
    for from in (0..raw.len()).step_by(RECOVERED_AT_ONCE) {
        let (raw, recover, done) = (raw.clone(), recover.clone(), done.clone());
        let chunk = from..raw.len().min(from + RECOVERED_AT_ONCE);
        // Nobody waits for it any more if another chunk failed.
        rayon::spawn(move || drop(done.send((from, recover(&raw[chunk])))));
    }
    drop(done);
    let mut chunks: Vec<(usize, Result<Vec<R>, BenchError>)> = chunks.into_iter().collect();
    chunks.sort_unstable_by_key(|(from, _)| *from);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of one transaction more than are recovered at once, of a byte that says which block it is.
    fn raws(blocks: u8) -> Vec<RawBlock> {
        (1..=blocks).map(|block| vec![Bytes::from(vec![block]); RECOVERED_AT_ONCE + 1].into()).collect()
    }

    fn recover(raw: &[Bytes]) -> Result<Vec<u8>, BenchError> {
        Ok(raw.iter().map(|raw| raw[0]).collect())
    }

    /// What is recovered of the last of five blocks, what was made before, and how it ended.
    fn run(
        recover: impl Fn(&[Bytes]) -> Result<Vec<u8>, BenchError> + Send + Sync + 'static,
        unmakable: u8,
    ) -> (Vec<u8>, Result<Vec<u8>, String>) {
        let mut made = Vec::new();
        let make = |block: Vec<u8>| {
            made.push(block[0]);
            if block[0] == unmakable { Err(BenchError::Invalid("not made")) } else { Ok(()) }
        };
        let last = in_gaps(vec![0], &raws(5), recover, make);
        (made, last.map_err(|error| error.to_string()))
    }

    #[test]
    fn blocks_are_made_in_order_and_the_last_is_recovered() {
        let (made, last) = run(recover, u8::MAX);
        assert_eq!(made, [0, 1, 2, 3, 4]);
        assert_eq!(last, Ok(vec![5; RECOVERED_AT_ONCE + 1]));
    }

    #[test]
    fn what_does_not_recover_ends_the_line_there() {
        let (made, last) =
            run(|raw| if raw[0][0] == 3 { Err(BenchError::Invalid("no key")) } else { recover(raw) }, u8::MAX);
        assert_eq!(made, [0, 1, 2]);
        assert!(last.is_err_and(|error| error.contains("no key")));
    }

    #[test]
    fn a_lost_transaction_is_not_measured() {
        let losing = |raw: &[Bytes]| {
            recover(raw).map(|mut found| {
                if found[0] == 2 {
                    found.pop();
                }
                found
            })
        };
        let (made, last) = run(losing, u8::MAX);
        assert_eq!(made, [0, 1]);
        assert!(last.is_err_and(|error| error.contains("senders were not recovered")));
    }

    #[test]
    fn a_block_that_is_not_made_is_the_last() {
        for unmakable in [0, 2, 4] {
            let (made, last) = run(recover, unmakable);
            assert_eq!(made.last(), Some(&unmakable));
            assert!(last.is_err_and(|error| error.contains("not made")));
        }
    }
}
