//! The tools of a sequencer that lies. What they change they also commit to and sign, so that a lie is wrong in nothing but
//! what it is about.
//!
//! Each answers `None` where the block offers nothing to lie about in that way.

use crate::chain::{State, TestBlock};
use alloy_primitives::{B256, Bytes, U256};
use ocelli_core::{
    access::{Access, Placed, cell_leaf, place},
    block::assemble,
    column::{CellAccess, ColumnBody, ColumnKey, RowCell, check::cells_of},
    evm::Env,
    header::Header,
    manifest::{ColumnHeader, Manifest, RowKind},
    merkle,
    params::Params,
    prefix::Prefix,
    row::{ExecutedRow, RowBody, RowBuilder, execute_closing, execute_opening},
    transaction::{Recovered, Transaction},
    tree::{NodeHash, OtherLeaf, Proof, Touched, Tree},
    wire,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer of an edit: that it was made, or that there was nothing to make it of.
pub trait Made {
    /// `None` if it was not made.
    fn made(self) -> Option<()>;
}

impl Made for () {
    fn made(self) -> Option<()> {
        Some(())
    }
}

impl Made for Option<()> {
    fn made(self) -> Option<()> {
        self
    }
}

/// Changes the header and signs it.
pub fn header(block: &mut TestBlock, edit: impl FnOnce(&mut Header)) -> Option<()> {
    edit(&mut block.assembled.header);
    block.sign();
    Some(())
}

/// Changes the manifest and commits to it.
pub fn manifest(block: &mut TestBlock, edit: impl FnOnce(&mut Manifest)) -> Option<()> {
    edit(&mut block.assembled.manifest);
    block.commit();
    Some(())
}

/// Changes a row's header, and the header's sum of gas with it.
pub fn row_header(
    block: &mut TestBlock,
    index: usize,
    edit: impl FnOnce(&mut ocelli_core::manifest::RowHeader),
) -> Option<()> {
    edit(block.assembled.manifest.rows.get_mut(index)?);
    let gas = block.assembled.manifest.rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.gas_used));
    block.assembled.header.gas_used = gas;
    block.commit();
    Some(())
}

/// Changes a column's header, and the header's state root with it.
pub fn column_header(block: &mut TestBlock, index: usize, edit: impl FnOnce(&mut ColumnHeader)) -> Option<()> {
    edit(block.assembled.manifest.columns.get_mut(index)?);
    restate(block);
    Some(())
}

/// Sets the header's state root to what the columns combine to, if they do, and commits.
fn restate(block: &mut TestBlock) {
    let roots = block.assembled.manifest.columns.iter().map(|column| (&column.prefix, column.root_after));
    if let Some(root) = ocelli_core::column::split::combine_columns(roots) {
        block.assembled.header.state_root = root.0;
    }
    block.commit();
}

/// Changes the bytes of a row's body.
pub fn row_bytes(block: &mut TestBlock, index: usize, edit: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let body = block.assembled.row_bodies.get_mut(index)?;
    let mut bytes = body.to_vec();
    edit(&mut bytes);
    *body = bytes.into();
    let hash = wire::body_hash(body);
    row_header(block, index, |header| header.body_hash = hash)
}

/// Changes a row's body.
pub fn row_body<M: Made>(block: &mut TestBlock, index: usize, edit: impl FnOnce(&mut RowBody) -> M) -> Option<()> {
    let mut body: RowBody = wire::decode(block.assembled.row_bodies.get(index)?, usize::MAX).ok()?;
    edit(&mut body).made()?;
    row_bytes(block, index, |bytes| *bytes = wire::encode(&body))
}

/// Changes the bytes of a column's body.
pub fn column_bytes(block: &mut TestBlock, index: usize, edit: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let body = block.assembled.column_bodies.get_mut(index)?;
    let mut bytes = body.to_vec();
    edit(&mut bytes);
    *body = bytes.into();
    let hash = wire::body_hash(body);
    column_header(block, index, |header| header.body_hash = hash)
}

/// The body of a column.
pub fn read_column(block: &TestBlock, index: usize) -> Option<ColumnBody> {
    wire::decode(block.assembled.column_bodies.get(index)?, usize::MAX).ok()
}

