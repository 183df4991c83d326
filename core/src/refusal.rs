//! How a check ends when it does not end well.

use alloy_primitives::B256;

/// A check that did not end in *valid*: the two kinds of refusal must never be confused, because only a fault is evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal<F> {
    /// What the block commits to is wrong.
    Fault(F),
    /// What was given is not what the block commits to. It says nothing about the block: ask elsewhere.
    NotCommitted(NotCommitted),
}

impl<F> Refusal<F> {
    /// The same refusal with its fault seen as part of a larger one.
    pub fn map_fault<G>(self, map: impl FnOnce(F) -> G) -> Refusal<G> {
        match self {
            Self::Fault(fault) => Refusal::Fault(map(fault)),
            Self::NotCommitted(reason) => Refusal::NotCommitted(reason),
        }
    }
}

impl<F> From<NotCommitted> for Refusal<F> {
    fn from(reason: NotCommitted) -> Self {
        Self::NotCommitted(reason)
    }
}

/// Why what was given is not what a block commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotCommitted {
    /// The block has no task with this index.
    NoSuchTask,
    /// The body has another hash.
    Body,
    /// A path does not lead from the row's cell to a column's `cells_root`.
    CellPath,
    /// Code that the body names was not given, or other code was.
    NoCode(B256),
    /// The header given as parent is not the parent.
    Parent,
    /// The log given is not the parent's log of ancestors.
    Ancestors,
    /// The header is not of this chain.
    OtherChain,
    /// The header is not signed by the chain's sequencer.
    NotSigned,
    /// The manifest is another one.
    Manifest,
}

impl core::fmt::Display for NotCommitted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchTask => f.write_str("the block has no such task"),
            Self::Body => f.write_str("not the body that the block commits to"),
            Self::CellPath => f.write_str("not the cell that the column commits to"),
            Self::NoCode(hash) => write!(f, "the code {hash} is missing or another"),
            Self::Parent => f.write_str("not the block's parent"),
            Self::Ancestors => f.write_str("not the parent's log of ancestors"),
            Self::OtherChain => f.write_str("a header of another chain"),
            Self::NotSigned => f.write_str("not signed by the chain's sequencer"),
            Self::Manifest => f.write_str("not the manifest that the block commits to"),
        }
    }
}
