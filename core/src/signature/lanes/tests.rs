//! The field and the scalars of the lanes, against arithmetic of whole numbers; and the program by elements that only
//! WebAssembly computes with otherwise, against the specification. (On what vectors this processor has, integration tests run it.)

use super::{
    super::portable,
    constants::{BETA, Constants, GENERATOR_X, GENERATOR_Y, GENERATOR_Y_INVERSE, THREE_HALVES},
    field::{Element, Kernel, Sum, Words},
    limbs29::Element29,
    limbs52::{self, Element52, avx512_ifma::Wide, doubles::Doubles},
    power::{inverse_root, invert_all},
    program::recover_many,
    scalar::{GENERATOR_BITS, GENERATOR_DIGITS, signed_digits, split},
};
use crate::{cpu::Avx512Ifma, hash::keccak256};
use alloc::{vec, vec::Vec};
use alloy_primitives::{U256, uint};

#[path = "../../../tests/recovery/adversarial.rs"]
mod adversarial;
#[path = "../../../tests/recovery/inputs.rs"]
mod inputs;

const P: U256 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);
const N: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
const LAMBDA: U256 = uint!(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72_U256);

/// Numbers below 2^256: at the edges of limbs and of p, and then hashes.
fn numbers(count: u64) -> Vec<Words> {
    let bits = [51, 52, 103, 104, 155, 156, 207, 208, 255].into_iter().chain((0..256).step_by(29));
    let edges: Vec<U256> = bits.map(|bit| U256::from(1) << bit).collect();
    let around = |edge: U256| (0..4).map(move |away| edge.wrapping_add(U256::from(away)).wrapping_sub(U256::from(2)));
    let mut numbers: Vec<U256> = edges.into_iter().chain([P, U256::ZERO, N]).flat_map(around).collect();
    numbers.extend((0..count).map(|seed| U256::from_be_bytes(keccak256(seed.to_be_bytes()).0)));
    numbers.into_iter().map(U256::into_limbs).collect()
}

/// Eight of `numbers` from `at` on, round and round.
fn eight(numbers: &[Words], at: usize) -> [Words; 8] {
    core::array::from_fn(|lane| numbers[(at + lane) % numbers.len()])
}

/// Everything that a field can do, with four numbers a lane.
struct Everything([[Words; 8]; 4]);

impl<E: Element> Kernel<E> for Everything {
    type Output = Vec<[Words; 8]>;

    #[inline(always)]
    fn run(self, cpu: E::Cpu) -> Self::Output {
        let [a, b, c, d] = self.0.map(|numbers| E::load(cpu, &numbers));
        // An element that is not the smallest number for what it is, with the largest limb 4 that carrying leaves.
        let large = a.times(b).plus(c.sum()).reduce();
        let mut inverses = [large, a.or_where(a.zero_lanes(), b), c].map(|element| {
            let one = E::splat(cpu, &[1, 0, 0, 0]);
            element.or_where(element.zero_lanes(), one)
        });
        let inverted = inverses;
        invert_all(cpu, &mut inverses);
        let [e, f, g] = inverses;
        let [root] = inverse_root([a]);
        vec![
            a.store(),
            a.mul(b).store(),
            a.square().store(),
            a.times_plus(b, c, d).reduce().store(),
            a.times_plus_twice_square(b, c).reduce().store(),
            a.sum().plus(b.sum()).reduce().store(),
            a.sum().minus(b.sum().twice().twice().twice()).reduce().store(),
            a.times(b).minus(c.times(d)).reduce().store(),
            a.times(b).negate_where(0b1010_1010).reduce().store(),
            a.times(b).negate_where(u8::MAX).reduce().store(),
            a.negate().store(),
            a.negate().mul(b.negate()).store(),
            a.minus(b).store(),
            large.squared().twice().plus(large.squared()).reduce().store(),
            large.mul(large).store(),
            e.mul(inverted[0]).store(),
            f.mul(inverted[1]).store(),
            g.mul(inverted[2]).store(),
            root.store(),
            [[u64::from(a.zero_lanes()), u64::from(a.odd_lanes()), 0, 0]; 8],
        ]
    }
}

fn expected([a, b, c, d]: [U256; 4], lane: usize) -> Vec<U256> {
    let [a, b, c, d] = [a, b, c, d].map(|number| number % P);
    let (times, plus) = (|a: U256, b: U256| a.mul_mod(b, P), |a: U256, b: U256| a.add_mod(b, P));
    let minus = |a: U256, b: U256| a.add_mod(P - b % P, P);
    let large = plus(times(a, b), c);
    let product = times(a, b);
    vec![
        a,
        product,
        times(a, a),
        plus(product, times(c, d)),
        plus(product, times(U256::from(2), times(c, c))),
        plus(a, b),
        minus(a, times(U256::from(8), b)),
        minus(product, times(c, d)),
        if lane % 2 == 1 { minus(U256::ZERO, product) } else { product },
        minus(U256::ZERO, product),
        minus(U256::ZERO, a),
        product,
        minus(a, b),
        times(U256::from(3), times(large, large)),
        times(large, large),
        U256::from(1),
        U256::from(1),
        U256::from(1),
        a.pow_mod((P - U256::from(3)) / U256::from(4), P),
    ]
}

