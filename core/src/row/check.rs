//! The row check of design section 5: recover, execute, compare.

use super::{ExecutedRow, ListError, Listed, RowBody, RowBuilder, execute_closing, execute_opening};
use crate::{
    access::{cell_leaf, place},
    evm::{Code, Env, Refused, StateError},
    limits,
    manifest::{Manifest, RowHeader, RowKind},
    merkle,
    refusal::{NotCommitted, Refusal},
    transaction::{Recovered, Transaction, TransactionError},
    wire::{self, WireError},
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{B256, Bytes, U256};
use revm::context::result::InvalidTransaction;
use serde::{Deserialize, Serialize};

/// Why a committed row is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowFault {
    /// The body is longer than a row's may be.
    BodyTooLong,
    /// The body is not an encoded row body.
    Malformed(WireError),
    /// A list of the body is not as lists have to be.
    List(ListError),
    /// A listed code has another length than the body says.
    CodeLength(B256),
    /// A listed code is nothing that an account can have: it begins like a delegation (EIP-7702) and is none.
    NotCode(B256),
    /// The listed code is longer, all in all, than a row may ask for.
    CodeTooLong,
    /// A system row has transactions, or a user row has none or too many.
    TransactionCount,
    /// A transaction is not a valid EIP-2718 transaction of this chain.
    Transaction(u32, TransactionError),
    /// A transaction is not valid on the state that the row is at.
    Invalid(u32, InvalidTransaction),
    /// A transaction, or a system row (which has no index), asks for more than the body lists.
    NotListed(Option<u32>, StateError),
    /// The row exceeds its limit of gas at this transaction.
    Gas(u32),
    /// The row exceeds its limit of work at this transaction.
    Work(u32),
    /// The header does not give the rules an environment to run in.
    Environment,
    /// More accounts or slots are listed than the row asks for.
    BeforeNotUsed,
    /// A listed code is not used.
    CodeNotUsed(B256),
    /// The row header says something else than execution.
    Header(RowHeaderField),
    /// Execution gives another cell than the one under this column's `cells_root`.
    Cell(u32),
}

/// The field of a row header that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowHeaderField {
    /// `kind`: an unknown place for this kind.
    Kind,
    /// `tx_count`.
    TxCount,
    /// `log_count`.
    LogCount,
    /// `gas_used`.
    GasUsed,
    /// `work`.
    Work,
    /// `base_fees`.
    BaseFees,
    /// `tips`.
    Tips,
    /// `txs_root`.
    TxsRoot,
    /// `receipts_root`.
    ReceiptsRoot,
    /// `access_count`.
    AccessCount,
}

/// The hash of a row's leaf in one column's cells tree, and the path from it to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellProof {
    /// The leaf's hash, as the column has it.
    #[serde(with = "crate::wire::raw")]
    pub leaf: B256,
    /// Sibling hashes, from the leaf up.
    pub path: Vec<B256>,
}

/// What travels to whoever checks a row, besides its block's header and manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowTask {
    /// The encoded body.
    pub body: Bytes,
    /// For each column, left to right, this row's cell.
    pub cells: Vec<CellProof>,
}

/// Checks row `index` of a block. `code` gives code by its hash; its length and hash are checked here.
///
/// # Errors
/// [`Refusal::Fault`] with a [`RowFault`] if the row is wrong, [`Refusal::NotCommitted`] if `task` or the code is not what
/// the block commits to, which says nothing about the block.
pub fn verify_row(
    env: &Env<'_>,
    manifest: &Manifest,
    index: usize,
    task: &RowTask,
    code: impl Fn(&B256) -> Option<Bytes>,
) -> Result<ExecutedRow, Refusal<RowFault>> {
    let header = committed(manifest, index, &task.body)?;
    check_cell_paths(manifest, index, task)?;
    let row = execute_checked(env, manifest, header, &task.body, code)?;
    check_cells(manifest, task, &row).map_err(Refusal::Fault)?;
    Ok(row)
}

/// Executes row `index` of a block with nothing but its body and checks all of it but its cells, of which whoever has the columns
/// says more. `code` gives code by its hash; its length and hash are checked here.
///
/// # Errors
/// As [`verify_row`].
pub fn execute_row(
    env: &Env<'_>,
    manifest: &Manifest,
    index: usize,
    body: &[u8],
    code: impl Fn(&B256) -> Option<Bytes>,
) -> Result<ExecutedRow, Refusal<RowFault>> {
    let header = committed(manifest, index, body)?;
    execute_checked(env, manifest, header, body, code)
}

