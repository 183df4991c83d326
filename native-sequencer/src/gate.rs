//! Blocking work on behalf of requests: off the async threads, so much of it at a time, and not too much waiting for its turn.

use crate::limits;
use std::{marker::PhantomData, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinError,
};

/// Why work was not done.
#[derive(Debug)]
pub(crate) enum NotDone {
    /// Too much waits, or has waited for too long.
    Busy,
    /// It panicked.
    Failed(JoinError),
}

/// Lets a bounded number of pieces of work run at a time, which fail with `E`; clones are the same gate.
#[derive(Debug)]
pub(crate) struct Gate<E> {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    patience: Duration,
    error: PhantomData<fn() -> E>,
}

impl<E: From<NotDone> + Send + 'static> Gate<E> {
    /// Lets so many run; [`limits::WAITING`] more wait.
    pub(crate) fn new(at_a_time: usize) -> Self {
        Self::with(at_a_time, limits::TURN)
    }

    fn with(at_a_time: usize, patience: Duration) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(at_a_time.saturating_add(limits::WAITING))),
            running: Arc::new(Semaphore::new(at_a_time)),
            patience,
            error: PhantomData,
        }
    }

    /// A turn if one is free now.
    pub(crate) fn turn_now(&self) -> Option<OwnedSemaphorePermit> {
        self.running.clone().try_acquire_owned().ok()
    }

    /// Waits for a turn, but not for long.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, E> {
        let busy = || E::from(NotDone::Busy);
        let _admitted = self.admitted.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = tokio::time::timeout(self.patience, self.running.clone().acquire_owned()).await;
        turn.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Runs `work` when it is its turn.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let turn = self.turn().await?;
        // The turn lasts as long as the work, even if whoever asked for it has gone.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.unwrap_or_else(|error| Err(NotDone::Failed(error).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl From<NotDone> for bool {
        fn from(why: NotDone) -> Self {
            matches!(why, NotDone::Busy)
        }
    }

    #[tokio::test]
    async fn who_waits_too_long_for_a_turn_is_told() {
        let gate = Gate::<bool>::with(1, Duration::ZERO);
        let turn = gate.turn_now().expect("a turn");
        assert!(gate.turn_now().is_none());
        assert_eq!(gate.run(|| Ok(7)).await, Err(true));
        drop(turn);
        assert_eq!(gate.turn().await.map(drop), Ok(()));
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let gate = Gate::<bool>::new(1);
        let _turn = gate.turn_now();
        let waiting: Vec<_> = (0..=limits::WAITING).map(|_| gate.turn()).collect();
        let mut waiting: Vec<_> = waiting.into_iter().map(Box::pin).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert_eq!(gate.turn().await.map(drop), Err(true), "at once, not after a while");
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_gives_its_turn_back() {
        let gate = Gate::<bool>::new(1);
        assert_eq!(gate.run::<()>(|| panic!("a bug")).await, Err(false));
        assert!(gate.turn_now().is_some());
    }
}
