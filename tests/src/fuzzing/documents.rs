//! Block documents and evidence.

use super::{block_of, decoded, numbered, twice};
use crate::{
    chain::TestBlock,
    verdicts::{Check, claim},
};
use ocelli_core::{
    block::verify_block,
    evidence::{Claim, Evidence},
    header::SignedHeader,
    limits,
    manifest::Manifest,
    message::BlockDocument,
    wire,
};

/// A block and a document, as it is, and signed by the sequencer.
pub(super) fn block(data: &[u8]) {
    let [block, bytes @ ..] = data else { return };
    let block = block_of(*block);
    let Some(mut document) = decoded::<BlockDocument>(bytes, limits::BLOCK_DOCUMENT_BYTES) else { return };
    let opened = Manifest::open(&document.signed.header, &wire::encode(&document.manifest));
    assert!(opened.is_err() || opened.as_ref() == Ok(&document.manifest));
    check(block, &document);
    sign(block, &mut document.signed, &document.manifest);
    check(block, &document);
}

fn check(block: &TestBlock, document: &BlockDocument) {
    let BlockDocument { signed, parent_ancestors, manifest } = document;
    let (verdict, log) = twice(|| {
        let mut log = parent_ancestors.clone();
        let verdict = verify_block(&block.config, &block.parent, &mut log, signed, manifest);
        (verdict, log)
    });
    let expected = if verdict.is_ok() { &signed.header.ancestors } else { &parent_ancestors.root() };
    assert_eq!(log.root(), *expected, "the log grows with a block that holds, and with no other");
}

/// The sequencer commits to `manifest` and signs.
fn sign(block: &TestBlock, signed: &mut SignedHeader, manifest: &Manifest) {
    signed.header.manifest_root = manifest.root();
    signed.signature = block.key.sign(&signed.header.hash());
}

/// Evidence: as it is it convinces nobody, since the chain is honest; signed by the sequencer it ends in some verdict.
pub(super) fn evidence(data: &[u8]) {
    let Ok(mut evidence) = Evidence::decode(data) else { return };
    assert_eq!(evidence.encode(), data, "a second encoding");
    let block = block_of(0);
    let verdict = twice(|| evidence.check(&block.config));
    assert!(verdict.is_err(), "an honest sequencer is convicted: {verdict:?}");
    let Evidence { signed, manifest, .. } = &mut evidence;
    sign(block, signed, manifest);
    let _ = twice(|| evidence.check(&block.config));
}

pub(super) fn block_seeds() -> Vec<Vec<u8>> {
    let document = |(number, block): (u8, &TestBlock)| {
        let document = BlockDocument {
            signed: block.signed.clone(),
            parent_ancestors: block.parent_ancestors.clone(),
            manifest: block.assembled.manifest.clone(),
        };
        [vec![number], wire::encode(&document)].concat()
    };
    numbered().map(document).collect()
}

pub(super) fn evidence_seeds() -> Vec<Vec<u8>> {
    let claims = |block: &TestBlock| {
        let checks = [Check::Block, Check::Row(0), Check::Row(1), Check::Column(0)];
        let claims = checks.into_iter().filter_map(|check| claim(block, check));
        claims.chain([Claim::Equivocation { other: block.signed.clone() }]).collect::<Vec<_>>()
    };
    let of_block =
        |block: &TestBlock| claims(block).into_iter().map(|claim| block.evidence(claim).encode()).collect::<Vec<_>>();
    numbered().flat_map(|(_, block)| of_block(block)).collect()
}
