//! Lies that a sequencer may tell, as data: how a block is changed, and which check must find it out.
//!
//! Every lie is told consistently. Hashes, roots, counts, sums and the signature are made to fit, so that nothing gives it
//! away but what it is about. The same list runs natively and, exported, in a browser.

pub mod forge;

mod columns;
mod execution;
mod headers;
mod limits;
mod manifests;
mod proofs;
mod rows;
mod supply;
mod transactions;
mod tree;

use crate::{
    chain::TestBlock,
    verdicts::{Check, Verdict},
};
use ocelli_core::{
    evidence::Fault,
    refusal::{NotCommitted, Refusal},
};

/// A lie.
#[derive(Clone, Copy, Debug)]
pub struct Lie {
    /// What it is.
    pub name: &'static str,
    /// Tells it; `None` where the block offers nothing to tell it about.
    pub apply: fn(&mut TestBlock) -> Option<()>,
    /// How it must be found out.
    pub expect: Expect,
}

/// How a lie must be found out.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// By this fault, and by no other check than those that find this fault.
    Only(fn(&Fault) -> bool),
    /// By this fault; other checks may find in their own way that something is wrong.
    Among(fn(&Fault) -> bool),
    /// Nothing is said about the block, for this reason, and no check finds a fault.
    NotCommitted(fn(&NotCommitted) -> bool),
}

impl Expect {
    /// Whether the checks of a block ended as expected.
    pub fn is_met(&self, verdicts: &[(Check, Verdict)]) -> bool {
        let faults = || verdicts.iter().filter_map(|(_, verdict)| fault(verdict));
        let not_committed = || verdicts.iter().filter_map(|(_, verdict)| reason(verdict));
        match self {
            Self::Only(expected) => {
                faults().next().is_some() && faults().all(expected) && not_committed().next().is_none()
            }
            Self::Among(expected) => faults().any(expected),
            Self::NotCommitted(expected) => {
                faults().next().is_none() && not_committed().next().is_some() && not_committed().all(expected)
            }
        }
    }
}

/// The fault that a check found.
pub fn fault(verdict: &Verdict) -> Option<&Fault> {
    match verdict {
        Err(Refusal::Fault(fault)) => Some(fault),
        _ => None,
    }
}

fn reason(verdict: &Verdict) -> Option<&NotCommitted> {
    match verdict {
        Err(Refusal::NotCommitted(reason)) => Some(reason),
        _ => None,
    }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Lie> {
    let lists = [
        headers::LIES,
        manifests::LIES,
        rows::LIES,
        transactions::LIES,
        columns::LIES,
        proofs::LIES,
        execution::LIES,
        tree::LIES,
        limits::LIES,
        supply::LIES,
    ];
    lists.into_iter().flatten()
}

/// Found by a fault of this shape and no other.
macro_rules! only {
    ($fault:pat $(if $guard:expr)?) => {
        $crate::lies::Expect::Only(|fault| matches!(fault, $fault $(if $guard)?))
    };
}

/// Found by a fault of this shape, among others.
macro_rules! among {
    ($fault:pat $(if $guard:expr)?) => {
        $crate::lies::Expect::Among(|fault| matches!(fault, $fault $(if $guard)?))
    };
}

/// Not what the block commits to, for a reason of this shape.
macro_rules! not_committed {
    ($reason:pat) => {
        $crate::lies::Expect::NotCommitted(|reason| matches!(reason, $reason))
    };
}

use {among, not_committed, only};
