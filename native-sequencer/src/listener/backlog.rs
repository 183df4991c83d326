//! What connections hold in memory, counted over all of them: requests under way, and answers that wait.
//!
//! Answers that wait for their readers, counted in bytes, so that all slow readers together take bounded memory.
//!
//! An answer is counted when it, or a part of it, is made ([`Backlog::owe`], [`Backlog::begin`]), and as much less when the connection has taken something, or
//! altogether when it is gone.

use crate::limits;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// What all connections are owed, and what they have asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlogs {
    owed: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Backlogs {
    /// That of a new connection.
    pub(super) fn open(&self) -> Backlog {
        let (heard, all_asked) = (AtomicUsize::new(0), self.asked.clone());
        Backlog(Arc::new(Owed { own: AtomicUsize::new(0), all: self.owed.clone(), heard, all_asked }))
    }
}

/// What one connection is owed, and has asked.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Owed>);

#[derive(Debug)]
struct Owed {
    own: AtomicUsize,
    all: Arc<AtomicUsize>,
    /// Bytes read since the last request.
    heard: AtomicUsize,
    all_asked: Arc<AtomicUsize>,
}

impl Backlog {
    /// Counts an answer of so many bytes; false, and it is not counted and must not be kept, if too much waits already.
    pub fn owe(&self, bytes: usize) -> bool {
        let most = if bytes <= limits::BACKLOG_SMALL { usize::MAX } else { limits::BACKLOG };
        let more = |all: usize| all.checked_add(bytes).filter(|all| *all <= most);
        if self.0.all.fetch_update(Relaxed, Relaxed, more).is_err() {
            return false;
        }
        self.0.own.fetch_add(bytes, Relaxed);
        true
    }

    /// So many bytes were read.
    pub(super) fn heard(&self, bytes: usize) {
        self.0.heard.fetch_add(bytes, Relaxed);
    }

    /// Counts a request that has arrived, with all that came along with it, until it is dropped.
    ///
    /// # Errors
    /// [`TooMuchAsked`], and it is not counted and must not be kept, if too much is under way already.
    pub fn ask(&self) -> Result<Asked, TooMuchAsked> {
        let bytes = self.0.heard.swap(0, Relaxed);
        let most = if bytes <= limits::ASKED_SMALL { usize::MAX } else { limits::ASKED };
        let more = |all: usize| all.checked_add(bytes).filter(|all| *all <= most);
        self.0.all_asked.fetch_update(Relaxed, Relaxed, more).map_err(|_| TooMuchAsked)?;
        Ok(Asked { bytes, all: self.0.all_asked.clone() })
    }

    /// Begins to count an answer that is made of several parts.
    pub fn begin(&self) -> Debt {
        Debt { backlog: self.clone(), bytes: 0 }
    }

    /// The connection has taken so many bytes, answers and what goes around them.
    pub(super) fn taken(&self, bytes: usize) {
        let less = |own: usize| Some(own.saturating_sub(bytes));
        // The update always has a value.
        let before = self.0.own.fetch_update(Relaxed, Relaxed, less).unwrap_or_default();
        self.0.all.fetch_sub(before.min(bytes), Relaxed);
    }

    /// That of the only connection there is.
    #[cfg(test)]
    pub(crate) fn alone() -> Self {
        Backlogs::default().open()
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(crate) fn owed(&self) -> usize {
        self.0.own.load(Relaxed)
    }
}

/// Requests under way take too much memory already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuchAsked;

/// A request under way.
#[derive(Debug)]
pub struct Asked {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Relaxed);
    }
}

/// What is counted of an answer in the making. It is given back if the answer is dropped unfinished.
#[derive(Debug)]
pub struct Debt {
    backlog: Backlog,
    bytes: usize,
}

impl Debt {
    /// Counts a part, as [`Backlog::owe`] does.
    pub fn owe(&mut self, bytes: usize) -> bool {
        let owed = self.backlog.owe(bytes);
        if owed {
            self.bytes += bytes;
        }
        owed
    }

    /// The answer is finished; it is owed until the connection takes it.
    pub fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        self.backlog.taken(self.bytes);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.all.fetch_sub(*self.own.get_mut(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_readers_share_what_may_wait() {
        let all = Backlogs::default();
        let (one, two) = (all.open(), all.open());
        assert!(one.owe(limits::BACKLOG - 10));
        assert!(!two.owe(limits::BACKLOG_SMALL + 1));
        assert!(two.owe(limits::BACKLOG_SMALL), "what is small is always given");
        assert_eq!(two.owed(), limits::BACKLOG_SMALL);
        one.taken(limits::BACKLOG);
        assert!(two.owe(limits::BACKLOG_SMALL + 1));
    }

    #[test]
    fn requests_under_way_share_what_they_may_take() {
        let all = Backlogs::default();
        let (one, two) = (all.open(), all.open());
        one.heard(limits::ASKED);
        let asked = one.ask().expect("room");
        two.heard(limits::ASKED_SMALL + 1);
        assert_eq!(two.ask().map(drop), Err(TooMuchAsked));
        two.heard(limits::ASKED_SMALL);
        assert!(two.ask().is_ok(), "what is small is always taken");
        drop(asked);
        two.heard(limits::ASKED_SMALL + 1);
        assert!(two.ask().is_ok());
    }

    #[test]
    fn an_answer_that_is_not_finished_is_not_owed() {
        let one = Backlogs::default().open();
        let mut dropped = one.begin();
        assert!(dropped.owe(10) && dropped.owe(20));
        assert_eq!(one.owed(), 30);
        drop(dropped);
        assert_eq!(one.owed(), 0);
        let mut kept = one.begin();
        assert!(kept.owe(10));
        kept.keep();
        assert_eq!(one.owed(), 10);
    }

    #[test]
    fn a_connection_that_is_gone_is_owed_nothing() {
        let all = Backlogs::default();
        let one = all.open();
        assert!(one.owe(limits::BACKLOG));
        drop(one);
        assert!(all.open().owe(limits::BACKLOG));
    }
}
