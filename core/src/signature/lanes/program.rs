//! The program: what every lane computes, in stages, each for all groups of a chunk before the next.

use super::{
    super::{Signature, portable},
    constants::{Constants, Entry, GENERATOR_X, GENERATOR_Y, GENERATOR_Y_INVERSE},
    eisenstein,
    field::{Element, Kernel, Sum, Words, in_turns},
    multiples::{Base, Multiples, Multiply},
    point::{Affine, Jacobian},
    power::{inverse_root, invert_all},
    scalar::{DOUBLINGS, GENERATOR_BITS, Group, PointDigits, groups},
};
use alloc::vec::Vec;
use alloy_primitives::{B256, B512};

/// Signatures that go through the stages together. The stages invert three times a chunk, which costs eight lanes together as
/// much as three signatures, so more is better; the tables of multiples of a chunk are to stay in the second-level cache (1.8 KB a
/// signature, 3.2 KB with limbs of 29 bits).
const CHUNK: usize = 512;

/// The key of each of `signed`, as [`portable::recover`] finds it.
pub(in super::super) fn recover_many<E: Element>(cpu: E::Cpu, signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    let mut keys = Vec::with_capacity(signed.len());
    for chunk in signed.chunks(CHUNK) {
        recover_chunk::<E>(cpu, chunk, &mut keys);
    }
    keys
}

fn recover_chunk<E: Element>(cpu: E::Cpu, signed: &[(B256, Signature)], keys: &mut Vec<Option<B512>>) {
    let constants = Constants::get();
    let groups = groups(signed, E::LANES);
    let lifted = E::run(cpu, Lift { groups: &groups });
    let bases: Vec<Base<E>> = lifted.iter().map(|lifted| lifted.base).collect();
    let tables = E::run(cpu, Multiply { bases: &bases });
    let sums = E::run(cpu, AddUp { constants, groups: &groups, tables: &tables });
    let found = E::run(cpu, Normalize { sums });
    for ((signed, lifted), found) in signed.chunks(E::LANES).zip(&lifted).zip(&found) {
        for (lane, (prehash, signature)) in signed.iter().enumerate() {
            keys.push(if lifted.off_curve >> lane & 1 == 1 {
                None
            } else if found.infinite >> lane & 1 == 1 {
                // The key is the point at infinity, or a step was exceptional on the way to another.
                portable::recover(prehash, signature)
            } else {
                Some(found.key(lane))
            });
        }
    }
}

/// R in each lane.
#[derive(Clone, Copy)]
struct Lifted<E> {
    base: Base<E>,
    /// The lanes where r is the x coordinate of no point. They have G in the place of R, since whatever has another equation
    /// than the curve's may have any order, and a denominator that is zero.
    off_curve: u8,
}

/// The stage that finds R: the point with x = r and the parity that is named.
struct Lift<'a> {
    groups: &'a [Group],
}

impl<E: Element> Kernel<E> for Lift<'_> {
    type Output = Vec<Lifted<E>>;

    #[inline(always)]
    fn run(self, cpu: E::Cpu) -> Vec<Lifted<E>> {
        let mut lifted = Vec::with_capacity(self.groups.len());
        let (pairs, rest) = in_turns::<E, _>(self.groups);
        for [a, b] in pairs {
            lifted.extend(lift(cpu, [a, b]));
        }
        for last in rest {
            lifted.extend(lift(cpu, [last]));
        }
        lifted
    }
}

#[inline(always)]
fn lift<E: Element, const N: usize>(cpu: E::Cpu, groups: [&Group; N]) -> [Lifted<E>; N] {
    let seven = E::splat(cpu, &[7, 0, 0, 0]);
    let (mut x, mut squares) = ([seven; N], [seven; N]);
    for at in 0..N {
        x[at] = E::load(cpu, &groups[at].x);
        squares[at] = x[at].square().times(x[at]).plus(seven.sum()).reduce();
    }
    let inverses = inverse_root(squares);
    let base = Base { point: Affine { x: seven, y: seven }, y_inverse: seven };
    let mut lifted = [Lifted { base, off_curve: 0 }; N];
    for at in 0..N {
        lifted[at] = choose(cpu, x[at], squares[at], inverses[at], groups[at].y_odd);
    }
    lifted
}

/// The point with this x and the parity of y that is named, given x³ + 7 and what is the inverse of its root if it has one.
#[inline(always)]
fn choose<E: Element>(cpu: E::Cpu, x: E, square: E, inverse: E, y_odd: u8) -> Lifted<E> {
    let root = square.mul(inverse);
    let off_curve = !root.squared().minus(square.sum()).reduce().zero_lanes();
    let other = root.odd_lanes() ^ y_odd;
    let (y, y_inverse) = (root.or_where(other, root.negate()), inverse.or_where(other, inverse.negate()));
    let point = Affine {
        x: x.or_where(off_curve, E::splat(cpu, &GENERATOR_X)),
        y: y.or_where(off_curve, E::splat(cpu, &GENERATOR_Y)),
    };
    let y_inverse = y_inverse.or_where(off_curve, E::splat(cpu, &GENERATOR_Y_INVERSE));
    Lifted { base: Base { point, y_inverse }, off_curve }
}

