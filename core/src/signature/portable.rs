//! Recovery on any machine: the specification that faster backends are held to.
//!
//! Q = r⁻¹(sR - zG), where R is the point with x = r and the named parity (SEC 1, section 4.1.6). Of the candidates for R
//! only those with x below n are tried, since a parity byte can name no others.

use super::Signature;
use alloc::vec::Vec;
use alloy_primitives::{B256, B512};
use k256::{
    AffinePoint, ProjectivePoint, Scalar,
    elliptic_curve::{
        BatchNormalize, PrimeField,
        ops::{MulByGeneratorVartime, Reduce},
        point::DecompressPoint,
        sec1::ToSec1Point,
    },
};

/// What the key is computed from.
struct Equation {
    z: Scalar,
    r: Scalar,
    s: Scalar,
    point: ProjectivePoint,
}

impl Equation {
    /// None if no point has r as its x coordinate.
    fn new(prehash: &B256, signature: &Signature) -> Option<Self> {
        let r = signature.r().0.into();
        let point = AffinePoint::decompress(&r, u8::from(signature.y_odd()).into()).into_option()?;
        Some(Self {
            z: Scalar::reduce(&k256::FieldBytes::from(prehash.0)),
            r: Scalar::from_repr(r).into_option()?,
            s: Scalar::from_repr(signature.s().0.into()).into_option()?,
            point: point.into(),
        })
    }

    fn key(&self, r_inverse: &Scalar) -> ProjectivePoint {
        let of_generator = -(self.z * r_inverse);
        let of_point = self.s * r_inverse;
        ProjectivePoint::mul_by_generator_and_mul_add_vartime(&of_generator, &of_point, &self.point)
    }
}

/// The two coordinates of `point`; none if it is the point at infinity.
pub(super) fn coordinates(point: &AffinePoint) -> Option<B512> {
    let encoded = point.to_sec1_point(false);
    B512::try_from(encoded.as_bytes().get(1..)?).ok()
}

/// The public key under which `signature` is one of `prehash`.
pub(super) fn recover(prehash: &B256, signature: &Signature) -> Option<B512> {
    let equation = Equation::new(prehash, signature)?;
    let r_inverse = equation.r.invert_vartime().into_option()?;
    coordinates(&equation.key(&r_inverse).to_affine())
}

/// [`recover`] for each, with one inversion modulo n and one modulo p for all of them.
pub(super) fn recover_many(signed: &[(B256, Signature)]) -> Vec<Option<B512>> {
    let equations: Vec<Option<Equation>> =
        signed.iter().map(|(prehash, signature)| Equation::new(prehash, signature)).collect();
    let solvable = || equations.iter().flatten();
    let inverses = invert_all(solvable().map(|equation| equation.r));
    let keys: Vec<ProjectivePoint> =
        solvable().zip(&inverses).map(|(equation, inverse)| equation.key(inverse)).collect();
    let keys: Vec<AffinePoint> = ProjectivePoint::batch_normalize_vartime(keys.as_slice());
    let mut keys = keys.iter();
    equations.iter().map(|equation| coordinates(equation.as_ref().and_then(|_| keys.next())?)).collect()
}

/// The inverse of each of `scalars`, none of which is zero, by Montgomery's trick.
pub(super) fn invert_all(scalars: impl Iterator<Item = Scalar>) -> Vec<Scalar> {
    let mut product = Scalar::ONE;
    let mut steps: Vec<(Scalar, Scalar)> = Vec::new();
    for scalar in scalars {
        steps.push((scalar, product));
        product *= scalar;
    }
    // A zero would make the product zero: then every answer is zero, which `Equation::key` takes to the point at infinity.
    let mut inverse = product.invert_vartime().into_option().unwrap_or(Scalar::ZERO);
    let mut inverses: Vec<Scalar> = Vec::with_capacity(steps.len());
    for (scalar, before) in steps.into_iter().rev() {
        inverses.push(inverse * before);
        inverse *= scalar;
    }
    inverses.reverse();
    inverses
}
