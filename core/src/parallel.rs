//! Independent work, side by side where the caller has threads for it.
//!
//! The core starts no thread. It says what may run at the same time, and whoever calls says how; results come in the order of
//! the work, so they are the same however it was done.

use alloc::vec::Vec;

/// Who does independent work.
pub trait Parallel: Sync {
    /// What both functions give.
    fn join<A: Send, B: Send>(&self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B);

    /// What `each` gives for every item, in the order of the items.
    fn map<T: Sync, R: Send>(&self, items: &[T], each: impl Fn(&T) -> R + Sync + Send) -> Vec<R>;
}

/// One thread, which does one thing after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneByOne;

impl Parallel for OneByOne {
    fn join<A: Send, B: Send>(&self, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
        (a(), b())
    }

    fn map<T: Sync, R: Send>(&self, items: &[T], each: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
        items.iter().map(each).collect()
    }
}
