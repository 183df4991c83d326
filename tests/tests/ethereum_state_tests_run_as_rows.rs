//! Ethereum's state tests, each as a row: what is valid is executed to the state root and the logs that the vectors name,
//! and passes the checks of row and columns; what is not is refused for the reason that they name, alone and in a row.
//!
//! Every case is counted here, so that none is left out unseen.

use ocelli_tests::{
    state_tests::{
        exceptions::Exception,
        judge::Outcome::{self, Blob, Excepted, Executed, Refused},
        run::run_archive,
    },
    vectors,
};

/// Runs the archive, prints how its cases ended and expects this of them.
fn expect(archive: &str, expected: &[(Outcome, usize)], older: usize) {
    let Some(path) = vectors::find(archive) else { return };
    let tally = run_archive(&path).expect("the archive can be read");
    vectors::say(&format!("{archive}:"));
    for (outcome, count) in &tally.ended {
        vectors::say(&format!("{count:>8} {outcome}"));
    }
    vectors::say(&format!("{:>8} not run: of forks before Cancun", tally.older));
    for (case, wrong) in &tally.failed {
        vectors::say(&format!("  FAILED {case}: {wrong:?}"));
    }
    assert!(tally.failed.is_empty(), "{} cases failed", tally.failed.len());
    assert_eq!(tally.ended, expected.iter().copied().collect());
    assert_eq!(tally.older, older);
}

#[test]
fn those_of_cancun() {
    let expected = [
        (Executed, 19_561),
        (Refused("GAS_ALLOWANCE_EXCEEDED"), 1),
        (Refused("INITCODE_SIZE_EXCEEDED"), 3),
        (Refused("INSUFFICIENT_ACCOUNT_FUNDS"), 52),
        (Refused("INSUFFICIENT_MAX_FEE_PER_GAS"), 3),
        (Refused("INTRINSIC_GAS_TOO_LOW"), 938),
        (Refused("NONCE_IS_MAX"), 2),
        (Refused("PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS"), 1),
        (Refused("RLP_INVALID_VALUE"), 1),
        (Refused("SENDER_NOT_EOA"), 7),
        (Blob, 389),
        (Excepted(Exception::StorageWithoutAccount), 10),
        (Excepted(Exception::FeeAbove128Bits), 1),
    ];
    expect("ethereum-tests-general-state.tar.xz", &expected, 473);
}

#[test]
fn those_of_prague_and_osaka() {
    let expected = [
        (Executed, 1_211),
        (Refused("GAS_LIMIT_EXCEEDS_MAXIMUM"), 5),
        (Refused("INTRINSIC_GAS_TOO_LOW"), 1),
        (Blob, 13),
    ];
    expect("eest-osaka.tar.xz", &expected, 0);
}
