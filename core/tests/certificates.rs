//! A certificate holds only with every task covered and more than two thirds voting, whatever its attestations are.

use alloy_primitives::B256;
use ocelli_core::{
    attestation::{
        Attestation, AttestationError, BlockTasks, Delegation, SignedAttestation, SignedDelegation, TaskSet,
    },
    certificate::{Certificate, CertificateError, CertifiedBlock, VoteError},
    hash::keccak256,
    limits,
    signature::SecretKey,
    typed_data::{SigningDomain, TypedData},
    verifiers::{Registered, VerifierSet},
};

/// The height of the last certified block; the chain goes on to 110.
const AFTER: u64 = 100;
const TERM: u64 = 3;

fn domain() -> SigningDomain {
    SigningDomain::new(7_117, &B256::repeat_byte(0x11))
}

/// Key `seed`, of which no two are alike.
fn key(seed: u64) -> SecretKey {
    SecretKey::from_bytes(&keccak256(seed.to_be_bytes()).0).unwrap()
}

/// A set in which key `i` has weight `weights[i]`.
fn set(weights: &[u64]) -> VerifierSet {
    let mut verifiers: Vec<Registered> =
        (0..).zip(weights).map(|(seed, weight)| Registered { owner: key(seed).address(), weight: *weight }).collect();
    verifiers.sort_by_key(|verifier| verifier.owner);
    VerifierSet::try_from(verifiers).unwrap()
}

fn block(height: u64) -> CertifiedBlock {
    CertifiedBlock { height, term: TERM, hash: keccak256(height.to_be_bytes()), time_ms: height * 100, tasks: 10 }
}

fn blocks(to: u64) -> Vec<CertifiedBlock> {
    (AFTER + 1..=to).map(block).collect()
}

/// An attestation for the block at `height` that lists, for each of `lists`, tasks of a block.
fn attestation(height: u64, lists: &[(u64, &[u32])]) -> Attestation {
    let lists = lists.iter().map(|(height, listed)| {
        let mut tasks = TaskSet::default();
        listed.iter().for_each(|task| tasks.insert(*task).unwrap());
        BlockTasks { height: *height, tasks }
    });
    Attestation::new(height, TERM, block(height).hash, lists.collect()).unwrap()
}

fn signed(seed: u64, height: u64, lists: &[(u64, &[u32])]) -> SignedAttestation {
    SignedAttestation::by_owner(attestation(height, lists), &key(seed), &domain())
}

/// Signed by session key `session` of owner `seed`.
fn delegated(seed: u64, session: u64, expires: u64, height: u64, lists: &[(u64, &[u32])]) -> SignedAttestation {
    let delegation = Delegation { session: key(session).address(), expires };
    let delegation = SignedDelegation::new(delegation, &key(seed), &domain());
    SignedAttestation::by_session(attestation(height, lists), delegation, &key(session), &domain())
}

/// A certificate for the blocks up to `height`, with its attestations put in order.
fn certificate(height: u64, mut attestations: Vec<SignedAttestation>) -> Certificate {
    attestations.sort_by_cached_key(|signed| {
        let voter = signed.verify(&domain(), 0).unwrap();
        (voter, signed.attestation.height(), signed.attestation.struct_hash())
    });
    Certificate { after: AFTER, height, term: TERM, header: block(height).hash, attestations }
}

fn verify(certificate: &Certificate, weights: &[u64]) -> Result<(), CertificateError> {
    redundant(certificate, weights, 1)
}

fn redundant(certificate: &Certificate, weights: &[u64], redundancy: u16) -> Result<(), CertificateError> {
    certificate.verify(AFTER, &set(weights), redundancy, &domain(), &blocks(certificate.top()))
}

const ALL: &[u32] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const LOW: &[u32] = &[0, 1, 2, 3, 4];
const HIGH: &[u32] = &[5, 6, 7, 8, 9];

/// Three of three voted for block 102, and share the tasks of 101 and 102.
fn good() -> Vec<SignedAttestation> {
    vec![
        signed(0, 102, &[(101, LOW), (102, LOW)]),
        signed(1, 102, &[(101, HIGH)]),
        delegated(2, 12, 1_000, 102, &[(102, HIGH)]),
    ]
}

#[test]
fn covered_and_voted_blocks_are_certified() {
    let certificate = certificate(102, good());
    assert_eq!(verify(&certificate, &[1, 1, 1]), Ok(()));
    assert_eq!(Certificate::decode(&certificate.encode()), Ok(certificate));
}

