//! From 1 to 16 times a point, affine, for many points at once.
//!
//! The points have prime order, so no multiple here is another's negative or its own: no denominator is ever zero.

use super::{
    Kernel, Word,
    constants::{BETA, THREE_HALVES},
    field::Element,
    point::Affine,
    power::invert_all,
};
use alloc::vec::Vec;

/// Multiples of the point in each lane: entry i is i + 1 times the point.
pub(super) struct Multiples<W> {
    x: [[W; 5]; 16],
    /// β times `x`: the x coordinates of λ times each multiple, which has the same y.
    beta_x: [[W; 5]; 16],
    y: [[W; 5]; 16],
}

impl<W: Word> Multiples<W> {
    #[inline(always)]
    fn new(cpu: W::Cpu) -> Self {
        let zero = [[W::splat(cpu, 0); 5]; 16];
        Self { x: zero, beta_x: zero, y: zero }
    }

    #[inline(always)]
    fn get(&self, at: usize) -> Affine<W> {
        Affine { x: Element(self.x[at]), y: Element(self.y[at]) }
    }

    #[inline(always)]
    fn set(&mut self, at: usize, point: Affine<W>, beta: Element<W>) {
        self.x[at] = point.x.0;
        self.beta_x[at] = point.x.mul(beta).0;
        self.y[at] = point.y.0;
    }

    /// In each lane, index + 1 times the point, or that times λ.
    #[inline(always)]
    pub(super) fn pick(&self, index: W, times_lambda: bool) -> Affine<W> {
        let x = if times_lambda { &self.beta_x } else { &self.x };
        Affine { x: pick(x, index), y: pick(&self.y, index) }
    }
}

#[inline(always)]
fn pick<W: Word>(table: &[[W; 5]; 16], index: W) -> Element<W> {
    let mut limbs = [index; 5];
    for (at, limb) in limbs.iter_mut().enumerate() {
        *limb = W::pick(table, index, at);
    }
    Element(limbs)
}

/// A point whose inverse of y is known.
#[derive(Clone, Copy)]
pub(super) struct Base<W> {
    pub(super) point: Affine<W>,
    pub(super) y_inverse: Element<W>,
}

/// The stage that computes the multiples of each of `bases`.
pub(super) struct Multiply<'a, W> {
    pub(super) bases: &'a [Base<W>],
}

impl<W: Word> Kernel<W> for Multiply<'_, W> {
    type Output = Vec<Multiples<W>>;

    #[inline(always)]
    fn run(self, cpu: W::Cpu) -> Vec<Multiples<W>> {
        let beta = Element::splat(cpu, &BETA);
        let three_halves = Element::splat(cpu, &THREE_HALVES);
        let mut tables = Vec::with_capacity(self.bases.len());
        for base in self.bases {
            let mut table = Multiples::new(cpu);
            table.set(0, base.point, beta);
            let slope = base.point.x.square().mul(three_halves).mul(base.y_inverse);
            table.set(1, base.point.add_along(slope, base.point.x), beta);
            tables.push(table);
        }
        let mut inverses = Vec::with_capacity(self.bases.len() * 8);
        for known in [2, 4, 8] {
            inverses.clear();
            for table in &tables {
                denominators(table, known, &mut inverses);
            }
            invert_all(cpu, &mut inverses);
            for (table, inverses) in tables.iter_mut().zip(inverses.chunks_exact(known)) {
                double_known(table, known, inverses, beta);
            }
        }
        tables
    }
}

/// What slopes are divided by on the way from `known` multiples to twice as many.
#[inline(always)]
fn denominators<W: Word>(table: &Multiples<W>, known: usize, into: &mut Vec<Element<W>>) {
    let last = table.get(known - 1);
    for at in 0..known - 1 {
        into.push(last.x.sum().minus(Element(table.x[at]).sum()).reduce());
    }
    into.push(last.y.sum().twice().reduce());
}

/// Adds each of the `known` multiples to the last of them, given the inverses of [`denominators`].
#[inline(always)]
fn double_known<W: Word>(table: &mut Multiples<W>, known: usize, inverses: &[Element<W>], beta: Element<W>) {
    let last = table.get(known - 1);
    for (at, inverse) in inverses.iter().enumerate() {
        let other = table.get(at);
        let rise = if at + 1 < known {
            last.y.sum().minus(other.y.sum()).reduce()
        } else {
            let x_squared = last.x.squared();
            x_squared.twice().plus(x_squared).reduce()
        };
        table.set(known + at, last.add_along(rise.mul(*inverse), other.x), beta);
    }
}
