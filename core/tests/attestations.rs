//! An attestation says one thing in one form, and speaks for nobody else than who signed or delegated.

use alloy_primitives::{Address, B256, b256};
use ocelli_core::{
    attestation::{
        Attestation, AttestationError, BlockTasks, Delegation, SignedAttestation, SignedDelegation, TaskSet, Voter,
    },
    hash::keccak256,
    limits,
    signature::SecretKey,
    typed_data::SigningDomain,
    wire::WireError,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const EXPIRES: u64 = 1_800_000_000;
const IN_TIME: u64 = EXPIRES * 1_000 - 1;

fn domain() -> SigningDomain {
    SigningDomain::new(7_117, &B256::repeat_byte(0x11))
}

fn key(seed: u64) -> SecretKey {
    SecretKey::from_bytes(&keccak256(seed.to_be_bytes()).0).unwrap()
}

fn tasks(tasks: impl IntoIterator<Item = u32>) -> TaskSet {
    let mut set = TaskSet::default();
    for task in tasks {
        set.insert(task).unwrap();
    }
    set
}

fn attestation() -> Attestation {
    let blocks =
        vec![BlockTasks { height: 257, tasks: tasks([0, 2, 15]) }, BlockTasks { height: 258, tasks: tasks([0, 1]) }];
    Attestation::new(258, 3, B256::repeat_byte(0x22), blocks).unwrap()
}

fn delegation(owner: &SecretKey, session: &SecretKey) -> SignedDelegation {
    SignedDelegation::new(Delegation { session: session.address(), expires: EXPIRES }, owner, &domain())
}

/// One attestation by its owner and one by a session, with whom they speak for.
fn signed() -> [(SignedAttestation, Voter); 2] {
    let [owner, session] = [key(1), key(2)];
    let by_owner = SignedAttestation::by_owner(attestation(), &owner, &domain());
    let by_session = SignedAttestation::by_session(attestation(), delegation(&owner, &session), &session, &domain());
    let voter = |session| Voter { owner: owner.address(), session };
    [(by_owner, voter(owner.address())), (by_session, voter(session.address()))]
}

#[test]
fn an_attestation_speaks_for_its_signer_or_for_who_delegated() {
    for (signed, voter) in signed() {
        assert_eq!(signed.verify(&domain(), IN_TIME), Ok(voter));
        assert_eq!(SignedAttestation::decode(&signed.encode()), Ok(signed));
    }
}

#[test]
fn a_delegation_ends_by_the_time_of_the_header() {
    let [(by_owner, owner), (by_session, _)] = signed();
    let late = IN_TIME + 1;
    assert_eq!(by_session.verify(&domain(), late), Err(AttestationError::Expired { expires: EXPIRES }));
    assert_eq!(by_owner.verify(&domain(), late), Ok(owner));
    let endless = Delegation { session: Address::ZERO, expires: u64::MAX };
    assert!(endless.is_valid_at(u64::MAX - 1));
}

#[test]
fn a_delegation_is_for_one_session_key() {
    let [owner, session, thief] = [key(1), key(2), key(3)];
    let stolen = SignedAttestation::by_session(attestation(), delegation(&owner, &session), &thief, &domain());
    let found = thief.address();
    assert_eq!(stolen.verify(&domain(), IN_TIME), Err(AttestationError::OtherSession { found }));
    assert_eq!(delegation(&owner, &session).owner(&domain()), Ok(owner.address()));
}

#[test]
fn what_is_signed_for_one_chain_speaks_for_nobody_on_another() {
    let elsewhere = SigningDomain::new(7_117, &B256::repeat_byte(0x12));
    for (signed, voter) in signed() {
        assert_ne!(signed.verify(&elsewhere, IN_TIME).ok().map(|voter| voter.owner), Some(voter.owner));
    }
}

#[test]
fn every_flipped_bit_is_refused_or_speaks_for_someone_else() {
    for (signed, voter) in signed() {
        let encoded = signed.encode();
        for bit in 0..encoded.len() * 8 {
            let mut flipped = encoded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(decoded) = SignedAttestation::decode(&flipped) else { continue };
            assert_ne!(decoded, signed);
            if let Ok(found) = decoded.verify(&domain(), IN_TIME) {
                assert_ne!(found.owner, voter.owner, "bit {bit}");
            }
        }
    }
}

#[test]
fn the_lists_of_an_attestation_have_one_form() {
    let list = |height, of: &[u32]| BlockTasks { height, tasks: tasks(of.iter().copied()) };
    let new = |height, blocks| Attestation::new(height, 0, B256::ZERO, blocks).map(|_| ());
    assert_eq!(new(9, vec![list(8, &[1]), list(9, &[1])]), Ok(()));
    assert_eq!(new(9, vec![list(9, &[1]), list(9, &[2])]), Err(AttestationError::NotAscending(9)));
    assert_eq!(new(9, vec![list(9, &[1]), list(8, &[1])]), Err(AttestationError::NotAscending(8)));
    assert_eq!(new(8, vec![list(8, &[1]), list(9, &[1])]), Err(AttestationError::AboveVote(9)));
    assert_eq!(new(9, vec![list(8, &[]), list(9, &[1])]), Err(AttestationError::NoTasks(8)));
    let many = limits::ATTESTATION_BLOCKS as u64;
    assert_eq!(new(many, (1..=many).map(|height| list(height, &[1])).collect()), Ok(()));
    assert_eq!(new(many, (0..=many).map(|height| list(height, &[1])).collect()), Err(AttestationError::TooManyBlocks));
}

#[test]
fn the_longest_attestation_can_be_sent_and_a_longer_one_cannot_be_made() {
    let heights = u64::MAX - 16..u64::MAX;
    let full = heights.map(|height| BlockTasks { height, tasks: TaskSet::all(limits::BLOCK_TASKS as u32) });
    let mut blocks: Vec<BlockTasks> = full.collect();
    let new = |blocks| Attestation::new(u64::MAX, u64::MAX, B256::ZERO, blocks);
    assert_eq!(new(blocks.clone()), Err(AttestationError::TooLong));
    let spare = limits::ATTESTATION_TASKS_BYTES - 1 - 15 * (limits::BLOCK_TASKS / 8 + 10) - 10;
    blocks[15].tasks = TaskSet::all(spare as u32 * 8);
    let longest = new(blocks.clone()).unwrap();
    assert_eq!(longest.encoded_tasks().len(), limits::ATTESTATION_TASKS_BYTES);
    let signed = SignedAttestation::by_session(longest, delegation(&key(1), &key(2)), &key(2), &domain());
    assert_eq!(SignedAttestation::decode(&signed.encode()), Ok(signed));
    blocks[15].tasks = TaskSet::all(spare as u32 * 8 + 1);
    assert_eq!(new(blocks), Err(AttestationError::TooLong));

    let tasks = TaskSet::all(8 * (limits::ATTESTATION_TASKS_BYTES / limits::ATTESTATION_BLOCKS - 11) as u32);
    let heights = u64::MAX - limits::ATTESTATION_BLOCKS as u64..u64::MAX;
    let most = new(heights.map(|height| BlockTasks { height, tasks: tasks.clone() }).collect()).unwrap();
    let signed = SignedAttestation::by_owner(most, &key(1), &domain());
    assert!(SignedAttestation::decode(&signed.encode()).is_ok());
}

#[test]
fn attestations_that_break_a_rule_do_not_decode() {
    let signed = &signed()[0].0;
    let encoded = signed.encode();
    // version, height 258 and term 3 as varints, header, two blocks, height 257, a bitmap of two bytes.
    let at = 1 + 2 + 1 + 32;
    assert_eq!(encoded[at..at + 6], [2, 0x81, 2, 2, 0x05, 0x80]);
    let altered = |index: usize, byte: u8| {
        let mut altered = encoded.clone();
        altered[index] = byte;
        SignedAttestation::decode(&altered)
    };
    assert_eq!(altered(at + 5, 0), Err(WireError::Malformed), "a padded bitmap");
    assert_eq!(altered(at + 1, 0x83), Err(WireError::Malformed), "a height above the vote");
    assert_eq!(altered(at + 1, 0x82), Err(WireError::Malformed), "the same height twice");
    assert_eq!(altered(0, 2), Err(WireError::UnknownVersion));
    let limit = limits::ATTESTATION_BYTES;
    let too_long = vec![1; limit + 1];
    assert_eq!(SignedAttestation::decode(&too_long), Err(WireError::TooLong { length: limit + 1, limit }));
}

#[test]
fn the_encoding_of_an_attestation_is_fixed() {
    let [by_owner, by_session] = signed().map(|(signed, _)| keccak256(signed.encode()));
    assert_eq!(by_owner, b256!("46d0fa8054c73171844769579b6800dbe2f294eb9c1ff16a2fd77faf2150262c"));
    assert_eq!(by_session, b256!("911d99a6d1a9f67fe813a93ed8dca2b74f36c10345a3285219312181e892db9f"));
}

#[test]
fn a_task_beyond_every_block_does_not_exist() {
    let last = limits::BLOCK_TASKS as u32 - 1;
    assert!(tasks([last]).contains(last));
    assert_eq!(TaskSet::default().insert(last + 1), Err(AttestationError::NoSuchTask));
    assert_eq!(TaskSet::try_from(vec![1; limits::BLOCK_TASKS / 8 + 1]), Err(AttestationError::NoSuchTask));
    assert_eq!(TaskSet::try_from(vec![1, 0]), Err(AttestationError::Padded));
    assert_eq!(TaskSet::all(u32::MAX).len(), last + 1);
}

fn any_tasks() -> impl Strategy<Value = BTreeSet<u32>> {
    prop::collection::btree_set(prop_oneof![0_u32..40, 0..limits::BLOCK_TASKS as u32], 0..30)
}

proptest! {
    #[test]
    fn a_task_set_is_a_set(one in any_tasks(), two in any_tasks(), count in 0_u32..50) {
        let (set, other) = (tasks(one.iter().copied()), tasks(two.iter().copied()));
        prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), one.clone());
        prop_assert_eq!(set.len() as usize, one.len());
        prop_assert_eq!(set.is_empty(), one.is_empty());
        prop_assert_eq!(set.end(), one.last().map_or(0, |last| last + 1));
        prop_assert_eq!(set.first_missing(count), (0..count).find(|task| !one.contains(task)));
        prop_assert_eq!(set.is_subset(&other), one.is_subset(&two));
        prop_assert_eq!(set == other, one == two);
        prop_assert_eq!(tasks(one.iter().rev().copied()), set.clone());
        prop_assert_eq!(TaskSet::try_from(set.as_bytes().to_vec()), Ok(set.clone()));
        let mut union = set.clone();
        union.union(&other);
        prop_assert_eq!(union, tasks(one.union(&two).copied()));
        prop_assert_eq!(TaskSet::all(count), tasks(0..count));
        prop_assert_eq!(TaskSet::all(count).first_missing(count), None);
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 1..300)) {
        bytes[0] = 1;
        if let Ok(signed) = SignedAttestation::decode(&bytes) {
            prop_assert_eq!(signed.encode(), bytes);
            let _ = signed.verify(&domain(), 0);
        }
    }
}