#[test]
fn a_task_that_nobody_lists_is_named() {
    let mut attestations = good();
    attestations[1] = signed(1, 102, &[(101, &[5, 6, 8, 9])]);
    let expected = Err(CertificateError::NotCovered { height: 101, task: 7 });
    assert_eq!(verify(&certificate(102, attestations), &[1, 1, 1]), expected);
    // Two of three who cannot be outvoted are not enough either if the third alone covered a block.
    let two = certificate(102, good()[..2].to_vec());
    assert_eq!(verify(&two, &[100, 100, 1]), Err(CertificateError::NotCovered { height: 102, task: 5 }));
}

#[test]
fn tasks_of_a_certified_block_or_of_one_above_the_span_cover_nothing() {
    let attestations =
        vec![signed(0, 102, &[(100, ALL), (102, ALL)]), signed(1, 102, &[(99, &[77])]), signed(2, 102, &[])];
    let expected = Err(CertificateError::NotCovered { height: 101, task: 0 });
    assert_eq!(verify(&certificate(102, attestations.clone()), &[1, 1, 1]), expected);
    assert_eq!(verify(&certificate(101, attestations), &[1, 1, 1]), expected);
}

#[test]
fn a_span_that_does_not_join_what_is_certified_certifies_nothing() {
    // The body of a column of block 101 is withheld, so nobody lists it; all vote for block 102 and so for all before it.
    let attestations = vec![signed(0, 102, &[(101, &ALL[..9]), (102, ALL)]), signed(1, 102, &[]), signed(2, 102, &[])];
    let whole = certificate(102, attestations.clone());
    assert_eq!(verify(&whole, &[1, 1, 1]), Err(CertificateError::NotCovered { height: 101, task: 9 }));
    // Whoever leaves the block out proves nothing to who has not seen it certified, whatever blocks they bring.
    let above = Certificate { after: 101, ..whole };
    let gap = Err(CertificateError::Gap { certified: AFTER, after: 101 });
    assert_eq!(verify(&above, &[1, 1, 1]), gap);
    assert_eq!(above.verify(AFTER, &set(&[1, 1, 1]), 1, &domain(), &blocks(102)[1..]), gap);
    assert_eq!(above.verify(101, &set(&[1, 1, 1]), 1, &domain(), &blocks(102)[1..]), Ok(()));
}

#[test]
fn of_a_span_that_overlaps_only_what_is_not_certified_has_to_hold() {
    let attestations = || vec![signed(0, 101, &[(101, LOW)]), signed(0, 103, &[(102, ALL), (103, ALL)])];
    let with = |more: &[SignedAttestation]| certificate(103, [attestations(), more.to_vec()].concat());
    let verified = |certificate: &Certificate| {
        certificate.verify(101, &set(&[3, 1, 1]), 1, &domain(), &blocks(certificate.top())[1..])
    };
    let overlapping = with(&[signed(1, 104, &[])]);
    assert_eq!(verify(&overlapping, &[3, 1, 1]), Err(CertificateError::NotCovered { height: 101, task: 5 }));
    assert_eq!(verified(&overlapping), Ok(()));
    // A vote for a header that is certified is none for those above.
    assert_eq!(verified(&with(&[signed(1, 101, &[])])), Err(CertificateError::TooFewVotes { weight: 3 }));
    let uncovered = certificate(103, vec![signed(0, 103, &[(103, ALL)]), signed(1, 103, &[])]);
    assert_eq!(verified(&uncovered), Err(CertificateError::NotCovered { height: 102, task: 0 }));
}

#[test]
fn a_task_is_covered_by_as_many_owners_as_the_redundancy_says() {
    let weights = [1, 1, 1];
    let with = |attestations: &[SignedAttestation]| redundant(&certificate(101, attestations.to_vec()), &weights, 2);
    let mut attestations = vec![signed(0, 101, &[(101, ALL)]), signed(1, 101, &[(101, LOW)]), signed(2, 101, &[])];
    assert_eq!(verify(&certificate(101, attestations.clone()), &weights), Ok(()));
    assert_eq!(with(&attestations), Err(CertificateError::NotCovered { height: 101, task: 5 }));
    // More of the same owner are no more owners, whichever keys they sign with.
    attestations.push(delegated(0, 20, 1_000, 101, &[(101, ALL)]));
    attestations.push(delegated(0, 21, 1_000, 102, &[(101, ALL)]));
    assert_eq!(with(&attestations), Err(CertificateError::NotCovered { height: 101, task: 5 }));
    attestations.push(delegated(2, 22, 1_000, 101, &[(101, HIGH)]));
    assert_eq!(with(&attestations), Ok(()));
    let three = redundant(&certificate(101, attestations), &weights, 3);
    assert_eq!(three, Err(CertificateError::NotCovered { height: 101, task: 0 }));
}

