//! No bit of a body is idle: flipped on the way, the body is not the committed one; flipped and committed to, it is a fault.
//!
//! The one exception is no acceptance either: a code hash with a bit flipped names code that nobody has.

use alloy_primitives::Bytes;
use ocelli_core::{
    column::verify_column,
    evidence::Fault,
    manifest::Manifest,
    refusal::{NotCommitted, Refusal},
    row::{RowTask, verify_row},
    wire,
};
use ocelli_tests::{
    chain::TestBlock,
    realistic,
    verdicts::{Check, Verdict},
};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Bits flipped of each row's body and committed to; a row is executed for each.
const BITS_OF_A_ROW: usize = 1_000;
/// Bits flipped of each column's body and committed to.
const BITS_OF_A_COLUMN: usize = 4_000;

/// A body of a block.
struct Body<'a> {
    block: &'a TestBlock,
    check: Check,
    bytes: &'a Bytes,
}

impl Body<'_> {
    /// How the check ends with `bytes` in the place of the body.
    fn verdict(&self, manifest: &Manifest, bytes: Vec<u8>) -> Verdict {
        let env = self.block.env();
        match self.check {
            Check::Row(index) => {
                let task = RowTask { body: bytes.into(), ..self.block.row_task(index) };
                let codes = &self.block.codes;
                let checked = verify_row(&env, manifest, index, &task, |hash| codes.get(hash).cloned());
                checked.map(drop).map_err(|refusal| refusal.map_fault(|fault| Fault::Row { index: 0, fault }))
            }
            Check::Column(index) => {
                let checked = verify_column(&env, manifest, index, &bytes);
                checked.map(drop).map_err(|refusal| refusal.map_fault(|fault| Fault::Column { index: 0, fault }))
            }
            Check::Block => Ok(()),
        }
    }

    /// The block's manifest, committing to `bytes` instead of the body.
    fn commit(&self, bytes: &[u8]) -> Manifest {
        let mut manifest = self.block.assembled.manifest.clone();
        match self.check {
            Check::Row(index) => manifest.rows[index].body_hash = wire::body_hash(bytes),
            Check::Column(index) => manifest.columns[index].body_hash = wire::body_hash(bytes),
            Check::Block => {}
        }
        manifest
    }

    fn flipped(&self, bit: usize) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    }

    fn bits(&self) -> usize {
        self.bytes.len() * 8
    }
}

fn bodies(blocks: &[TestBlock]) -> Vec<Body<'_>> {
    blocks.iter().flat_map(bodies_of).collect()
}

fn bodies_of(block: &TestBlock) -> impl Iterator<Item = Body<'_>> {
    let assembled = &block.assembled;
    let rows = assembled.row_bodies.iter().enumerate().map(|(at, bytes)| (Check::Row(at), bytes));
    let columns = assembled.column_bodies.iter().enumerate().map(|(at, bytes)| (Check::Column(at), bytes));
    rows.chain(columns).map(move |(check, bytes)| Body { block, check, bytes })
}

/// Runs `test` for each body, on two threads.
fn for_each(bodies: &[Body<'_>], test: impl Fn(usize, &Body<'_>) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(body) = bodies.get(at) else { return };
        test(at, body);
    };
    thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}

#[test]
fn on_the_way() {
    let (blocks, _) = realistic::blocks();
    let bodies = bodies(&blocks);
    assert!(bodies.len() >= 100);
    for_each(&bodies, |_, body| {
        for bit in 0..body.bits() {
            let verdict = body.verdict(&body.block.assembled.manifest, body.flipped(bit));
            assert_eq!(verdict, Err(Refusal::NotCommitted(NotCommitted::Body)), "{:?}, bit {bit}", body.check);
        }
    });
}

#[test]
fn and_committed_to() {
    let (blocks, _) = realistic::blocks();
    let bodies = bodies(&blocks);
    for_each(&bodies, |at, body| {
        let most = if matches!(body.check, Check::Row(_)) { BITS_OF_A_ROW } else { BITS_OF_A_COLUMN };
        // Spread over the body, and from body to body at other places.
        let stride = body.bits().div_ceil(most);
        for bit in (at % stride..body.bits()).step_by(stride) {
            let bytes = body.flipped(bit);
            let verdict = body.verdict(&body.commit(&bytes), bytes);
            let refused = matches!(verdict, Err(Refusal::Fault(_) | Refusal::NotCommitted(NotCommitted::NoCode(_))));
            assert!(refused, "{:?}, bit {bit} of {}: {verdict:?}", body.check, body.bits());
        }
    });
}
