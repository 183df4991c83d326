//! Every lie, told about every block of a realistic run that it can be told about, is found out by the check that is there
//! for it, and what was found convinces everyone; nothing else does.

use ocelli_core::{
    evidence::{Evidence, Fault, NotEvidence},
    header::SignedHeader,
    refusal::{NotCommitted, Refusal},
};
use ocelli_tests::{
    chain::TestBlock,
    lies::{self, Lie},
    realistic,
    verdicts::{Check, Verdict, claim, in_words, verdicts},
    wallet::Wallet,
};
use std::{collections::BTreeSet, thread};

/// What is wrong with how a lie about `block` is found out; nothing if all is well. `None` if it cannot be told.
fn found_out(lie: &Lie, block: &TestBlock) -> Option<Option<String>> {
    let mut lying = block.clone();
    (lie.apply)(&mut lying)?;
    let verdicts = verdicts(&lying);
    let about = || format!("{} (block {})", lie.name, lying.parent.height + 1);
    if !lie.expect.is_met(&verdicts) {
        let refusals = verdicts.iter().filter(|(_, verdict)| verdict.is_err());
        let found: String =
            refusals.map(|(check, verdict)| format!("\n    {check:?}: {}", in_words(verdict))).collect();
        return Some(Some(format!("{}: {found}", about())));
    }
    let wrong = verdicts.iter().find(|(check, verdict)| !convinces_as_found(&lying, *check, verdict));
    Some(wrong.map(|(check, verdict)| format!("{}: {check:?} is no such evidence: {}", about(), in_words(verdict))))
}

/// Whether evidence of what `check` of `block` found, as it travels, ends in what was found: a fault convinces of that fault,
/// and nothing else of any.
fn convinces_as_found(block: &TestBlock, check: Check, verdict: &Verdict) -> bool {
    let Some(claim) = claim(block, check) else { return true };
    let evidence = Evidence::decode(&block.evidence(claim).encode()).expect("evidence of a task can be sent");
    match (verdict, evidence.check(&block.config)) {
        (Err(Refusal::Fault(found)), Ok(fault)) => fault == *found,
        (Err(Refusal::NotCommitted(_)), Err(NotEvidence::NotCommitted(_))) => true,
        // Nobody has to answer for what the sequencer did not sign or commit to.
        (_, Err(NotEvidence::NotCommitted(reason))) => untied(block) == Some(reason),
        (verdict, Err(NotEvidence::NoFault)) => verdict.is_ok(),
        _ => false,
    }
}

/// Why the manifest is not one that the sequencer of the chain signed, if it is not.
fn untied(block: &TestBlock) -> Option<NotCommitted> {
    let header = &block.signed.header;
    if header.genesis != block.config.genesis_hash() {
        Some(NotCommitted::OtherChain)
    } else if block.signed.signer() != Ok(block.key.address()) {
        Some(NotCommitted::NotSigned)
    } else {
        (block.assembled.manifest.root() != header.manifest_root).then_some(NotCommitted::Manifest)
    }
}

#[test]
fn every_lie() {
    let (blocks, _) = realistic::blocks();
    let all: Vec<&Lie> = lies::all().collect();
    assert_eq!(all.iter().map(|lie| lie.name).collect::<BTreeSet<_>>().len(), all.len(), "names name one lie each");
    let of_lie = |lie: &&Lie| -> Vec<String> {
        let told: Vec<Option<String>> = blocks.iter().filter_map(|block| found_out(lie, block)).collect();
        let nowhere = told.is_empty().then(|| format!("{}: nowhere to be told", lie.name));
        told.into_iter().flatten().chain(nowhere).collect()
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = all
            .chunks(all.len().div_ceil(4))
            .map(|lies| scope.spawn(|| lies.iter().flat_map(of_lie).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no lie panics")).collect()
    });
    assert!(wrong.is_empty(), "{} are not found out as they should be:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_claim_against_an_honest_block_convinces() {
    let (blocks, _) = realistic::blocks();
    for block in &blocks {
        for (check, verdict) in verdicts(block) {
            assert_eq!(verdict, Ok(()), "{check:?}");
            let claim = claim(block, check).expect("an honest block has all of its bodies");
            assert_eq!(block.evidence(claim).check(&block.config), Err(NotEvidence::NoFault), "{check:?}");
        }
    }
}

/// Evidence that the sequencer signed `other` besides the header of `block`.
fn equivocation(block: &TestBlock, other: SignedHeader) -> Result<Fault, NotEvidence> {
    block.evidence(ocelli_core::evidence::Claim::Equivocation { other }).check(&block.config)
}

/// The header of `block`, changed and signed by `signer`, or by the sequencer.
fn signed(block: &TestBlock, signer: Option<&Wallet>, edit: impl FnOnce(&mut SignedHeader)) -> SignedHeader {
    let mut other = block.signed.clone();
    edit(&mut other);
    let hash = other.header.hash();
    other.signature = signer.map_or_else(|| block.key.sign(&hash), |signer| signer.key.sign(&hash));
    other
}

#[test]
fn two_headers_of_one_height_and_term_are_evidence_and_no_other_two() {
    let (blocks, _) = realistic::blocks();
    let [.., before, block] = blocks.as_slice() else { panic!("there are blocks") };
    let stranger = Wallet::new(3);
    let two = |edit: fn(&mut SignedHeader)| equivocation(block, signed(block, None, edit));
    assert_eq!(two(|other| other.header.time_ms += 1), Ok(Fault::Equivocation));
    assert_eq!(two(|_| {}), Err(NotEvidence::NoFault), "the same header twice");
    assert_eq!(two(|other| other.header.term += 1), Err(NotEvidence::NoFault), "another term");
    assert_eq!(two(|other| other.header.height += 1), Err(NotEvidence::NoFault), "another height");
    assert_eq!(equivocation(block, before.signed.clone()), Err(NotEvidence::NoFault), "its own parent");
    let of_stranger = signed(block, Some(&stranger), |other| other.header.time_ms += 1);
    assert_eq!(equivocation(block, of_stranger), Err(NotEvidence::NotCommitted(NotCommitted::NotSigned)));
    let elsewhere = two(|other| other.header.genesis.0[0] ^= 1);
    assert_eq!(elsewhere, Err(NotEvidence::NotCommitted(NotCommitted::OtherChain)));
}

#[test]
fn evidence_with_another_manifest_says_nothing() {
    let (blocks, _) = realistic::blocks();
    let block = &blocks[4];
    for check in [Check::Block, Check::Row(1), Check::Column(0)] {
        let mut evidence = block.evidence(claim(block, check).expect("a task"));
        evidence.manifest.rows.pop();
        assert_eq!(
            evidence.check(&block.config),
            Err(NotEvidence::NotCommitted(NotCommitted::Manifest)),
            "{check:?} would be a fault under this manifest"
        );
    }
}
