//! Attestations collected in any order, with any duplicates, make the same coverage and the same votes, and what is
//! certified from them verifies.

use alloy_primitives::B256;
use ocelli_core::{
    attestation::{
        Attestation, AttestationError, BlockTasks, Delegation, SignedAttestation, SignedDelegation, TaskSet,
    },
    certificate::{Added, Certificate, CertificateError, CertifiedBlock, Collector, CollectorError, VoteError},
    hash::keccak256,
    limits,
    signature::SecretKey,
    typed_data::SigningDomain,
    verifiers::{Registered, VerifierSet},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The height of the last certified block.
const AFTER: u64 = 100;
const TERM: u64 = 3;
const TASKS: u32 = 6;

fn domain() -> SigningDomain {
    SigningDomain::new(7_117, &B256::repeat_byte(0x11))
}

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
    CertifiedBlock { height, term: TERM, hash: keccak256(height.to_be_bytes()), time_ms: height * 100, tasks: TASKS }
}

fn blocks(certificate: &Certificate) -> Vec<CertifiedBlock> {
    (certificate.after + 1..=certificate.top()).map(block).collect()
}

fn collector(weights: &[u64], top: u64) -> Collector {
    redundant(weights, 1, top)
}

fn redundant(weights: &[u64], redundancy: u16, top: u64) -> Collector {
    let mut collector = Collector::new(set(weights), redundancy, domain(), AFTER);
    (AFTER + 1..=top).for_each(|height| collector.push(block(height)).unwrap());
    collector
}

fn lists(lists: &[(u64, &[u32])]) -> Vec<BlockTasks> {
    let list = |(height, listed): &(u64, &[u32])| {
        let mut tasks = TaskSet::default();
        listed.iter().for_each(|task| tasks.insert(*task).unwrap());
        BlockTasks { height: *height, tasks }
    };
    lists.iter().map(list).collect()
}

fn signed(seed: u64, height: u64, listed: &[(u64, &[u32])]) -> SignedAttestation {
    let attestation = Attestation::new(height, TERM, block(height).hash, lists(listed)).unwrap();
    SignedAttestation::by_owner(attestation, &key(seed), &domain())
}

const ALL: &[u32] = &[0, 1, 2, 3, 4, 5];

fn verified(certificate: &Certificate, weights: &[u64], redundancy: u16) -> Result<(), CertificateError> {
    certificate.verify(certificate.after, &set(weights), redundancy, &domain(), &blocks(certificate))
}

/// The certificate that `collector` gives, verified.
fn certified(collector: &Collector, weights: &[u64]) -> Option<Certificate> {
    certified_by(collector, weights, 1)
}

fn certified_by(collector: &Collector, weights: &[u64], redundancy: u16) -> Option<Certificate> {
    let certificate = collector.certificate()?;
    assert_eq!(verified(&certificate, weights, redundancy), Ok(()));
    assert_eq!(Certificate::decode(&certificate.encode()), Ok(certificate.clone()));
    Some(certificate)
}

#[test]
fn a_certificate_is_there_as_soon_as_it_can_be_and_stays_the_same() {
    let weights = [1, 1, 1];
    let mut collector = collector(&weights, 103);
    let voter = |seed| ocelli_core::attestation::Voter { owner: key(seed).address(), session: key(seed).address() };
    let added = |seed, tasks, vote| Ok(Added { voter: voter(seed), tasks, vote });
    assert_eq!(collector.add(signed(0, 102, &[(101, ALL), (102, &[0, 1, 2])])), added(0, 9, true));
    assert_eq!(collector.add(signed(1, 103, &[(102, &[2, 3, 4, 5]), (103, &[0])])), added(1, 4, true));
    assert_eq!(collector.certificate(), None);
    assert_eq!((collector.weight(102), collector.weight(103)), (2, 1));
    assert_eq!(collector.add(signed(2, 101, &[])), added(2, 0, true));
    let first = certified(&collector, &weights).unwrap();
    assert_eq!((first.after, first.height, collector.certifiable()), (100, 101, 101));
    assert_eq!(certified(&collector, &weights), Some(first));
    assert_eq!(collector.add(signed(2, 102, &[])), added(2, 0, true));
    let second = certified(&collector, &weights).unwrap();
    assert_eq!((second.height, second.top()), (102, 103));
    collector.advance(102);
    assert_eq!((collector.certified(), collector.top(), collector.certificate()), (102, 103, None));
    assert_eq!(collector.coverage(102), None);
    assert_eq!(collector.coverage(103).map(TaskSet::len), Some(1));
    assert_eq!(collector.weight(103), 1);
}

