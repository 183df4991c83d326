//! What every check says of a block, and the evidence that follows from it.

use crate::chain::TestBlock;
use alloy_primitives::Bytes;
use ocelli_core::{
    block::verify_block,
    column::verify_column,
    evidence::{Claim, Fault},
    refusal::{NotCommitted, Refusal},
    row::verify_row,
};

/// One check of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The block rules.
    Block,
    /// A row, by its index.
    Row(usize),
    /// A column, by its index.
    Column(usize),
}

/// How a check ended.
pub type Verdict = Result<(), Refusal<Fault>>;

/// Every check of `block` and how it ends: the block rules, rows, columns.
pub fn verdicts(block: &TestBlock) -> Vec<(Check, Verdict)> {
    let manifest = &block.assembled.manifest;
    let rows = (0..manifest.rows.len()).map(Check::Row);
    let columns = (0..manifest.columns.len()).map(Check::Column);
    core::iter::once(Check::Block).chain(rows).chain(columns).map(|check| (check, verdict(block, check))).collect()
}

/// How `check` of `block` ends. A task without a body ends as one that cannot be had.
pub fn verdict(block: &TestBlock, check: Check) -> Verdict {
    let manifest = &block.assembled.manifest;
    let not_there = || Refusal::NotCommitted(NotCommitted::Body);
    match check {
        Check::Block => {
            let mut ancestors = block.parent_ancestors.clone();
            let checked = verify_block(&block.config, &block.parent, &mut ancestors, &block.signed, manifest);
            checked.map_err(|refusal| refusal.map_fault(Fault::Block))
        }
        Check::Row(index) => {
            let task = block.assembled.row_task(index).ok_or_else(not_there)?;
            let checked = verify_row(&block.env(), manifest, index, &task, |hash| block.codes.get(hash).cloned());
            let index = index as u32;
            checked.map(drop).map_err(|refusal| refusal.map_fault(|fault| Fault::Row { index, fault }))
        }
        Check::Column(index) => {
            let body = block.assembled.column_bodies.get(index).ok_or_else(not_there)?;
            let checked = verify_column(&block.env(), manifest, index, body);
            let index = index as u32;
            checked.map(drop).map_err(|refusal| refusal.map_fault(|fault| Fault::Column { index, fault }))
        }
    }
}

/// The claim that `check` of `block` ends in a fault; none if its body cannot be had.
pub fn claim(block: &TestBlock, check: Check) -> Option<Claim> {
    Some(match check {
        Check::Block => Claim::Block { parent: block.parent.clone(), ancestors: block.parent_ancestors.clone() },
        Check::Row(index) => {
            let codes: Vec<Bytes> = block.codes.values().cloned().collect();
            Claim::Row { index: index as u32, task: block.assembled.row_task(index)?, codes }
        }
        Check::Column(index) => {
            Claim::Column { index: index as u32, body: block.assembled.column_bodies.get(index)?.clone() }
        }
    })
}

/// The verdict in words, the same on every platform.
pub fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Ok(()) => "valid".into(),
        Err(Refusal::Fault(fault)) => format!("fault: {fault}"),
        Err(Refusal::NotCommitted(reason)) => format!("not committed: {reason}"),
    }
}