/// Changes a column's body and nothing that its header says of it but the hash.
pub fn column_body<M: Made>(
    block: &mut TestBlock,
    index: usize,
    edit: impl FnOnce(&mut ColumnBody) -> M,
) -> Option<()> {
    let mut body = read_column(block, index)?;
    edit(&mut body).made()?;
    column_bytes(block, index, |bytes| *bytes = wire::encode(&body))
}

/// Changes a column's body and makes its header agree: cells, count, and the root after as far as the proof opens.
pub fn settled_column<M: Made>(
    block: &mut TestBlock,
    index: usize,
    edit: impl FnOnce(&mut ColumnBody) -> M,
) -> Option<()> {
    column_body(block, index, edit)?;
    let body = read_column(block, index)?;
    let leaves = cells_of(block.assembled.manifest.rows.len(), &block.assembled.column_bodies[index])?;
    block.assembled.cells[index] = merkle::paths(&leaves);
    let after = root_after(&block.assembled.manifest.columns[index], &body);
    column_header(block, index, |header| {
        header.cells_root = merkle::root(&leaves);
        header.access_count = body.cells.iter().map(|cell| cell.accesses.len() as u32).sum();
        header.root_after = after.unwrap_or(header.root_after);
    })
}

/// The root that the writes of `body` lead to.
fn root_after(header: &ColumnHeader, body: &ColumnBody) -> Option<NodeHash> {
    let touched: Vec<Touched> =
        body.keys.iter().map(|key| Touched { path: key.key.path(), version: key.version, value: key.value }).collect();
    let mut after = vec![None; touched.len()];
    for access in body.cells.iter().flat_map(|cell| &cell.accesses) {
        let at = access.key as usize;
        let (version, _) = after[at].unwrap_or((touched[at].version, touched[at].value));
        after[at] = access.after.as_deref().map(|value| (version + 1, *value)).or(after[at]);
    }
    Some(body.proof.open(&header.prefix, header.root_before, &touched).ok()?.root_after(&after))
}

/// Changes the rows as executed and makes the block of them: rows and columns agree on everything.
pub fn rows<M: Made>(block: &mut TestBlock, edit: impl FnOnce(&mut Vec<ExecutedRow>) -> M) -> Option<()> {
    edit(&mut block.rows).made()?;
    let before = block.before.tree.clone();
    assemble_over(block, &before)
}

/// Makes the block of its rows over `before`.
pub fn assemble_over(block: &mut TestBlock, before: &Tree) -> Option<()> {
    let moment = (block.assembled.header.time_ms, block.assembled.header.term);
    let mut ancestors = block.parent_ancestors.clone();
    block.assembled = assemble(&block.config, &block.parent, &mut ancestors, moment, before, &block.rows).ok()?;
    block.sign();
    Some(())
}

/// The transactions of a row.
pub fn transactions(block: &TestBlock, row: usize) -> Vec<Recovered> {
    let params = &block.config.params;
    let decode = |bytes: &Bytes| {
        let transaction = Transaction::decode(bytes, params.chain_id, params.fork).expect("decodes");
        Recovered::new(transaction).expect("signed")
    };
    block.rows[row].transactions.iter().map(decode).collect()
}

/// Executes these rows of transactions in the block's environment over `state`, under parameters of one's own. Transactions
/// that are not valid there are left out, and rows in which none is left.
pub fn execute_over(
    block: &TestBlock,
    mut state: State,
    rows: &[Vec<Recovered>],
    edit: impl FnOnce(&mut Params),
) -> Vec<ExecutedRow> {
    let mut params = block.config.params.clone();
    edit(&mut params);
    let env = Env { params: &params, ..block.env() };
    let mut executed = vec![execute_opening(&env, &state).expect("a whole state")];
    state.apply(&executed[0]);
    for transactions in rows {
        let mut row = RowBuilder::new(&env, &state);
        for transaction in transactions {
            // Left out if it is not valid: the lie is about something else.
            let _ = row.push(transaction);
        }
        if !row.is_empty() {
            let row = row.finish();
            state.apply(&row);
            executed.push(row);
        }
    }
    executed.push(closing_row(&env, &state, &executed));
    executed
}

/// The closing row of a block whose rows so far are `rows`.
pub fn closing_row(env: &Env<'_>, state: &State, rows: &[ExecutedRow]) -> ExecutedRow {
    let sum = |of: fn(&ExecutedRow) -> U256| rows.iter().fold(U256::ZERO, |sum, row| sum + of(row));
    let (base_fees, tips) = (sum(|row| row.totals.base_fees), sum(|row| row.totals.tips));
    execute_closing(env, state, base_fees, tips).expect("a whole state")
}

