//! The multiples of a point that digits are made of, affine, for many points at once.
//!
//! No multiple that is added to another here is that one or its negative (see [`super::eisenstein`]): no denominator is ever zero.

use super::{
    constants::{BETA, THREE_HALVES},
    eisenstein::{REPRESENTATIVES, ROUNDS, Step, TURNS, turned},
    field::{Element, Kernel, Sum},
    point::Affine,
    power::invert_all,
};
use alloc::{vec, vec::Vec};

/// Each representative times the point in each lane.
#[derive(Clone)]
pub(super) struct Multiples<E> {
    /// The x coordinate of each, followed by those of its turns.
    x: [E; TURNS * REPRESENTATIVES],
    /// The y coordinate, which turns leave as it is.
    y: [E; REPRESENTATIVES],
}

impl<E: Element> Multiples<E> {
    #[inline(always)]
    fn new(cpu: E::Cpu) -> Self {
        let zero = E::splat(cpu, &[0; 4]);
        Self { x: [zero; TURNS * REPRESENTATIVES], y: [zero; REPRESENTATIVES] }
    }

    #[inline(always)]
    fn set(&mut self, at: usize, point: Affine<E>, beta: E) {
        let Affine { x, y } = point;
        let turned = x.mul(beta);
        // 1 + β + β² = 0
        let again = x.sum().plus(turned.sum()).reduce().negate();
        self.x[TURNS * at..TURNS * (at + 1)].copy_from_slice(&[x, turned, again]);
        self.y[at] = y;
    }

    /// In each lane, this representative times the point, turned; `turned` is its [`super::eisenstein::turned`].
    #[inline(always)]
    pub(super) fn pick(&self, representative: E::Index, turned: E::Index) -> Affine<E> {
        Affine { x: E::pick(&self.x, turned), y: E::pick(&self.y, representative) }
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
        let mut tables = vec![Multiples::new(cpu); self.bases.len()];
        for (base, table) in self.bases.iter().zip(&mut tables) {
            table.set(0, base.point, beta);
            let slope = base.point.x.square().mul(three_halves).mul(base.y_inverse);
            table.set(1, base.point.add_along(slope, base.point.x), beta);
        }
        let mut inverses = Vec::new();
        let mut known = 2;
        for steps in ROUNDS {
            inverses.clear();
            inverses.reserve_exact(self.bases.len() * steps.len());
            for table in &tables {
                for step in steps {
                    inverses.push(table.denominator(*step));
                }
            }
            invert_all(cpu, &mut inverses);
            for (table, inverses) in tables.iter_mut().zip(inverses.chunks_exact(steps.len())) {
                for ((at, step), inverse) in (known..).zip(steps).zip(inverses) {
                    table.set(at, table.add(*step, *inverse), beta);
                }
            }
            known += steps.len();
        }
        tables
    }
}

impl<E: Element> Multiples<E> {
    /// What the slope of a step is divided by.
    #[inline(always)]
    fn denominator(&self, step: Step) -> E {
        self.x[turned(step.known, 0)].minus(self.x[turned(step.other, step.unit.turn)])
    }

    /// The sum that a step makes, given the inverse of [`Self::denominator`].
    #[inline(always)]
    fn add(&self, step: Step, inverse: E) -> Affine<E> {
        let Step { known, other, unit } = step;
        let point = Affine { x: self.x[turned(known, 0)], y: self.y[known] };
        let y = self.y[other].sum();
        let rise = if unit.negative { point.y.sum().plus(y) } else { point.y.sum().minus(y) }.reduce();
        point.add_along(rise.mul(inverse), self.x[turned(other, unit.turn)])
    }
}
