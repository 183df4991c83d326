//! Points of the curve y² = x³ + 7, one a lane.
//!
//! The formulas are the ones for a curve with a = 0 and are not complete: adding a point to itself, or to its negative, gives
//! Z = 0. From then on Z stays 0, whatever follows, since every formula multiplies by it. So one look at the end of a
//! computation tells whether any step of it was exceptional.

use super::field::{Element, Sum};

/// A point other than the one at infinity.
#[derive(Clone, Copy)]
pub(super) struct Affine<E> {
    pub(super) x: E,
    pub(super) y: E,
}

/// The point (x / z², y / z³), the one at infinity if z = 0.
#[derive(Clone, Copy)]
pub(super) struct Jacobian<E> {
    pub(super) x: E,
    pub(super) y: E,
    pub(super) z: E,
}

impl<E: Element> Affine<E> {
    /// The sum of this point and one with x coordinate `other_x`, where `slope` is that of the line through both: the
    /// tangent's if they are the same.
    #[inline(always)]
    pub(super) fn add_along(self, slope: E, other_x: E) -> Self {
        let x = slope.squared().minus(self.x.sum().plus(other_x.sum())).reduce();
        let run = self.x.minus(x);
        Self { x, y: slope.times(run).minus(self.y.sum()).reduce() }
    }
}

impl<E: Element> Jacobian<E> {
    /// The affine point `point`.
    #[inline(always)]
    pub(super) fn new(cpu: E::Cpu, point: Affine<E>) -> Self {
        Self { x: point.x, y: point.y, z: E::splat(cpu, &[1, 0, 0, 0]) }
    }

    /// -2 · self.
    ///
    /// The usual doubling is E = 3X², S = 4XY², X' = E² - 2S, Y' = E(S - X') - 8Y⁴, Z' = 2YZ. Its negative has
    /// -Y' = E(E² - 3S) + 2(2Y²)², a sum of products without a subtraction, which needs one reduction instead of two.
    #[inline(always)]
    pub(super) fn double_negated(self) -> Self {
        let x_squared = self.x.squared();
        let e = x_squared.twice().plus(x_squared).reduce();
        let y_squared_2 = self.y.squared().twice().reduce();
        // First what waits for nothing, so that it fills the gaps.
        let z = self.y.times(self.z).twice().reduce();
        let e_squared = e.squared();
        // S / 2
        let half = self.x.times(y_squared_2).reduce().sum();
        let x = e_squared.minus(half.twice().twice()).reduce();
        let run = e_squared.minus(half.twice().plus(half).twice()).reduce();
        Self { x, y: e.times_plus_twice_square(run, y_squared_2).reduce(), z }
    }

    /// self + point, self - point in the lanes of `negative`, self in those of `nothing`.
    ///
    /// H = xZ² - X, r = yZ³ - Y, V = XH², X' = r² - H³ - 2V, Y' = r(V - X') - YH³, Z' = ZH.
    #[inline(always)]
    pub(super) fn add_signed(self, point: Affine<E>, negative: u8, nothing: u8) -> Self {
        let z_squared = self.z.square();
        let z_cubed = self.z.mul(z_squared);
        let h = point.x.times(z_squared).minus(self.x.sum()).reduce();
        let r = point.y.times(z_cubed).negate_where(negative).minus(self.y.sum()).reduce();
        let h_squared = h.square();
        let v = self.x.mul(h_squared).sum();
        let h_cubed_negated = h.times(h_squared).negate_where(u8::MAX).reduce();
        let x = r.squared().plus(h_cubed_negated.sum()).minus(v.twice()).reduce();
        let run = v.minus(x.sum()).reduce();
        let y = r.times_plus(run, self.y, h_cubed_negated).reduce();
        let z = self.z.mul(h);
        Self { x: x.or_where(nothing, self.x), y: y.or_where(nothing, self.y), z: z.or_where(nothing, self.z) }
    }
}
