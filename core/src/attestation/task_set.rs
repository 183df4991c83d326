//! Sets of the tasks of one block.

use super::AttestationError;
use crate::limits;
use alloc::{vec, vec::Vec};
use serde::{Deserialize, Serialize};

/// The most bytes of a bitmap.
const BYTES: usize = limits::BLOCK_TASKS / 8;

/// A set of tasks of one block, each named by its place in the block's manifest: rows first, then columns.
///
/// A bitmap of which trailing zero bytes are left out, so equal sets have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<u8>", try_from = "Vec<u8>")]
pub struct TaskSet(Vec<u8>);

impl TaskSet {
    /// The set of no task.
    pub const EMPTY: Self = Self(Vec::new());

    /// The set of the first `count` tasks, or of [`limits::BLOCK_TASKS`] if that is less.
    pub fn all(count: u32) -> Self {
        let count = (count as usize).min(limits::BLOCK_TASKS);
        let mut bytes = vec![0xff; count / 8];
        if !count.is_multiple_of(8) {
            bytes.push((1 << (count % 8)) - 1);
        }
        Self(bytes)
    }

    /// Adds a task.
    ///
    /// # Errors
    /// [`AttestationError::NoSuchTask`] if no block can have it.
    pub fn insert(&mut self, task: u32) -> Result<(), AttestationError> {
        let at = task as usize / 8;
        if at >= BYTES {
            return Err(AttestationError::NoSuchTask);
        }
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        if let Some(byte) = self.0.get_mut(at) {
            *byte |= 1 << (task % 8);
        }
        Ok(())
    }

    /// Adds the tasks of `other`.
    pub fn union(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    /// The tasks that are in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        Self::trimmed(self.0.iter().zip(&other.0).map(|(mine, theirs)| mine & theirs).collect())
    }

    /// The tasks that are not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        let theirs = other.0.iter().chain(core::iter::repeat(&0));
        Self::trimmed(self.0.iter().zip(theirs).map(|(mine, theirs)| mine & !theirs).collect())
    }

    /// The set with this bitmap, of which zero bytes at the end are left out.
    fn trimmed(mut bytes: Vec<u8>) -> Self {
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(length);
        Self(bytes)
    }

    /// Whether `task` is in the set.
    pub fn contains(&self, task: u32) -> bool {
        self.0.get(task as usize / 8).is_some_and(|byte| byte & (1 << (task % 8)) != 0)
    }

    /// Whether every task of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        // A longer bitmap has a bit that a shorter one has not: its last byte is not zero.
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(mine, theirs)| mine & !theirs == 0)
    }

    /// The number of tasks in the set.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Whether the set has no task.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more than the last task; 0 if there is none.
    pub fn end(&self) -> u32 {
        self.0.last().map_or(0, |last| (self.0.len() as u32) * 8 - last.leading_zeros())
    }

    /// The tasks, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.end()).filter(|task| self.contains(*task))
    }

    /// The first of `count` tasks that is not in the set.
    pub fn first_missing(&self, count: u32) -> Option<u32> {
        let full = self.0.iter().take_while(|byte| **byte == 0xff).count() as u32;
        let inside = self.0.get(full as usize).map_or(0, |byte| byte.trailing_ones());
        Some(full * 8 + inside).filter(|missing| *missing < count)
    }

    /// The bitmap: bit `i % 8`, the least being 0, of byte `i / 8` is task `i`; the last byte is not zero.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for TaskSet {
    type Error = AttestationError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, AttestationError> {
        if bytes.len() > BYTES {
            return Err(AttestationError::NoSuchTask);
        }
        if bytes.last() == Some(&0) {
            return Err(AttestationError::Padded);
        }
        Ok(Self(bytes))
    }
}

impl From<TaskSet> for Vec<u8> {
    fn from(set: TaskSet) -> Self {
        set.0
    }
}