fn committed<'a>(manifest: &'a Manifest, index: usize, body: &[u8]) -> Result<&'a RowHeader, NotCommitted> {
    let header = manifest.rows.get(index).ok_or(NotCommitted::NoSuchTask)?;
    if wire::body_hash(body) == header.body_hash { Ok(header) } else { Err(NotCommitted::Body) }
}

fn execute_checked(
    env: &Env<'_>,
    manifest: &Manifest,
    header: &RowHeader,
    body: &[u8],
    code: impl Fn(&B256) -> Option<Bytes>,
) -> Result<ExecutedRow, Refusal<RowFault>> {
    let body = open_body(env, body)?;
    body.check_lists().map_err(RowFault::List).map_err(Refusal::Fault)?;
    let codes = open_codes(env, &body, code)?;
    let listed = Listed::new(&body, &codes);
    let row = execute(env, manifest, header.kind, &body, &listed)?;
    check_use(&row, &listed, &codes).map_err(Refusal::Fault)?;
    check_header(header, &row).map_err(Refusal::Fault)?;
    Ok(row)
}

fn check_cell_paths(manifest: &Manifest, index: usize, task: &RowTask) -> Result<(), NotCommitted> {
    if task.cells.len() != manifest.columns.len() {
        return Err(NotCommitted::CellPath);
    }
    let size = manifest.rows.len() as u64;
    let holds = manifest
        .columns
        .iter()
        .zip(&task.cells)
        .all(|(column, cell)| merkle::verify_path(&column.cells_root, &cell.leaf, index as u64, size, &cell.path));
    if holds { Ok(()) } else { Err(NotCommitted::CellPath) }
}

fn open_body(env: &Env<'_>, bytes: &[u8]) -> Result<RowBody, Refusal<RowFault>> {
    let limit = (env.params.limits.row_body_bytes as usize).min(limits::ROW_BODY_BYTES_ANY);
    if bytes.len() > limit {
        return Err(Refusal::Fault(RowFault::BodyTooLong));
    }
    wire::decode(bytes, limit).map_err(|error| Refusal::Fault(RowFault::Malformed(error)))
}

fn open_codes(
    env: &Env<'_>,
    body: &RowBody,
    code: impl Fn(&B256) -> Option<Bytes>,
) -> Result<BTreeMap<B256, Code>, Refusal<RowFault>> {
    let mut codes = BTreeMap::new();
    let mut total = 0_u64;
    for listed in &body.codes {
        total = total.saturating_add(u64::from(listed.length));
        if total > u64::from(env.params.limits.row_code_bytes) {
            return Err(Refusal::Fault(RowFault::CodeTooLong));
        }
        let bytes = code(&listed.hash).ok_or(NotCommitted::NoCode(listed.hash))?;
        if crate::hash::keccak256(&bytes) != listed.hash {
            return Err(NotCommitted::NoCode(listed.hash).into());
        }
        if bytes.len() != listed.length as usize {
            return Err(Refusal::Fault(RowFault::CodeLength(listed.hash)));
        }
        let code = Code::new_raw_checked(bytes).map_err(|_| Refusal::Fault(RowFault::NotCode(listed.hash)))?;
        codes.insert(listed.hash, code);
    }
    Ok(codes)
}

fn execute(
    env: &Env<'_>,
    manifest: &Manifest,
    kind: RowKind,
    body: &RowBody,
    source: &Listed<'_>,
) -> Result<ExecutedRow, Refusal<RowFault>> {
    let count = body.transactions.len();
    let fits = match kind {
        RowKind::User => count > 0 && count <= env.params.limits.row_transactions as usize,
        RowKind::Opening | RowKind::Closing => count == 0,
    };
    if !fits {
        return Err(Refusal::Fault(RowFault::TransactionCount));
    }
    let system = |error| Refusal::Fault(RowFault::NotListed(None, error));
    match kind {
        RowKind::Opening => execute_opening(env, source).map_err(system),
        RowKind::Closing => {
            let (base_fees, tips) = fee_sums(manifest);
            execute_closing(env, source, base_fees, tips).map_err(system)
        }
        RowKind::User => execute_transactions(env, body, source).map_err(Refusal::Fault),
    }
}

/// What the rows of a block paid: base fees and tips, in wei.
pub fn fee_sums(manifest: &Manifest) -> (U256, U256) {
    manifest.rows.iter().fold((U256::ZERO, U256::ZERO), |(base_fees, tips), row| {
        (base_fees.saturating_add(row.base_fees), tips.saturating_add(row.tips))
    })
}

