//! Checking a stored block as a verifier would, and that what is kept beside its bodies is what its rows give.

use crate::{
    block::{SealedBlock, StoredBlock},
    state::Codes,
};
use alloy_primitives::{Address, B256, Bytes};
use ocelli_core::{
    block::verify_block,
    column::verify_column,
    evidence::Fault,
    evm::Env,
    genesis::ChainConfig,
    header::Header,
    merkle::Frontier,
    receipt::Receipt,
    refusal::{NotCommitted, Refusal},
    row::{ExecutedRow, RowFault, verify_row},
    transaction::{Recovered, Transaction},
    tree::Leaf,
};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Why a stored block is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The block is wrong, and its sequencer signed it.
    #[error("the block is faulty: {0}")]
    Fault(Fault),
    /// What is given is not what the header commits to: the file's fault, not the sequencer's.
    #[error("the file is damaged or was altered: {0}")]
    NotCommitted(NotCommitted),
    /// What is kept beside the bodies is not what executing the rows gives.
    #[error("the file is damaged or was altered: its {0} are not what the rows give")]
    Derived(&'static str),
}

impl ReplayError {
    fn of<F>(refusal: Refusal<F>, as_fault: impl FnOnce(F) -> Fault) -> Self {
        match refusal {
            Refusal::Fault(fault) => Self::Fault(as_fault(fault)),
            Refusal::NotCommitted(reason) => Self::NotCommitted(reason),
        }
    }
}

/// Checks `stored` as the child of `parent`: the block's rules, every row, every column, and everything derived from them. Gives
/// the block, and what it wrote, ascending by path.
/// `ancestors` is the parent's log and becomes the block's; `codes` has all code of the chain so far.
pub(super) fn verify(
    config: &ChainConfig,
    parent: &Header,
    ancestors: &mut Frontier,
    stored: StoredBlock,
    codes: &Codes,
) -> Result<(SealedBlock, Vec<Leaf>), ReplayError> {
    if stored.parent_ancestors != *ancestors {
        return Err(ReplayError::Derived("ancestors"));
    }
    verify_block(config, parent, ancestors, &stored.signed, &stored.manifest)
        .map_err(|refusal| ReplayError::of(refusal, Fault::Block))?;
    if stored.row_bodies.len() != stored.manifest.rows.len()
        || stored.column_bodies.len() != stored.manifest.columns.len()
    {
        return Err(ReplayError::Derived("bodies"));
    }
    let env = Env::of(config, &stored.signed.header);
    check_columns(&env, &stored)?;
    let block = SealedBlock::open(stored, env.params).map_err(|_| ReplayError::Derived("results"))?;
    let rows = check_rows(&env, &block, codes)?;
    check_derived(&env, &block.stored, &rows)?;
    Ok((block, writes(&rows)))
}

fn check_columns(env: &Env<'_>, stored: &StoredBlock) -> Result<(), ReplayError> {
    stored.column_bodies.par_iter().enumerate().try_for_each(|(index, body)| {
        let as_fault = |fault| Fault::Column { index: index as u32, fault };
        let checked = verify_column(env, &stored.manifest, index, body).map(drop);
        checked.map_err(|refusal| ReplayError::of(refusal, as_fault))
    })
}

fn check_rows(env: &Env<'_>, block: &SealedBlock, codes: &Codes) -> Result<Vec<ExecutedRow>, ReplayError> {
    let code = |hash: &B256| {
        let made = block.stored.codes.iter().find(|(made, _)| made == hash).map(|(_, code)| code.clone());
        made.or_else(|| codes.get(hash).map(|code| code.original_bytes()))
    };
    let check = |index: usize| {
        let task = block.row_task(index).ok_or(Refusal::<RowFault>::NotCommitted(NotCommitted::NoSuchTask));
        let checked = task.and_then(|task| verify_row(env, &block.stored.manifest, index, &task, code));
        checked.map_err(|refusal| ReplayError::of(refusal, |fault| Fault::Row { index: index as u32, fault }))
    };
    (0..block.stored.row_bodies.len()).into_par_iter().map(check).collect()
}

fn check_derived(env: &Env<'_>, stored: &StoredBlock, rows: &[ExecutedRow]) -> Result<(), ReplayError> {
    let same = |same: bool, what| if same { Ok(()) } else { Err(ReplayError::Derived(what)) };
    let codes: Vec<(B256, Bytes)> = rows.iter().flat_map(|row| row.effects.codes_made.iter().cloned()).collect();
    same(codes == stored.codes, "codes")?;
    let results: Option<Vec<Vec<(Address, Receipt)>>> = rows.par_iter().map(|row| results(env, row)).collect();
    same(results.as_ref() == Some(&stored.results), "results")
}

/// What the written keys hold after all rows, ascending by path.
fn writes(rows: &[ExecutedRow]) -> Vec<Leaf> {
    let accesses = rows.iter().flat_map(|row| &row.effects.accesses);
    let leaves =
        accesses.filter_map(|access| access.after.map(|after| Leaf::new(access.key, access.version_after(), after)));
    let last: BTreeMap<B256, Leaf> = leaves.map(|leaf| (leaf.path, leaf)).collect();
    last.into_values().collect()
}

fn results(env: &Env<'_>, row: &ExecutedRow) -> Option<Vec<(Address, Receipt)>> {
    let decoded =
        row.transactions.iter().map(|bytes| Transaction::decode(bytes, env.params.chain_id, env.params.fork).ok());
    let recovered = Recovered::recover_many(decoded.collect::<Option<_>>()?).into_iter();
    recovered.zip(&row.receipts).map(|(sent, receipt)| Some((sent.ok()?.sender(), receipt.clone()))).collect()
}