/// The transactions of all rows of users.
pub fn user_rows(block: &TestBlock) -> Vec<Vec<Recovered>> {
    let rows = block.rows.iter().enumerate().filter(|(_, row)| row.kind == RowKind::User);
    rows.map(|(at, _)| transactions(block, at)).collect()
}

/// Executes the block over a state that is not the parent's and claims the parent's root all the same.
pub fn over_false_state<M: Made>(block: &mut TestBlock, edit: impl FnOnce(&mut Tree) -> M) -> Option<()> {
    let mut state = block.before.clone();
    edit(&mut state.tree).made()?;
    block.rows = execute_over(block, state.clone(), &user_rows(block), |_| {});
    assemble_over(block, &state.tree)?;
    let honest = &block.before.tree;
    for column in &mut block.assembled.manifest.columns {
        column.root_before = honest.subtree(&column.prefix);
    }
    block.commit();
    Some(())
}

/// Cuts the block into the columns `prefixes`, proving over `before` what its rows name.
pub fn cut(block: &mut TestBlock, before: &Tree, prefixes: &[Prefix]) -> Option<()> {
    let placed: Vec<Vec<Placed>> = block.rows.iter().map(|row| place(row.effects.accesses.iter().copied())).collect();
    let assembled = &mut block.assembled;
    assembled.manifest.columns.clear();
    assembled.column_bodies.clear();
    assembled.cells.clear();
    for prefix in prefixes {
        let cells: Vec<&[Placed]> = placed.iter().map(|row| prefix.range_of(row, |placed| &placed.path)).collect();
        let body = wire::encode(&column_of(before, prefix, &cells));
        let leaves: Vec<B256> =
            cells.iter().map(|cell| merkle::leaf_hash(&cell_leaf(cell.iter().map(|placed| &placed.access)))).collect();
        assembled.manifest.columns.push(ColumnHeader {
            prefix: *prefix,
            root_before: before.subtree(prefix),
            root_after: assembled.state.subtree(prefix),
            cells_root: merkle::root(&leaves),
            access_count: cells.iter().map(|cell| cell.len() as u32).sum(),
            body_hash: wire::body_hash(&body),
        });
        assembled.column_bodies.push(body.into());
        assembled.cells.push(merkle::paths(&leaves));
    }
    block.commit();
    Some(())
}

fn column_of(before: &Tree, prefix: &Prefix, cells: &[&[Placed]]) -> ColumnBody {
    let mut keys: BTreeMap<B256, ColumnKey> = BTreeMap::new();
    for Placed { path, access: Access { key, version, before, .. } } in cells.iter().copied().flatten() {
        keys.entry(*path).or_insert(ColumnKey { key: *key, version: *version, value: *before });
    }
    let paths: Vec<B256> = keys.keys().copied().collect();
    let cell = |cell: &&[Placed]| -> Vec<CellAccess> {
        let key = |path| paths.binary_search(path).expect("a key of the column") as u32;
        cell.iter()
            .map(|placed| CellAccess { key: key(&placed.path), after: placed.access.after.map(Box::new) })
            .collect()
    };
    let cells = cells.iter().enumerate().map(|(row, accesses)| RowCell { row: row as u32, accesses: cell(accesses) });
    ColumnBody {
        cells: cells.filter(|cell| !cell.accesses.is_empty()).collect(),
        proof: before.prove(prefix, &paths),
        keys: keys.into_values().collect(),
    }
}

/// A proof taken apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenProof {
    /// Its shape.
    pub shape: Vec<u8>,
    /// Its hashes.
    #[serde(with = "wire::hashes")]
    pub siblings: Vec<NodeHash>,
    /// Its other leaves.
    pub leaves: Vec<OtherLeaf>,
}

/// Changes a proof.
pub fn proof<M: Made>(proof: &mut Proof, edit: impl FnOnce(&mut OpenProof) -> M) -> Option<()> {
    let mut open: OpenProof = wire::decode(&wire::encode(proof), usize::MAX).ok()?;
    edit(&mut open).made()?;
    *proof = wire::decode(&wire::encode(&open), usize::MAX).ok()?;
    Some(())
}
