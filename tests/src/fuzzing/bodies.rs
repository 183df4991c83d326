//! Bodies of rows and columns. The block commits to whatever body it is given, so that its check goes on behind the hash.

use super::{block_of, decoded, numbered, twice};
use ocelli_core::{
    block::AssembledBlock,
    column::{ColumnBody, verify_column},
    limits,
    refusal::{NotCommitted, Refusal},
    row::{RowBody, RowTask, verify_row},
    wire,
};

/// A block, a row of it, a body.
pub(super) fn row(data: &[u8]) {
    let [block, index, body @ ..] = data else { return };
    let block = block_of(*block);
    let index = usize::from(*index) % block.assembled.row_bodies.len();
    decoded::<RowBody>(body, limits::ROW_BODY_BYTES_ANY);
    let mut manifest = block.assembled.manifest.clone();
    manifest.rows[index].body_hash = wire::body_hash(body);
    let task = RowTask { body: body.to_vec().into(), ..block.row_task(index) };
    let code = |hash: &_| block.codes.get(hash).cloned();
    match twice(|| verify_row(&block.env(), &manifest, index, &task, code).map(drop)) {
        Ok(()) => assert_eq!(body, &block.assembled.row_bodies[index][..], "another body makes the same row"),
        Err(Refusal::Fault(_) | Refusal::NotCommitted(NotCommitted::NoCode(_))) => {}
        Err(Refusal::NotCommitted(reason)) => panic!("it is committed to: {reason}"),
    }
}

/// A block, a column of it, a body.
pub(super) fn column(data: &[u8]) {
    let [block, index, body @ ..] = data else { return };
    let block = block_of(*block);
    let index = usize::from(*index) % block.assembled.column_bodies.len();
    decoded::<ColumnBody>(body, limits::COLUMN_BODY_BYTES_ANY);
    let mut manifest = block.assembled.manifest.clone();
    manifest.columns[index].body_hash = wire::body_hash(body);
    match twice(|| verify_column(&block.env(), &manifest, index, body)) {
        Ok(_) => assert_eq!(body, &block.assembled.column_bodies[index][..], "another body makes the same column"),
        Err(Refusal::Fault(_)) => {}
        Err(Refusal::NotCommitted(reason)) => panic!("it is committed to: {reason}"),
    }
}

pub(super) fn row_seeds() -> Vec<Vec<u8>> {
    seeds(|assembled| &assembled.row_bodies)
}

pub(super) fn column_seeds() -> Vec<Vec<u8>> {
    seeds(|assembled| &assembled.column_bodies)
}

fn seeds(bodies: fn(&AssembledBlock) -> &Vec<alloy_primitives::Bytes>) -> Vec<Vec<u8>> {
    let of_block = |(number, block): (u8, &'static crate::chain::TestBlock)| {
        (0..).zip(bodies(&block.assembled)).map(move |(index, body)| [&[number, index][..], body].concat())
    };
    numbered().flat_map(of_block).collect()
}