fn execute_transactions(env: &Env<'_>, body: &RowBody, source: &Listed<'_>) -> Result<ExecutedRow, RowFault> {
    let transactions = recover(env, body)?;
    let mut builder = RowBuilder::new(env, source);
    for (at, transaction) in transactions.iter().enumerate() {
        let at = at as u32;
        builder.push(transaction).map_err(|refused| match refused {
            Refused::Invalid(invalid) => RowFault::Invalid(at, invalid),
            Refused::State(error) => RowFault::NotListed(Some(at), error),
            Refused::RowGas => RowFault::Gas(at),
            Refused::RowWork => RowFault::Work(at),
            Refused::RowCode => RowFault::CodeTooLong,
            Refused::NotAccepted | Refused::RowBody | Refused::Engine => RowFault::Environment,
        })?;
    }
    Ok(builder.finish())
}

fn recover(env: &Env<'_>, body: &RowBody) -> Result<Vec<Recovered>, RowFault> {
    let bytes = body.transactions.iter().map(AsRef::as_ref);
    let decoded = Transaction::decode_many(bytes, env.params.chain_id, env.params.fork).into_iter().enumerate();
    let decoded = decoded.map(|(at, result)| result.map_err(|error| RowFault::Transaction(at as u32, error)));
    let decoded = decoded.collect::<Result<Vec<_>, _>>()?;
    check_intrinsic_gas(env, &decoded)?;
    let recovered = Recovered::recover_many(decoded).into_iter().enumerate();
    recovered.map(|(at, result)| result.map_err(|error| RowFault::Transaction(at as u32, error))).collect()
}

/// Recovery comes before execution and costs more: a row that pays for more than it may is refused before either, so that
/// its gas bounds the recoveries that it asks for.
fn check_intrinsic_gas(env: &Env<'_>, transactions: &[Transaction]) -> Result<(), RowFault> {
    let mut gas = 0_u64;
    for (at, transaction) in transactions.iter().enumerate() {
        gas = gas.saturating_add(transaction.intrinsic_gas());
        if gas > env.params.limits.row_gas {
            return Err(RowFault::Gas(at as u32));
        }
    }
    Ok(())
}

fn check_use(row: &ExecutedRow, listed: &Listed<'_>, codes: &BTreeMap<B256, Code>) -> Result<(), RowFault> {
    if !listed.is_used_up() {
        return Err(RowFault::BeforeNotUsed);
    }
    let unused = codes.keys().find(|hash| row.effects.codes_used.binary_search_by_key(hash, |(used, _)| used).is_err());
    unused.map_or(Ok(()), |hash| Err(RowFault::CodeNotUsed(*hash)))
}

fn check_header(header: &RowHeader, row: &ExecutedRow) -> Result<(), RowFault> {
    let found = row.header(header.body_hash);
    let fields = [
        (header.kind == found.kind, RowHeaderField::Kind),
        (header.tx_count == found.tx_count, RowHeaderField::TxCount),
        (header.log_count == found.log_count, RowHeaderField::LogCount),
        (header.gas_used == found.gas_used, RowHeaderField::GasUsed),
        (header.work == found.work, RowHeaderField::Work),
        (header.base_fees == found.base_fees, RowHeaderField::BaseFees),
        (header.tips == found.tips, RowHeaderField::Tips),
        (header.txs_root == found.txs_root, RowHeaderField::TxsRoot),
        (header.receipts_root == found.receipts_root, RowHeaderField::ReceiptsRoot),
        (header.access_count == found.access_count, RowHeaderField::AccessCount),
    ];
    fields.iter().find(|(same, _)| !same).map_or(Ok(()), |(_, field)| Err(RowFault::Header(*field)))
}

fn check_cells(manifest: &Manifest, task: &RowTask, row: &ExecutedRow) -> Result<(), RowFault> {
    let placed = place(row.effects.accesses.iter().copied());
    for (at, (column, cell)) in manifest.columns.iter().zip(&task.cells).enumerate() {
        let accesses = column.prefix.range_of(&placed, |placed| &placed.path);
        let leaf = merkle::leaf_hash(&cell_leaf(accesses.iter().map(|placed| &placed.access)));
        if leaf != cell.leaf {
            return Err(RowFault::Cell(at as u32));
        }
    }
    Ok(())
}
