//! Which tasks of which blocks enough owners have checked.
//!
//! A task counts once for each owner that lists it, in however many attestations and through however many session keys.

use super::{CertifiedBlock, offset};
use crate::attestation::{Attestation, TaskSet};
use alloc::{collections::BTreeMap, vec, vec::Vec};

/// No task.
static NONE: TaskSet = TaskSet::EMPTY;

/// What one owner listed, by block.
pub(super) type Listed = BTreeMap<u64, TaskSet>;

/// The tasks of one block that owners list: those that one at least lists, that two at least list, and so on. None but the
/// last set may be needed, and none beyond it is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels(Vec<TaskSet>);

impl Levels {
    /// Adds what one more owner lists, and says how many of these tasks lacked an owner.
    pub(super) fn add(&mut self, mut tasks: TaskSet, redundancy: u16) -> u32 {
        let listed = tasks.len();
        for level in &mut self.0 {
            let known = tasks.intersection(level);
            level.union(&tasks);
            tasks = known;
        }
        if !tasks.is_empty() && self.0.len() < usize::from(redundancy) {
            self.0.push(core::mem::take(&mut tasks));
        }
        // What was in every set before lacked nobody.
        listed - tasks.len()
    }

    /// The tasks that enough owners list.
    pub(super) fn covered(&self, redundancy: u16) -> &TaskSet {
        usize::from(redundancy).checked_sub(1).and_then(|last| self.0.get(last)).unwrap_or(&NONE)
    }
}

/// The tasks of consecutive blocks that owners list.
pub(super) struct Coverage {
    after: u64,
    redundancy: u16,
    pub(super) blocks: Vec<Levels>,
}

impl Coverage {
    /// Of `length` blocks above `after`, each task of which as many owners must list as `redundancy` says.
    pub(super) fn new(after: u64, length: usize, redundancy: u16) -> Self {
        Self { after, redundancy, blocks: vec![Levels::default(); length] }
    }

    /// Adds the tasks of `attestation`, whose owner has `listed` these before, and says whether any of them lacked it.
    pub(super) fn add(&mut self, listed: &mut Listed, attestation: &Attestation) -> bool {
        let mut grew = false;
        for (height, tasks) in attestation.tasks().iter().map(|list| (list.height, &list.tasks)) {
            let at = offset(self.after, height);
            if let Some(levels) = at.and_then(|at| self.blocks.get_mut(at)) {
                let known = listed.entry(height).or_default();
                let new = tasks.difference(known);
                known.union(tasks);
                grew |= levels.add(new, self.redundancy) > 0;
            }
        }
        grew
    }

    /// The first task of `blocks`, which are those from the first one on, that too few list; with its height.
    pub(super) fn first_missing(&self, blocks: &[CertifiedBlock]) -> Option<(u64, u32)> {
        blocks.iter().zip(&self.blocks).find_map(|(block, levels)| {
            Some((block.height, levels.covered(self.redundancy).first_missing(block.tasks)?))
        })
    }
}