#[test]
fn lanes_compute_in_the_field() {
    compute_in_the_field::<Element29>(());
    compute_in_the_field::<Element52<Doubles>>(());
    if let Some(cpu) = Avx512Ifma::detect() {
        compute_in_the_field::<Element52<Wide>>(cpu);
    }
}

#[test]
fn the_largest_sums_are_carried_without_loss() {
    limbs52::tests::the_largest_sums_are_carried_without_loss::<Doubles>(());
    if let Some(cpu) = Avx512Ifma::detect() {
        limbs52::tests::the_largest_sums_are_carried_without_loss::<Wide>(cpu);
    }
}

fn compute_in_the_field<E: Element>(cpu: E::Cpu) {
    let numbers = numbers(400);
    for at in 0..numbers.len() {
        let of_lanes =
            [eight(&numbers, at), eight(&numbers, at * 7 + 3), eight(&numbers, at * 5 + 1), eight(&numbers, at * 3)];
        let mut found = E::run(cpu, Everything(of_lanes));
        let lanes = found.pop().unwrap()[0];
        for lane in 0..E::LANES {
            let numbers = of_lanes.map(|lanes| U256::from_limbs(lanes[lane]));
            let found: Vec<U256> = found.iter().map(|lanes| U256::from_limbs(lanes[lane])).collect();
            assert_eq!(found, expected(numbers, lane), "{numbers:?}");
            let smallest = numbers[0] % P;
            assert_eq!(lanes[0] >> lane & 1 == 1, smallest.is_zero());
            assert_eq!(lanes[1] >> lane & 1 == 1, smallest.bit(0));
        }
    }
}

#[test]
fn the_program_recovers_as_specified_by_what_else_there_is() {
    recovers_as_specified::<Element29>();
    recovers_as_specified::<Element52<Doubles>>();
}

fn recovers_as_specified<E: Element<Cpu = ()>>() {
    let random = inputs::Inputs::new(21).take(700);
    let signed: Vec<_> = random.chain(adversarial::inputs().into_iter().step_by(7)).collect();
    let without_key = adversarial::without_key();
    let mut checked = 0;
    for (at, signed) in signed.chunks(241).enumerate() {
        // Hostile neighbours in the lane beside, and batches with one lane left over.
        let mixed: Vec<_> =
            signed.iter().zip(without_key.iter().cycle().skip(at)).flat_map(|(a, b)| [*a, *b]).collect();
        for signed in [signed, &mixed[1..]] {
            assert_eq!(recover_many::<E>((), signed), portable::recover_many(signed));
            checked += signed.len();
        }
    }
    assert!(checked > 4_000, "{checked}");
    assert_eq!(recover_many::<E>((), &signed[..1]), portable::recover_many(&signed[..1]));
}

#[test]
fn constants_are_what_they_are_called() {
    let [beta, x, y, y_inverse, three_halves] =
        [BETA, GENERATOR_X, GENERATOR_Y, GENERATOR_Y_INVERSE, THREE_HALVES].map(U256::from_limbs);
    assert_eq!(beta.pow_mod(U256::from(3), P), U256::from(1));
    assert_ne!(beta, U256::from(1));
    assert_eq!(y.mul_mod(y_inverse, P), U256::from(1));
    assert_eq!(three_halves.add_mod(three_halves, P), U256::from(3));
    let generator: Vec<u64> = [x, y].iter().flat_map(|coordinate| *coordinate.as_limbs()).collect();
    let constants = Constants::get();
    assert_eq!(constants.multiples[0][0].to_vec(), generator);
    let points = constants.multiples.as_flattened().iter().chain([&constants.start, &constants.correction]);
    for point in points {
        let (x, y) = point.split_at(4);
        let [x, y] = [x, y].map(U256::from_limbs_slice);
        assert_eq!(y.mul_mod(y, P), x.pow_mod(U256::from(3), P).add_mod(U256::from(7), P));
    }
}

#[test]
fn halves_of_a_scalar_make_it_up_again() {
    for k in numbers(400) {
        let k = U256::from_limbs(k) % N;
        let [k1, k2] = split(&k.into_limbs()).map(|(magnitude, negative)| {
            let magnitude = U256::from(magnitude);
            if negative { (N - magnitude) % N } else { magnitude }
        });
        assert_eq!(k1.add_mod(k2.mul_mod(LAMBDA, N), N), k);
    }
}

#[test]
fn digits_of_a_number_make_it_up_again() {
    for number in numbers(400) {
        let digits = signed_digits::<GENERATOR_BITS, { 2 * GENERATOR_DIGITS }>(&number);
        let value = digits.iter().rev().fold(U256::ZERO, |value, digit| {
            assert!(digit.unsigned_abs() <= 1 << (GENERATOR_BITS - 1));
            let digit = U256::from(digit.unsigned_abs()) * if *digit < 0 { U256::MAX } else { U256::from(1) };
            (value << GENERATOR_BITS).wrapping_add(digit)
        });
        assert_eq!(value, U256::from_limbs(number));
    }
}