#[test]
fn votes_of_exactly_two_thirds_are_too_few() {
    let two = || vec![signed(0, 101, &[(101, ALL)]), signed(1, 101, &[])];
    let verified = |weights: &[u64]| verify(&certificate(101, two()), weights);
    assert_eq!(verified(&[1, 1, 1]), Err(CertificateError::TooFewVotes { weight: 2 }));
    assert_eq!(verified(&[1, 2, 1]), Ok(()));
    assert_eq!(
        verified(&[u64::MAX, u64::MAX, u64::MAX]),
        Err(CertificateError::TooFewVotes { weight: u128::from(u64::MAX) * 2 })
    );
    assert_eq!(verified(&[u64::MAX, u64::MAX, u64::MAX - 1]), Ok(()));
}

#[test]
fn an_owner_counts_once_through_however_many_sessions() {
    let mut attestations: Vec<_> = (20..30).map(|session| delegated(0, session, 1_000, 101, &[(101, ALL)])).collect();
    attestations.push(signed(0, 101, &[(101, ALL)]));
    attestations.push(signed(1, 101, &[]));
    let verified = |attestations: &[_]| verify(&certificate(101, attestations.to_vec()), &[1, 1, 1]);
    assert_eq!(verified(&attestations), Err(CertificateError::TooFewVotes { weight: 2 }));
    attestations.push(delegated(2, 31, 1_000, 101, &[]));
    assert_eq!(verified(&attestations), Ok(()));
}

#[test]
fn a_vote_below_the_last_block_covers_but_does_not_vote() {
    let mut attestations = vec![signed(0, 101, &[(101, ALL)]), signed(1, 102, &[(102, ALL)]), signed(2, 102, &[])];
    let verified = |attestations: &[_]| verify(&certificate(102, attestations.to_vec()), &[1, 1, 1]);
    assert_eq!(verified(&attestations), Err(CertificateError::TooFewVotes { weight: 2 }));
    attestations.push(signed(0, 102, &[]));
    assert_eq!(verified(&attestations), Ok(()));
}

#[test]
fn a_vote_above_the_last_block_is_one_for_it() {
    let certificate = certificate(101, vec![signed(0, 101, &[(101, ALL)]), signed(1, 105, &[]), signed(2, 103, &[])]);
    assert_eq!(certificate.top(), 105);
    assert_eq!(verify(&certificate, &[1, 1, 1]), Ok(()));
    let short = certificate.verify(AFTER, &set(&[1, 1, 1]), 1, &domain(), &blocks(104));
    assert!(matches!(short, Err(CertificateError::Vote(_, VoteError::UnknownBlock))));
}

