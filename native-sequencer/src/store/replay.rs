//! Executing the rows of a block that is stored: what its columns follow from, and how whoever takes a block over checks it.

use crate::{
    block::{SealedBlock, StoredBlock, results},
    state::Codes,
    threads::AllThreads,
};
use alloy_primitives::{Address, B256, Bytes};
use ocelli_core::{
    block::{Rebuilt, rebuild_cells, rebuild_columns, verify_block},
    column::verify_column,
    evidence::Fault,
    evm::Env,
    genesis::ChainConfig,
    header::Header,
    key::Key,
    manifest::Manifest,
    merkle::Frontier,
    refusal::{NotCommitted, Refusal},
    row::{ExecutedRow, execute_row},
    transaction::{Recovered, Transaction},
    tree::{Leaf, Tree},
};
use rayon::prelude::*;

/// Why a stored block is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The block is wrong, and its sequencer signed it.
    #[error("the block is faulty: {0}")]
    Fault(Fault),
    /// The block is wrong, and its sequencer signed it: executing its rows on the state before it gives another column.
    #[error("the block is faulty: its rows give another column {0} than its header commits to")]
    Column(usize),
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

/// A block that holds, and what it does.
pub(super) struct Verified {
    /// The block, with its columns.
    pub(super) block: SealedBlock,
    /// What it wrote, ascending by path.
    pub(super) writes: Vec<Leaf>,
    /// The state after it.
    pub(super) state: Tree,
}

/// Checks `stored` as the child of `parent`, after which the state is `state`: the block's rules, every row, every column, and
/// everything derived from them. Columns are made of the rows, compared with those that the header commits to, and checked as a
/// verifier checks them. `ancestors` is the parent's log and becomes the block's; `codes` has all code of the chain so far.
pub(super) fn verify(
    config: &ChainConfig,
    parent: &Header,
    ancestors: &mut Frontier,
    stored: StoredBlock,
    state: &Tree,
    codes: &Codes,
) -> Result<Verified, ReplayError> {
    if stored.parent_ancestors != *ancestors {
        return Err(ReplayError::Derived("ancestors"));
    }
    verify_block(config, parent, ancestors, &stored.signed, &stored.manifest)
        .map_err(|refusal| ReplayError::of(refusal, Fault::Block))?;
    let env = Env::of(config, &stored.signed.header);
    let rows = execute_rows(&env, &stored, codes)?;
    let rebuilt = rebuild(&stored.manifest, state, &rows)?;
    check_derived(&env, &stored, &rows, &rebuilt.writes)?;
    check_columns(&env, &stored.manifest, &rebuilt)?;
    let Rebuilt { columns, writes, state } = rebuilt;
    let written: Vec<Key> = writes.iter().map(|leaf| leaf.key).collect();
    let block = SealedBlock::open(stored, &written, env.params).map_err(|_| ReplayError::Derived("results"))?;
    let (bodies, cells) = columns.into_iter().map(|column| (Bytes::from(column.body), column.cells)).unzip();
    block.set_column_bodies(bodies);
    block.set_cells(cells);
    Ok(Verified { block, writes, state })
}

/// Puts the columns of `block` beside it, made of its rows and the state before it, which has to be the parent's.
pub(crate) fn add_columns(
    config: &ChainConfig,
    block: &SealedBlock,
    state: &Tree,
    codes: &Codes,
) -> Result<(), ReplayError> {
    let rows = execute_rows(&Env::of(config, block.header()), &block.stored, codes)?;
    let columns = rebuild(&block.stored.manifest, state, &rows)?.columns;
    let (bodies, cells) = columns.into_iter().map(|column| (Bytes::from(column.body), column.cells)).unzip();
    block.set_column_bodies(bodies);
    block.set_cells(cells);
    Ok(())
}

/// Puts the trees of cells of `block` beside it, made of its rows alone.
pub(crate) fn add_cells(config: &ChainConfig, block: &SealedBlock, codes: &Codes) -> Result<(), ReplayError> {
    let rows = execute_rows(&Env::of(config, block.header()), &block.stored, codes)?;
    let cells = rebuild_cells(&AllThreads, &block.stored.manifest, &rows);
    block.set_cells(cells.ok_or(ReplayError::Derived("cells"))?);
    Ok(())
}

/// Executes every row by itself, with nothing but its body, and checks all of it but its cells.
fn execute_rows(env: &Env<'_>, stored: &StoredBlock, codes: &Codes) -> Result<Vec<ExecutedRow>, ReplayError> {
    if stored.row_bodies.len() != stored.manifest.rows.len() {
        return Err(ReplayError::Derived("bodies"));
    }
    let code = |hash: &B256| {
        let made = stored.codes.iter().find(|(made, _)| made == hash).map(|(_, code)| code.clone());
        made.or_else(|| codes.get(hash).map(|code| code.original_bytes()))
    };
    let execute = |(index, body): (usize, &Bytes)| {
        let executed = execute_row(env, &stored.manifest, index, body, code);
        executed.map_err(|refusal| ReplayError::of(refusal, |fault| Fault::Row { index: index as u32, fault }))
    };
    stored.row_bodies.par_iter().enumerate().map(execute).collect()
}

/// What the rows make of the state before the block, if that is what the manifest says.
fn rebuild(manifest: &Manifest, state: &Tree, rows: &[ExecutedRow]) -> Result<Rebuilt, ReplayError> {
    let rebuilt = rebuild_columns(&AllThreads, manifest, state, rows);
    rebuilt.first_other(manifest).map_or(Ok(rebuilt), |index| Err(ReplayError::Column(index)))
}

/// A column is made of what its rows say that they found, be it true or not: that it is shows in its check.
fn check_columns(env: &Env<'_>, manifest: &Manifest, rebuilt: &Rebuilt) -> Result<(), ReplayError> {
    rebuilt.columns.par_iter().enumerate().try_for_each(|(index, column)| {
        let as_fault = |fault| Fault::Column { index: index as u32, fault };
        let checked = verify_column(env, manifest, index, &column.body).map(drop);
        checked.map_err(|refusal| ReplayError::of(refusal, as_fault))
    })
}

fn check_derived(
    env: &Env<'_>,
    stored: &StoredBlock,
    rows: &[ExecutedRow],
    writes: &[Leaf],
) -> Result<(), ReplayError> {
    let same = |same: bool, what| if same { Ok(()) } else { Err(ReplayError::Derived(what)) };
    let codes: Vec<(B256, Bytes)> = rows.iter().flat_map(|row| row.effects.codes_made.iter().cloned()).collect();
    same(codes == stored.codes, "codes")?;
    let senders: Option<Vec<Vec<Address>>> = rows.par_iter().map(|row| senders(env, row)).collect();
    let receipts = rows.iter().map(|row| row.receipts.clone());
    let results = senders.and_then(|senders| results(writes, &senders, receipts));
    same(results.as_ref() == Some(&stored.results), "results")
}

fn senders(env: &Env<'_>, row: &ExecutedRow) -> Option<Vec<Address>> {
    let bytes = row.transactions.iter().map(AsRef::as_ref);
    let decoded = Transaction::decode_many(bytes, env.params.chain_id, env.params.fork);
    let decoded = decoded.into_iter().collect::<Result<Vec<_>, _>>().ok()?;
    let recovered = Recovered::recover_many(decoded).into_iter();
    recovered.map(|sent| Some(sent.ok()?.sender())).collect()
}
