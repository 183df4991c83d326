//! The program: what every lane computes, in stages, each for all groups of a chunk before the next.

use super::{
    super::{Signature, portable},
    Kernel, Word,
    constants::{Constants, Entry, GENERATOR_X, GENERATOR_Y, GENERATOR_Y_INVERSE, MULTIPLES},
    field::{Element, Words},
    multiples::{Base, Multiples, Multiply},
    point::{Affine, Jacobian},
    power::{inverse_root, invert_all},
    scalar::{Group, WINDOWS, groups},
};
use alloc::vec::Vec;
use alloy_primitives::{B256, B512};

/// Signatures that go through the stages together. Each stage but one inverts once a chunk, at the price of fifteen
/// signatures, so more is better; the tables of multiples of a chunk are to stay in the second-level cache (2 KB a
/// signature).
const CHUNK: usize = 512;

/// The key of each of `signed`, as [`portable::recover`] finds it.
pub(in super::super) fn recover_many<W: Word>(cpu: W::Cpu, signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    let mut keys = Vec::with_capacity(signed.len());
    for chunk in signed.chunks(CHUNK) {
        recover_chunk::<W>(cpu, chunk, &mut keys);
    }
    keys
}

fn recover_chunk<W: Word>(cpu: W::Cpu, signed: &[(B256, Signature)], keys: &mut Vec<Option<B512>>) {
    let constants = Constants::get();
    let groups = groups(signed, W::LANES);
    let lifted = W::run(cpu, Lift { groups: &groups });
    let bases: Vec<Base<W>> = lifted.iter().map(|lifted| lifted.base).collect();
    let tables = W::run(cpu, Multiply { bases: &bases });
    let sums = W::run(cpu, AddUp { constants, groups: &groups, tables: &tables });
    let found = W::run(cpu, Normalize { sums });
    for ((signed, lifted), found) in signed.chunks(W::LANES).zip(&lifted).zip(&found) {
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
struct Lifted<W> {
    base: Base<W>,
    /// The lanes where r is the x coordinate of no point. They have G in the place of R, since whatever has another equation
    /// than the curve's may have any order, and a denominator that is zero.
    off_curve: u8,
}

/// The stage that finds R: the point with x = r and the parity that is named.
struct Lift<'a> {
    groups: &'a [Group],
}

impl<W: Word> Kernel<W> for Lift<'_> {
    type Output = Vec<Lifted<W>>;

    #[inline(always)]
    fn run(self, cpu: W::Cpu) -> Vec<Lifted<W>> {
        let mut lifted = Vec::with_capacity(self.groups.len());
        let (pairs, rest) = self.groups.as_chunks::<2>();
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
fn lift<W: Word, const N: usize>(cpu: W::Cpu, groups: [&Group; N]) -> [Lifted<W>; N] {
    let seven = Element::splat(cpu, &[7, 0, 0, 0]);
    let (mut x, mut squares) = ([seven; N], [seven; N]);
    for at in 0..N {
        x[at] = Element::load(cpu, &groups[at].x);
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
fn choose<W: Word>(cpu: W::Cpu, x: Element<W>, square: Element<W>, inverse: Element<W>, y_odd: u8) -> Lifted<W> {
    let root = square.mul(inverse);
    let off_curve = !root.squared().minus(square.sum()).reduce().zero_lanes();
    let other = root.odd_lanes() ^ y_odd;
    let (y, y_inverse) = (root.or_where(other, root.negate()), inverse.or_where(other, inverse.negate()));
    let point = Affine {
        x: x.or_where(off_curve, Element::splat(cpu, &GENERATOR_X)),
        y: y.or_where(off_curve, Element::splat(cpu, &GENERATOR_Y)),
    };
    let y_inverse = y_inverse.or_where(off_curve, Element::splat(cpu, &GENERATOR_Y_INVERSE));
    Lifted { base: Base { point, y_inverse }, off_curve }
}

/// The stage that adds up multiples of R and of G.
struct AddUp<'a, W> {
    constants: &'a Constants,
    groups: &'a [Group],
    tables: &'a [Multiples<W>],
}

impl<W: Word> Kernel<W> for AddUp<'_, W> {
    type Output = Vec<Jacobian<W>>;

    #[inline(always)]
    fn run(self, cpu: W::Cpu) -> Vec<Jacobian<W>> {
        let mut sums = Vec::with_capacity(self.groups.len());
        // Two groups in turns: one's multiplications fill the gaps in the other's.
        let (groups, last_group) = self.groups.as_chunks::<2>();
        let (tables, last_table) = self.tables.as_chunks::<2>();
        for ([group_a, group_b], [table_a, table_b]) in groups.iter().zip(tables) {
            sums.extend(add_up(cpu, self.constants, [group_a, group_b], [table_a, table_b]));
        }
        for (group, table) in last_group.iter().zip(last_table) {
            sums.extend(add_up(cpu, self.constants, [group], [table]));
        }
        sums
    }
}

/// u₁G + u₂R. At odd windows `sums` holds the negative, because each of five doublings negates.
#[inline(always)]
fn add_up<W: Word, const N: usize>(
    cpu: W::Cpu,
    constants: &Constants,
    groups: [&Group; N],
    tables: [&Multiples<W>; N],
) -> [Jacobian<W>; N] {
    let mut sums = [Jacobian::new(cpu, splat(cpu, &constants.start)); N];
    for window in (0..WINDOWS).rev() {
        if window + 1 < WINDOWS {
            for _ in 0..5 {
                for sum in &mut sums {
                    *sum = sum.double_negated();
                }
            }
        }
        for half in 0..2 {
            for at in 0..N {
                let digits = Digits::load(cpu, &groups[at].of_point[window][half]);
                let point = tables[at].pick(digits.index, half == 1);
                sums[at] = sums[at].add_signed(point, digits.negative, digits.zero);
            }
        }
        if window % 2 == 0 {
            for half in 0..2 {
                for at in 0..N {
                    let digits = Digits::load(cpu, &groups[at].of_generator[window / 2][half]);
                    let point = look_up(&constants.multiples[half], digits.index);
                    sums[at] = sums[at].add_signed(point, digits.negative, digits.zero);
                }
            }
        }
    }
    for sum in &mut sums {
        *sum = sum.add_signed(splat(cpu, &constants.correction), 0, 0);
    }
    sums
}

/// A digit in each lane.
struct Digits<W> {
    /// What multiple it asks for, less one.
    index: W,
    negative: u8,
    zero: u8,
}

impl<W: Word> Digits<W> {
    #[inline(always)]
    fn load(cpu: W::Cpu, digits: &[i16; 8]) -> Self {
        let digits = W::load_signed(cpu, digits);
        let (zeros, one) = (digits.constant(0), digits.constant(1));
        let (negative, zero) = (digits.negative_lanes(), digits.zero_lanes());
        let magnitude = digits.or_where(negative, zeros.sub(digits)).or_where(zero, one);
        Self { index: magnitude.sub(one), negative, zero }
    }
}

#[inline(always)]
fn look_up<W: Word>(table: &[Entry; MULTIPLES], index: W) -> Affine<W> {
    let mut words = [index; 8];
    for (at, word) in words.iter_mut().enumerate() {
        *word = W::look_up(table, index, at);
    }
    let [a, b, c, d, e, f, g, h] = words;
    Affine { x: Element::pack([a, b, c, d]), y: Element::pack([e, f, g, h]) }
}

#[inline(always)]
fn splat<W: Word>(cpu: W::Cpu, entry: &Entry) -> Affine<W> {
    let [a, b, c, d, e, f, g, h] = *entry;
    Affine { x: Element::splat(cpu, &[a, b, c, d]), y: Element::splat(cpu, &[e, f, g, h]) }
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
struct Normalize<W> {
    sums: Vec<Jacobian<W>>,
}

impl<W: Word> Kernel<W> for Normalize<W> {
    type Output = Vec<Found>;

    #[inline(always)]
    fn run(self, cpu: W::Cpu) -> Vec<Found> {
        let one = Element::splat(cpu, &[1, 0, 0, 0]);
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
