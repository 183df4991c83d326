//! The core's independent work on all threads of the machine.

use ocelli_core::parallel::Parallel;
use rayon::prelude::*;

/// rayon's threads, each of which takes what is left to do.
#[derive(Clone, Copy, Debug)]
pub struct AllThreads;

impl Parallel for AllThreads {
    fn join<A: Send, B: Send>(&self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        rayon::join(a, b)
    }

    fn map<T: Sync, R: Send>(&self, items: &[T], each: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
        // Each is worth a core's time, and some take longer than others.
        items.par_iter().with_max_len(1).map(each).collect()
    }
}
