//! Replicas: state that follows the rows, in whatever order they come. This is section 4 of the design as code: its
//! specification, which property tests hold it to. The sequencer keeps its own state as a tree and stored writes.
//!
//! A row is applied when every key that it writes has the version that the row names, all its writes at once; nothing else
//! orders rows. One that comes early waits, within limits, and is applied as soon as its keys have come so far. So replicas
//! that received the same rows hold the same state, in whatever order, however late and however often they came.
//!
//! It assumes that rows come from blocks that were checked. Then for each version of a key there is one row that writes
//! the next one. A second such row is a conflict: the replica keeps to the first one that it was given and refuses the
//! other. What it says of a row is certain, but for one thing: which row wrote a version is remembered for the latest
//! writes only ([`ReplicaLimits::remembered_writes`]), so a row that only writes versions passed before those counts as
//! already applied, even if it is another one.

mod row_diff;

pub use row_diff::{Diff, DiffError, RowDiff};

use crate::{
    key::Key,
    limits,
    value::{Value, Version},
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};
use alloy_primitives::B256;

/// What became of a row that a replica was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was applied, and after it, in this order, these rows that had waited.
    Applied(Vec<RowDiff>),
    /// It waits, since these keys, ascending, have not come to the versions that it names.
    Waiting(Vec<Key>),
    /// It was applied before.
    Already,
    /// Another row writes one of its keys from the same version.
    Conflicting(Conflict),
    /// It would have to wait, and as many rows wait as may. Nothing changed: give it again after those before it.
    ///
    /// A row that need not wait is never refused, so giving all rows again and again gets all of them applied.
    Full,
}

/// Two rows that cannot be rows of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// A key that both write.
    pub key: Key,
    /// The version that both write it from.
    pub version: Version,
    /// The other row, if it waits or is remembered.
    pub other: Option<B256>,
}

/// How much a replica keeps beyond its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaLimits {
    /// Most rows that wait.
    pub waiting_rows: usize,
    /// Most writes of all rows that wait.
    pub waiting_writes: usize,
    /// Most writes of which the row is remembered.
    pub remembered_writes: usize,
}

impl Default for ReplicaLimits {
    fn default() -> Self {
        Self {
            waiting_rows: limits::REPLICA_WAITING_ROWS,
            waiting_writes: limits::REPLICA_WAITING_WRITES,
            remembered_writes: limits::REPLICA_REMEMBERED_WRITES,
        }
    }
}

/// State that follows the rows.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    limits: ReplicaLimits,
    state: BTreeMap<Key, (Version, Value)>,
    /// Rows that came early, by id.
    waiting: BTreeMap<B256, Early>,
    /// The writes of all waiting rows: which row each key's version waits for.
    wanted: BTreeMap<(Key, Version), B256>,
    /// Which row wrote a key from a version, for the latest writes.
    writers: BTreeMap<(Key, Version), B256>,
    /// The keys of `writers`, the oldest first.
    remembered: VecDeque<(Key, Version)>,
}

#[derive(Clone, Debug)]
struct Early {
    row: RowDiff,
    /// How many of its keys have not come to the versions that it names; at least one.
    missing: usize,
}

impl Replica {
    /// A replica of the state in which nothing was ever written.
    pub fn new(limits: ReplicaLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A replica of the state in which keys have the given versions and values, as it was after some whole rows.
    pub fn of_state(limits: ReplicaLimits, state: impl IntoIterator<Item = (Key, Version, Value)>) -> Self {
        let state = state.into_iter().map(|(key, version, value)| (key, (version, value))).collect();
        Self { limits, state, ..Self::default() }
    }

    /// The version of `key` and what it holds.
    pub fn get(&self, key: &Key) -> (Version, Value) {
        self.state.get(key).copied().unwrap_or((0, Value::absent(key)))
    }

    /// All keys ever written, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, Version, &Value)> {
        self.state.iter().map(|(key, (version, value))| (key, *version, value))
    }

    /// The rows that wait, in no particular order.
    pub fn waiting(&self) -> impl Iterator<Item = &RowDiff> {
        self.waiting.values().map(|early| &early.row)
    }