/// The stage that adds up multiples of R and of G.
struct AddUp<'a, E> {
    constants: &'a Constants,
    groups: &'a [Group],
    tables: &'a [Multiples<E>],
}

impl<E: Element> Kernel<E> for AddUp<'_, E> {
    type Output = Vec<Jacobian<E>>;

    #[inline(always)]
    fn run(self, cpu: E::Cpu) -> Vec<Jacobian<E>> {
        let mut sums = Vec::with_capacity(self.groups.len());
        let (groups, last_group) = in_turns::<E, _>(self.groups);
        let (tables, last_table) = in_turns::<E, _>(self.tables);
        for ([group_a, group_b], [table_a, table_b]) in groups.iter().zip(tables) {
            sums.extend(add_up(cpu, self.constants, [group_a, group_b], [table_a, table_b]));
        }
        for (group, table) in last_group.iter().zip(last_table) {
            sums.extend(add_up(cpu, self.constants, [group], [table]));
        }
        sums
    }
}

/// u₁G + u₂R. Where the number of doublings that follow is odd, `sums` holds the negative, because each of them negates.
#[inline(always)]
fn add_up<E: Element, const N: usize>(
    cpu: E::Cpu,
    constants: &Constants,
    groups: [&Group; N],
    tables: [&Multiples<E>; N],
) -> [Jacobian<E>; N] {
    let mut sums = [Jacobian::new(cpu, splat(cpu, &constants.start)); N];
    for bit in (0..=DOUBLINGS).rev() {
        if bit < DOUBLINGS {
            for sum in &mut sums {
                *sum = sum.double_negated();
            }
        }
        if bit % eisenstein::BITS == 0 {
            for at in 0..N {
                let PointDigits { representative, turned } = &groups[at].of_point[bit / eisenstein::BITS];
                let digits = E::digits(cpu, representative);
                let point = tables[at].pick(digits.index, E::index(cpu, turned));
                sums[at] = sums[at].add_signed(point, digits.negative, digits.zero);
            }
        }
        if bit % GENERATOR_BITS == 0 {
            for half in 0..2 {
                for at in 0..N {
                    let digits = E::digits(cpu, &groups[at].of_generator[bit / GENERATOR_BITS][half]);
                    let [x, y] = E::look_up(&constants.multiples[half], digits.index);
                    sums[at] = sums[at].add_signed(Affine { x, y }, digits.negative, digits.zero);
                }
            }
        }
    }
    // Less what the doublings made of the start.
    for sum in &mut sums {
        *sum = sum.add_signed(splat(cpu, &constants.correction), u8::MAX, 0);
    }
    sums
}

#[inline(always)]
fn splat<E: Element>(cpu: E::Cpu, entry: &Entry) -> Affine<E> {
    let [a, b, c, d, e, f, g, h] = *entry;
    Affine { x: E::splat(cpu, &[a, b, c, d]), y: E::splat(cpu, &[e, f, g, h]) }
}

/// The key in each lane.
struct Found {
    x: [Words; 8],
    y: [Words; 8],
    /// The lanes whose sum came out as the point at infinity.
    infinite: u8,
}

impl Found {
    fn key(&self, lane: usize) -> B512 {
        let mut key = B512::ZERO;
        let words = self.x[lane].iter().rev().chain(self.y[lane].iter().rev());
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        key
    }
}

/// The stage that finds the coordinates of the keys.
struct Normalize<E> {
    sums: Vec<Jacobian<E>>,
}

impl<E: Element> Kernel<E> for Normalize<E> {
    type Output = Vec<Found>;

    #[inline(always)]
    fn run(self, cpu: E::Cpu) -> Vec<Found> {
        let one = E::splat(cpu, &[1, 0, 0, 0]);
        let (mut infinite, mut inverses) = (Vec::new(), Vec::with_capacity(self.sums.len()));
        for sum in &self.sums {
            let lanes = sum.z.zero_lanes();
            infinite.push(lanes);
            inverses.push(sum.z.or_where(lanes, one));
        }
        invert_all(cpu, &mut inverses);
        let mut found = Vec::with_capacity(self.sums.len());
        for ((sum, inverse), infinite) in self.sums.iter().zip(&inverses).zip(infinite) {
            let squared = inverse.square();
            let (x, y) = (sum.x.mul(squared), sum.y.mul(squared.mul(*inverse)));
            found.push(Found { x: x.store(), y: y.store(), infinite });
        }
        found
    }
}
