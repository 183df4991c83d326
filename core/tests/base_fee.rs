//! The base fee rule over all of its inputs.

use ocelli_core::fees::BaseFeeRule;
use proptest::prelude::*;

/// Numbers of every magnitude, and the ends of the range.
fn any_u64() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        (0_u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift),
    ]
}

fn rule() -> impl Strategy<Value = BaseFeeRule> {
    (any_u64(), any_u64(), any_u64()).prop_map(|(initial, minimum, target_gas_per_second)| BaseFeeRule {
        initial,
        minimum,
        target_gas_per_second,
    })
}

/// The greatest change that the rule allows: an eighth for each second's worth of gas above the target, at least one wei.
fn most_after(rule: &BaseFeeRule, parent: u64, gas_used: u64) -> u128 {
    let seconds = gas_used.div_ceil(rule.target_gas_per_second.max(1));
    let eighth = u128::from(parent).div_ceil(8).max(1);
    (u128::from(parent) + eighth.saturating_mul(u128::from(seconds.max(1)))).max(u128::from(rule.minimum))
}

#[test]
fn a_chain_that_slept_wakes_up_at_the_minimum_whatever_it_was() {
    for minimum in [1, 2, 7, 8, 1_000_000_000, u64::MAX] {
        let rule = BaseFeeRule { initial: minimum, minimum, target_gas_per_second: 2_500_000_000 };
        for parent in [1, 6, 7, 8, 15, 1_000_000_000, u64::MAX / 2, u64::MAX] {
            assert_eq!(rule.next(parent, 0, 600_000), minimum, "{parent} after ten minutes");
            assert_eq!(rule.next(parent, 0, u64::MAX), minimum, "{parent} after all time");
        }
    }
}

#[test]
fn at_the_target_the_fee_stays() {
    let rule = BaseFeeRule { initial: 1, minimum: 1, target_gas_per_second: 1_000_000 };
    for elapsed_ms in [1, 100, 1_000, 1_000_000] {
        assert_eq!(rule.next(12_345, 1_000 * elapsed_ms, elapsed_ms), 12_345);
        assert!(rule.next(12_345, 1_000 * elapsed_ms + 1, elapsed_ms) > 12_345);
    }
}

#[test]
fn a_second_of_twice_the_target_adds_an_eighth_and_an_idle_one_takes_one_away() {
    let rule = BaseFeeRule { initial: 1, minimum: 1, target_gas_per_second: 1_000_000 };
    assert_eq!(rule.next(8_000, 2_000_000, 1_000), 9_000);
    assert_eq!(rule.next(8_000, 0, 1_000), 7_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn it_stays_in_its_bounds(rule in rule(), parent in any_u64(), gas in any_u64(), elapsed in any_u64()) {
        let next = rule.next(parent, gas, elapsed);
        prop_assert!(next >= rule.minimum);
        prop_assert!(u128::from(next) <= most_after(&rule, parent, gas));
    }

    #[test]
    fn more_gas_never_makes_it_cheaper(rule in rule(), parent in any_u64(), gas in (any_u64(), any_u64()), elapsed in any_u64()) {
        let (less, more) = (gas.0.min(gas.1), gas.0.max(gas.1));
        prop_assert!(rule.next(parent, less, elapsed) <= rule.next(parent, more, elapsed));
    }

    #[test]
    fn waiting_never_makes_it_dearer(rule in rule(), parent in any_u64(), gas in any_u64(), elapsed in (any_u64(), any_u64())) {
        let (less, more) = (elapsed.0.min(elapsed.1), elapsed.0.max(elapsed.1));
        prop_assert!(rule.next(parent, gas, more) <= rule.next(parent, gas, less));
    }

    #[test]
    fn a_dearer_parent_never_makes_it_cheaper(rule in rule(), parent in (any_u64(), any_u64()), gas in any_u64(), elapsed in any_u64()) {
        let (less, more) = (parent.0.min(parent.1), parent.0.max(parent.1));
        prop_assert!(rule.next(less, gas, elapsed) <= rule.next(more, gas, elapsed));
    }
}