    /// Applies `row`, or says why not.
    ///
    /// A row without writes is applied each time.
    pub fn apply(&mut self, row: &RowDiff) -> Applied {
        if self.waiting.contains_key(&row.id()) {
            return Applied::Waiting(self.behind(row));
        }
        if let Some(conflict) = self.conflict(row) {
            return Applied::Conflicting(conflict);
        }
        if row.diffs().first().is_some_and(|diff| self.version(&diff.key) > diff.version) {
            return Applied::Already;
        }
        let behind = self.behind(row);
        if behind.is_empty() {
            return Applied::Applied(self.commit(row));
        }
        if !self.has_room_for(row) {
            return Applied::Full;
        }
        self.wanted.extend(row.diffs().iter().map(|diff| ((diff.key, diff.version), row.id())));
        self.waiting.insert(row.id(), Early { row: row.clone(), missing: behind.len() });
        Applied::Waiting(behind)
    }

    /// Takes back a row that waits, for whoever finds that it does not belong to the chain.
    pub fn withdraw(&mut self, id: &B256) -> Option<RowDiff> {
        let Early { row, .. } = self.waiting.remove(id)?;
        for diff in row.diffs() {
            self.wanted.remove(&(diff.key, diff.version));
        }
        Some(row)
    }

    fn version(&self, key: &Key) -> Version {
        self.state.get(key).map_or(0, |(version, _)| *version)
    }

    /// The keys that have not come to the versions that `row` names.
    fn behind(&self, row: &RowDiff) -> Vec<Key> {
        let behind = row.diffs().iter().filter(|diff| self.version(&diff.key) < diff.version);
        behind.map(|diff| diff.key).collect()
    }

    /// Another row than `row` that has written, or waits to write, one of its keys from the same version.
    fn conflict(&self, row: &RowDiff) -> Option<Conflict> {
        let passed = |diff: &&Diff| self.version(&diff.key) > diff.version;
        for diff in row.diffs() {
            let at = (diff.key, diff.version);
            let other = self.writers.get(&at).or_else(|| self.wanted.get(&at)).filter(|other| **other != row.id());
            if let Some(other) = other {
                return Some(Conflict { key: diff.key, version: diff.version, other: Some(*other) });
            }
        }
        // All writes of a row are applied at once: if only some of its versions have passed, another row passed them.
        let first = row.diffs().iter().find(passed)?;
        let split = !row.diffs().iter().all(|diff| passed(&diff));
        split.then_some(Conflict { key: first.key, version: first.version, other: None })
    }

    fn has_room_for(&self, row: &RowDiff) -> bool {
        let writes = self.wanted.len().saturating_add(row.diffs().len());
        self.waiting.len() < self.limits.waiting_rows && writes <= self.limits.waiting_writes
    }

    /// Applies `row`, all of whose keys have the versions named, and the waiting rows that thereby have theirs. Returns
    /// those, in the order in which they were applied.
    fn commit(&mut self, row: &RowDiff) -> Vec<RowDiff> {
        let mut ready = self.write(row);
        let mut released = vec![];
        while let Some(id) = ready.pop() {
            let Some(row) = self.withdraw(&id) else { continue };
            ready.extend(self.write(&row));
            released.push(row);
        }
        released
    }

    /// Writes what `row` writes. Returns the waiting rows that now miss nothing.
    fn write(&mut self, row: &RowDiff) -> Vec<B256> {
        let mut ready = vec![];
        for diff in row.diffs() {
            let version = diff.version + 1;
            self.state.insert(diff.key, (version, diff.after));
            self.remember((diff.key, diff.version), row.id());
            let waiting = self.wanted.get(&(diff.key, version)).copied();
            if let Some((id, early)) = waiting.and_then(|id| Some((id, self.waiting.get_mut(&id)?))) {
                early.missing -= 1;
                if early.missing == 0 {
                    ready.push(id);
                }
            }
        }
        ready
    }

    fn remember(&mut self, write: (Key, Version), row: B256) {
        self.writers.insert(write, row);
        self.remembered.push_back(write);
        while self.remembered.len() > self.limits.remembered_writes {
            if let Some(oldest) = self.remembered.pop_front() {
                self.writers.remove(&oldest);
            }
        }
    }
}