#[test]
fn each_refusal_says_why_and_changes_nothing() {
    let mut collector = collector(&[1, 1], 103);
    collector.add(signed(0, 102, &[(102, ALL)])).unwrap();
    let mut refused = |signed: SignedAttestation| {
        let before = (collector.coverage(103).cloned(), collector.weight(101), collector.certifiable());
        let error = collector.add(signed).unwrap_err();
        assert_eq!((collector.coverage(103).cloned(), collector.weight(101), collector.certifiable()), before);
        error
    };
    assert_eq!(refused(signed(7, 103, &[(103, ALL)])), VoteError::NotRegistered(key(7).address()));
    assert_eq!(refused(signed(1, 100, &[(100, ALL)])), VoteError::Stale);
    assert_eq!(refused(signed(1, 104, &[(103, ALL)])), VoteError::UnknownBlock);
    assert_eq!(refused(signed(1, 103, &[(103, &[TASKS])])), VoteError::NoSuchTask(103));
    assert_eq!(refused(signed(0, 102, &[(102, ALL)])), VoteError::NothingNew);
    assert_eq!(refused(signed(0, 102, &[(102, &[1])])), VoteError::NothingNew);
    assert_eq!(refused(signed(0, 101, &[])), VoteError::NothingNew);
    let fork = |term, hash| {
        let attestation = Attestation::new(103, term, hash, lists(&[(103, ALL)])).unwrap();
        SignedAttestation::by_owner(attestation, &key(1), &domain())
    };
    assert_eq!(refused(fork(TERM, B256::ZERO)), VoteError::OtherBlock);
    assert_eq!(refused(fork(TERM + 1, block(103).hash)), VoteError::OtherTerm);
    let delegation = Delegation { session: key(9).address(), expires: 10 };
    let delegation = SignedDelegation::new(delegation, &key(1), &domain());
    let attestation = fork(TERM, block(103).hash).attestation;
    let expired = SignedAttestation::by_session(attestation.clone(), delegation, &key(9), &domain());
    assert_eq!(refused(expired), VoteError::Attestation(AttestationError::Expired { expires: 10 }));
    let forged = SignedAttestation::by_session(attestation, delegation, &key(8), &domain());
    let found = key(8).address();
    assert_eq!(refused(forged), VoteError::Attestation(AttestationError::OtherSession { found }));
}

#[test]
fn sessions_of_one_owner_share_the_tasks_and_the_one_vote() {
    let weights = [1, 1, 1];
    let mut collector = collector(&weights, 101);
    for (session, half) in [(20, &[0, 1, 2]), (21, &[3, 4, 5])] {
        let delegation = Delegation { session: key(session).address(), expires: 1_000 };
        let delegation = SignedDelegation::new(delegation, &key(0), &domain());
        let attestation = Attestation::new(101, TERM, block(101).hash, lists(&[(101, half)])).unwrap();
        let signed = SignedAttestation::by_session(attestation, delegation, &key(session), &domain());
        assert_eq!(collector.add(signed).map(|added| (added.tasks, added.vote)), Ok((3, session == 20)));
    }
    assert_eq!(collector.weight(101), 1);
    collector.add(signed(1, 101, &[])).unwrap();
    assert_eq!(collector.certificate(), None);
    collector.add(signed(2, 101, &[])).unwrap();
    assert_eq!(certified(&collector, &weights).map(|certificate| certificate.attestations.len()), Some(4));
}

