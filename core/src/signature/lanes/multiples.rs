//! From 1 to 16 times a point, affine, for many points at once.
//!
//! The points have prime order, so no multiple here is another's negative or its own: no denominator is ever zero.

use super::{
    constants::{BETA, THREE_HALVES},
    field::{Element, Kernel, Sum},
    point::Affine,
    power::invert_all,
};
use alloc::vec::Vec;

/// Multiples of the point in each lane: entry i is i + 1 times the point.
pub(super) struct Multiples<E> {
    x: [E; 16],
    /// β times `x`: the x coordinates of λ times each multiple, which has the same y.
    beta_x: [E; 16],
    y: [E; 16],
}

impl<E: Element> Multiples<E> {
    #[inline(always)]
    fn new(cpu: E::Cpu) -> Self {
        let zero = [E::splat(cpu, &[0; 4]); 16];
        Self { x: zero, beta_x: zero, y: zero }
    }

    #[inline(always)]
    fn get(&self, at: usize) -> Affine<E> {
        Affine { x: self.x[at], y: self.y[at] }
    }

    #[inline(always)]
    fn set(&mut self, at: usize, point: Affine<E>, beta: E) {
        self.x[at] = point.x;
        self.beta_x[at] = point.x.mul(beta);
        self.y[at] = point.y;
    }

    /// In each lane, index + 1 times the point, or that times λ.
    #[inline(always)]
    pub(super) fn pick(&self, index: E::Index, times_lambda: bool) -> Affine<E> {
        let x = if times_lambda { &self.beta_x } else { &self.x };
        Affine { x: E::pick(x, index), y: E::pick(&self.y, index) }
    }
}

/// A point whose inverse of y is known.
#[derive(Clone, Copy)]
pub(super) struct Base<E> {
    pub(super) point: Affine<E>,
    pub(super) y_inverse: E,
}

/// The stage that computes the multiples of each of `bases`.
pub(super) struct Multiply<'a, E> {
    pub(super) bases: &'a [Base<E>],
}

impl<E: Element> Kernel<E> for Multiply<'_, E> {
    type Output = Vec<Multiples<E>>;

    #[inline(always)]
    fn run(self, cpu: E::Cpu) -> Vec<Multiples<E>> {
        let beta = E::splat(cpu, &BETA);
        let three_halves = E::splat(cpu, &THREE_HALVES);
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
fn denominators<E: Element>(table: &Multiples<E>, known: usize, into: &mut Vec<E>) {
    let last = table.get(known - 1);
    for at in 0..known - 1 {
        into.push(last.x.minus(table.x[at]));
    }
    into.push(last.y.sum().twice().reduce());
}

/// Adds each of the `known` multiples to the last of them, given the inverses of [`denominators`].
#[inline(always)]
fn double_known<E: Element>(table: &mut Multiples<E>, known: usize, inverses: &[E], beta: E) {
    let last = table.get(known - 1);
    for (at, inverse) in inverses.iter().enumerate() {
        let other = table.get(at);
        let rise = if at + 1 < known {
            last.y.minus(other.y)
        } else {
            let x_squared = last.x.squared();
            x_squared.twice().plus(x_squared).reduce()
        };
        table.set(known + at, last.add_along(rise.mul(*inverse), other.x), beta);
    }
}