#[test]
fn a_vote_for_another_header_neither_votes_nor_covers() {
    let forked = |height, term, header| {
        let lists = vec![BlockTasks { height: 101, tasks: TaskSet::all(10) }];
        let attestation = Attestation::new(height, term, header, lists).unwrap();
        let fork = SignedAttestation::by_owner(attestation, &key(0), &domain());
        match verify(&certificate(102, vec![fork]), &[1]) {
            Err(CertificateError::Vote(0, error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(forked(102, TERM, B256::repeat_byte(9)), VoteError::OtherBlock);
    assert_eq!(forked(102, TERM, block(101).hash), VoteError::OtherBlock);
    assert_eq!(forked(102, TERM + 1, block(102).hash), VoteError::OtherTerm);
}

#[test]
fn an_attestation_for_a_certified_block_is_stale() {
    let stale = certificate(101, vec![signed(0, 100, &[])]);
    assert_eq!(verify(&stale, &[1]), Err(CertificateError::Vote(0, VoteError::Stale)));
}

#[test]
fn a_free_identity_has_no_vote() {
    let mut attestations = good();
    attestations.push(signed(50, 102, &[(101, ALL)]));
    let certificate = certificate(102, attestations);
    let error = verify(&certificate, &[1, 1, 1]).unwrap_err();
    let CertificateError::Vote(_, VoteError::NotRegistered(owner)) = error else { panic!("{error}") };
    assert_eq!(owner, key(50).address());
    assert!(error.to_string().contains("is not a registered verifier, so its vote does not count"));
}

#[test]
fn a_session_votes_until_its_delegation_expires_by_the_header_voted_for() {
    // Block 101 has the time 10,100 ms.
    let until = |expires| verify(&certificate(101, vec![delegated(0, 12, expires, 101, &[(101, ALL)])]), &[1]);
    assert_eq!(until(11), Ok(()));
    let expired = VoteError::Attestation(AttestationError::Expired { expires: 10 });
    assert_eq!(until(10), Err(CertificateError::Vote(0, expired)));
}

#[test]
fn a_task_that_a_block_does_not_have_is_not_covered_by_anyone() {
    let certificate = certificate(102, vec![signed(0, 102, &[(101, ALL), (102, &[10])])]);
    assert_eq!(verify(&certificate, &[1]), Err(CertificateError::Vote(0, VoteError::NoSuchTask(102))));
}

#[test]
fn attestations_stand_in_one_order_and_once() {
    let good = certificate(102, good());
    let mut swapped = good.clone();
    swapped.attestations.swap(0, 1);
    assert_eq!(verify(&swapped, &[1, 1, 1]), Err(CertificateError::NotAscending(1)));
    let mut twice = good.clone();
    twice.attestations.insert(1, twice.attestations[1].clone());
    assert_eq!(verify(&twice, &[1, 1, 1]), Err(CertificateError::NotAscending(2)));
}

#[test]
fn the_blocks_of_the_span_are_all_there_and_in_order() {
    let certificate = certificate(102, good());
    let with = |blocks: &[CertifiedBlock]| certificate.verify(AFTER, &set(&[1, 1, 1]), 1, &domain(), blocks);
    let all = blocks(102);
    assert_eq!(with(&all), Ok(()));
    assert_eq!(with(&all[..1]), Err(CertificateError::MissingBlock(102)));
    assert_eq!(with(&[]), Err(CertificateError::MissingBlock(101)));
    assert_eq!(with(&all[1..]), Err(CertificateError::MissingBlock(101)));
    assert_eq!(with(&[all[0], all[0]]), Err(CertificateError::MissingBlock(102)));
    assert_eq!(with(&[all[1], all[0]]), Err(CertificateError::MissingBlock(101)));
    let mut other = all;
    other[1].hash = B256::ZERO;
    assert_eq!(with(&other), Err(CertificateError::OtherBlock));
    let of = |after, height| Certificate { after, height, ..certificate.clone() };
    assert_eq!(of(102, 102).verify(102, &set(&[1]), 1, &domain(), &[]), Err(CertificateError::Empty));
    assert_eq!(of(103, 102).verify(103, &set(&[1]), 1, &domain(), &[]), Err(CertificateError::Empty));
    assert_eq!(certificate.verify(102, &set(&[1]), 1, &domain(), &[]), Err(CertificateError::Empty));
    let end = CertifiedBlock { height: u64::MAX, ..block(1) };
    let beyond = of(u64::MAX - 1, u64::MAX).verify(u64::MAX - 1, &set(&[1]), 1, &domain(), &[end, end]);
    assert_eq!(beyond, Err(CertificateError::Empty));
}

#[test]
fn nobody_s_chain_is_never_certified() {
    let nothing = certificate(101, vec![]);
    let empty = CertifiedBlock { tasks: 0, ..block(101) };
    let verified = nothing.verify(AFTER, &VerifierSet::default(), 1, &domain(), &[empty]);
    assert_eq!(verified, Err(CertificateError::TooFewVotes { weight: 0 }));
}

#[test]
fn a_certificate_holds_so_many_attestations_and_no_more() {
    let one = signed(0, 101, &[(101, ALL)]);
    let many = vec![one; limits::CERTIFICATE_ATTESTATIONS + 1];
    let certificate = Certificate { attestations: many, ..certificate(101, vec![]) };
    assert_eq!(verify(&certificate, &[1]), Err(CertificateError::TooManyAttestations));
}

#[test]
fn every_flipped_bit_breaks_a_certificate() {
    let certificate = certificate(102, good());
    let (set, blocks) = (set(&[1, 1, 1]), blocks(110));
    let encoded = certificate.encode();
    for bit in 0..encoded.len() * 8 {
        let mut flipped = encoded.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(decoded) = Certificate::decode(&flipped) else { continue };
        // What it says of blocks that are certified already is nobody's concern.
        if decoded.after < AFTER && (Certificate { after: AFTER, ..decoded.clone() }) == certificate {
            continue;
        }
        assert!(decoded.verify(AFTER, &set, 1, &domain(), &blocks).is_err(), "bit {bit}");
    }
}