#[test]
fn a_task_is_covered_when_as_many_owners_list_it_as_the_redundancy_says() {
    let weights = [1, 1, 1];
    let mut collector = redundant(&weights, 2, 102);
    let by_session = |session, listed: &[u32]| {
        let delegation = Delegation { session: key(session).address(), expires: 1_000 };
        let delegation = SignedDelegation::new(delegation, &key(0), &domain());
        let attestation = Attestation::new(101, TERM, block(101).hash, lists(&[(101, listed)])).unwrap();
        SignedAttestation::by_session(attestation, delegation, &key(session), &domain())
    };
    let tasks = |added: Result<Added, VoteError>| added.unwrap().tasks;
    assert_eq!(tasks(collector.add(by_session(20, ALL))), 6);
    // Two sessions of one owner are one owner.
    assert_eq!(collector.add(by_session(21, ALL)), Err(VoteError::NothingNew));
    assert_eq!(tasks(collector.add(signed(0, 102, &[(101, ALL)]))), 0);
    assert_eq!(collector.coverage(101).map(TaskSet::len), Some(0));
    assert_eq!(tasks(collector.add(signed(1, 102, &[(101, &[0, 1, 2])]))), 3);
    assert_eq!(tasks(collector.add(signed(2, 102, &[(101, &[2, 3, 4])]))), 2);
    assert_eq!((collector.coverage(101).map(TaskSet::len), collector.certificate()), (Some(5), None));
    assert_eq!(tasks(collector.add(signed(2, 101, &[(101, &[5])]))), 1);
    let certificate = certified_by(&collector, &weights, 2).unwrap();
    assert_eq!(certificate.height, 101);
    // Blocks that are replaced take away only what was said of them.
    collector.truncate(101);
    assert_eq!(collector.coverage(101).map(TaskSet::len), Some(1));
}

#[test]
fn a_certificate_takes_the_heaviest_votes_and_only_what_adds_coverage() {
    let weights = [1, 1, 1, 1, 100];
    let mut collector = collector(&weights, 101);
    for seed in 1..4 {
        collector.add(signed(seed, 101, &[(101, &[1, seed as u32])])).unwrap();
    }
    collector.add(signed(4, 101, &[(101, &[1, 2, 3, 4])])).unwrap();
    assert_eq!(collector.certificate(), None);
    collector.add(signed(0, 101, &[(101, &[0, 5])])).unwrap();
    let certificate = certified(&collector, &weights).unwrap();
    assert_eq!(certificate.attestations.len(), 2);
}

#[test]
fn what_does_not_fit_is_certified_in_parts_or_with_shorter_votes() {
    let large = limits::BLOCK_TASKS as u32;
    let owners: u64 = 420;
    let weights = vec![1; owners as usize];
    let attest = |seed, height, from| {
        let lists = (from..=height).map(|height| BlockTasks { height, tasks: TaskSet::all(large) });
        let attestation = Attestation::new(height, TERM, block(height).hash, lists.collect()).unwrap();
        SignedAttestation::by_owner(attestation, &key(seed), &domain())
    };
    let blocks = |to| (AFTER + 1..=to).map(|height| CertifiedBlock { tasks: large, ..block(height) });
    let holds = |certificate: &Certificate| {
        let above: Vec<_> = blocks(certificate.top()).filter(|block| block.height > certificate.after).collect();
        certificate.verify(certificate.after, &set(&weights), 1, &domain(), &above)
    };
    let mut collector = Collector::new(set(&weights), 1, domain(), AFTER);
    blocks(AFTER + 21).for_each(|block| collector.push(block).unwrap());
    collector.add(attest(0, AFTER + 5, AFTER + 1)).unwrap();
    for seed in 0..owners {
        let _ = collector.add(signed(seed, AFTER + 1, &[]));
        // Two thirds of these are more than a certificate holds.
        collector.add(attest(seed, AFTER + 20, AFTER + 6)).unwrap();
    }
    assert_eq!(collector.certifiable(), AFTER + 20);
    let part = collector.certificate().unwrap();
    assert_eq!((part.height, holds(&part)), (AFTER + 1, Ok(())));
    collector.advance(part.height);
    assert_eq!(collector.certificate(), None);
    for seed in 0..owners {
        collector.add(signed(seed, AFTER + 21, &[])).unwrap();
    }
    let rest = collector.certificate().unwrap();
    assert_eq!((rest.height, holds(&rest)), (AFTER + 20, Ok(())));
}

#[test]
fn a_replaced_block_takes_its_votes_with_it_and_no_others() {
    let weights = [1];
    let mut collector = collector(&weights, 103);
    collector.add(signed(0, 101, &[(101, &[0, 1, 2])])).unwrap();
    collector.add(signed(0, 103, &[(101, ALL), (103, ALL)])).unwrap();
    collector.truncate(102);
    assert_eq!((collector.top(), collector.weight(102), collector.weight(101)), (102, 0, 1));
    assert_eq!(collector.coverage(101).map(TaskSet::len), Some(3));
    let higher = CertifiedBlock { term: TERM + 1, hash: B256::repeat_byte(5), ..block(103) };
    collector.push(higher).unwrap();
    assert_eq!(collector.add(signed(0, 103, &[(103, ALL)])), Err(VoteError::OtherBlock));
    collector.truncate(50);
    assert_eq!((collector.certified(), collector.top()), (AFTER, AFTER));
    collector.truncate(u64::MAX);
    assert_eq!(collector.push(block(101)), Ok(()));
}

#[test]
fn blocks_come_one_after_the_other_and_so_many_can_wait() {
    let mut collector = collector(&[1], 101);
    for height in [100, 101, 103] {
        assert_eq!(collector.push(block(height)), Err(CollectorError::NotNext { expected: 102 }));
    }
    let last = AFTER + limits::COLLECTOR_BLOCKS as u64;
    (102..=last).for_each(|height| collector.push(block(height)).unwrap());
    assert_eq!(collector.push(block(last + 1)), Err(CollectorError::Full));
    collector.advance(101);
    assert_eq!(collector.push(block(last + 1)), Ok(()));
    collector.advance(u64::MAX);
    assert_eq!(collector.certified(), last + 1);
    assert_eq!(Collector::new(set(&[1]), 1, domain(), u64::MAX).push(block(0)), Err(CollectorError::Full));
}

#[test]
fn what_is_kept_of_one_verifier_is_bounded_until_the_next_certificate() {
    let most = limits::COLLECTOR_ATTESTATIONS as u64;
    let mut collector = collector(&[1, 1], AFTER + most + 1);
    for height in AFTER + 1..=AFTER + most {
        collector.add(signed(0, height, &[])).unwrap();
    }
    let next = || signed(0, AFTER + most + 1, &[]);
    assert_eq!(collector.add(next()), Err(VoteError::TooMuch));
    assert!(collector.add(signed(1, AFTER + 1, &[])).is_ok());
    collector.advance(AFTER + 1);
    assert!(collector.add(next()).is_ok());
}

#[test]
fn long_lists_of_one_verifier_are_bounded_too() {
    let large = limits::BLOCK_TASKS as u32;
    let mut collector = Collector::new(set(&[1]), 1, domain(), AFTER);
    (AFTER + 1..AFTER + 40)
        .for_each(|height| collector.push(CertifiedBlock { tasks: large, ..block(height) }).unwrap());
    let mut kept = 0;
    for height in AFTER + 20..AFTER + 40 {
        let lists = (height - 14..=height).map(|height| BlockTasks { height, tasks: TaskSet::all(large) });
        let attestation = Attestation::new(height, TERM, block(height).hash, lists.collect()).unwrap();
        kept += attestation.encoded_tasks().len();
        let added = collector.add(SignedAttestation::by_owner(attestation, &key(0), &domain()));
        assert_eq!(added.is_ok(), kept <= limits::COLLECTOR_TASKS_BYTES);
    }
    assert!(kept > limits::COLLECTOR_TASKS_BYTES);
}

/// Who attests which height, listing which tasks of which blocks.
type Said = (u64, u64, BTreeSet<(u64, u32)>);

fn any_said() -> impl Strategy<Value = Vec<Said>> {
    let height = AFTER + 1..AFTER + 5;
    let tasks = prop::collection::btree_set((height.clone(), 0..TASKS), 0..18);
    prop::collection::vec((0_u64..4, height, tasks), 0..14)
}

fn say((seed, height, tasks): &Said) -> SignedAttestation {
    let mut lists: Vec<BlockTasks> = Vec::new();
    for (at, task) in tasks.iter().filter(|(at, _)| at <= height) {
        if lists.last().is_none_or(|last| last.height != *at) {
            lists.push(BlockTasks { height: *at, tasks: TaskSet::default() });
        }
        lists.last_mut().unwrap().tasks.insert(*task).unwrap();
    }
    let attestation = Attestation::new(*height, TERM, block(*height).hash, lists).unwrap();
    SignedAttestation::by_owner(attestation, &key(*seed), &domain())
}

/// The height that can be certified, found the long way.
fn certifiable(said: &[Said], weights: &[u64]) -> u64 {
    let covered = |at: u64| {
        (0..TASKS).all(|task| said.iter().any(|(_, height, tasks)| at <= *height && tasks.contains(&(at, task))))
    };
    let voted = |at: u64| {
        let owners: BTreeSet<u64> =
            said.iter().filter(|(_, height, _)| *height >= at).map(|(seed, ..)| *seed).collect();
        owners.iter().map(|seed| weights[*seed as usize]).sum::<u64>() * 3 > weights.iter().sum::<u64>() * 2
    };
    (AFTER + 1..AFTER + 5).take_while(|at| covered(*at) && voted(*at)).last().unwrap_or(AFTER)
}

proptest! {
    #[test]
    fn any_order_with_any_duplicates_collects_the_same(
        (said, shuffled) in any_said().prop_flat_map(|said| {
            let doubled = [said.clone(), said.clone()].concat();
            (Just(said), Just(doubled).prop_shuffle())
        }),
        weights in prop::array::uniform4(1_u64..5),
    ) {
        let [mut one, mut two] = [collector(&weights, AFTER + 4), collector(&weights, AFTER + 4)];
        for said in &said {
            let _ = one.add(say(said));
        }
        for said in &shuffled {
            let _ = two.add(say(said));
        }
        for height in AFTER..AFTER + 6 {
            prop_assert_eq!(one.coverage(height), two.coverage(height));
            prop_assert_eq!(one.weight(height), two.weight(height));
        }
        let expected = certifiable(&said, &weights);
        for collector in [&one, &two] {
            prop_assert_eq!(collector.certifiable(), expected);
            let height = certified(collector, &weights).map(|certificate| certificate.height);
            prop_assert_eq!(height, (expected > AFTER).then_some(expected));
        }
    }

    #[test]
    fn a_certificate_without_one_of_its_attestations_fails_or_had_it_for_nothing(
        said in any_said(),
        dropped: prop::sample::Index,
    ) {
        let weights = [1; 4];
        let mut collector = collector(&weights, AFTER + 4);
        for said in &said {
            let _ = collector.add(say(said));
        }
        if let Some(mut certificate) = certified(&collector, &weights) {
            let count = certificate.attestations.len();
            let (header, height) = (certificate.header, certificate.height);
            let gone = certificate.attestations.remove(dropped.index(count));
            match verified(&certificate, &weights, 1) {
                // Its tasks are listed by others as well, and its vote was not needed.
                Ok(()) => prop_assert!(certificate.attestations.iter().filter(|kept| kept.attestation.height() >= height).count() >= 3),
                Err(CertificateError::NotCovered { height, task }) => {
                    prop_assert!(gone.attestation.tasks_at(height).is_some_and(|tasks| tasks.contains(task)));
                }
                Err(CertificateError::TooFewVotes { weight }) => prop_assert_eq!(weight, 2),
                Err(error) => prop_assert!(false, "{}: {}", header, error),
            }
        }
    }
}
