//! Points and numbers that are the same for every signature.

use super::{
    super::portable,
    field::Words,
    scalar::{DOUBLINGS, GENERATOR_BITS, GENERATOR_DIGITS, words},
};
use crate::hash::keccak256;
use alloc::{boxed::Box, vec::Vec};
use k256::{
    AffinePoint, ProjectivePoint,
    elliptic_curve::{BatchNormalize, point::DecompressPoint},
};
use once_cell::race::OnceBox;

/// β, a cube root of one modulo p: (βx, y) = λ(x, y).
pub(super) const BETA: Words =
    [0xc139_6c28_7195_01ee, 0x9cf0_4975_12f5_8995, 0x6e64_479e_ac34_34e9, 0x7ae9_6a2b_657c_0710];
/// 3/2 modulo p.
pub(super) const THREE_HALVES: Words = [0xffff_ffff_7fff_fe19, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff];
/// The x coordinate of G.
pub(super) const GENERATOR_X: Words =
    [0x59f2_815b_16f8_1798, 0x029b_fcdb_2dce_28d9, 0x55a0_6295_ce87_0b07, 0x79be_667e_f9dc_bbac];
/// The y coordinate of G.
pub(super) const GENERATOR_Y: Words =
    [0x9c47_d08f_fb10_d4b8, 0xfd17_b448_a685_5419, 0x5da4_fbfc_0e11_08a8, 0x483a_da77_26a3_c465];
/// The inverse of [`GENERATOR_Y`] modulo p.
pub(super) const GENERATOR_Y_INVERSE: Words =
    [0x1f7d_5dda_2ecf_511d, 0x82aa_c046_a7b8_7a68, 0x9bcf_2023_8be1_48d5, 0x6fc6_340c_9dae_9a62];

/// A point: its x coordinate, then its y coordinate.
pub(super) type Entry = [u64; 8];

/// How many multiples of a point a table holds: those that a digit of u₁ can ask for, but for none.
pub(super) const MULTIPLES: usize = 1 << (GENERATOR_BITS - 1);

/// What takes a while to compute and is kept.
pub(super) struct Constants {
    /// From 1 to 512 times G, and from 1 to 512 times 2^130 G. 32 KiB each.
    pub(super) multiples: [[Entry; MULTIPLES]; 2],
    /// Where every sum starts: a point of which nobody knows what multiple of another it is, because its x coordinate comes out
    /// of a hash. So nobody can choose signatures whose sum meets the point that is added next, or its negative.
    pub(super) start: Entry,
    /// 2^126 times the start, which is what the doublings make of it.
    pub(super) correction: Entry,
}

impl Constants {
    /// The constants, computed when they are first wanted (about a millisecond).
    ///
    /// They are kept for the process, and are the same whoever computes them.
    pub(super) fn get() -> &'static Self {
        static KEPT: OnceBox<Constants> = OnceBox::new();
        KEPT.get_or_init(Self::compute)
    }

    fn compute() -> Box<Self> {
        let start = unknown_logarithm();
        let correction = times_power_of_two(start, DOUBLINGS);
        let upper = times_power_of_two(ProjectivePoint::GENERATOR, GENERATOR_BITS * GENERATOR_DIGITS);
        let mut points = multiples(ProjectivePoint::GENERATOR);
        points.extend(multiples(upper));
        points.extend([start, correction]);
        let points: Vec<AffinePoint> = ProjectivePoint::batch_normalize_vartime(points.as_slice());
        let mut entries = points.iter().map(entry);
        let mut next = || entries.next().unwrap_or([0; 8]);
        let mut constants = Box::new(Self { multiples: [[[0; 8]; MULTIPLES]; 2], start: [0; 8], correction: [0; 8] });
        for entry in constants.multiples.as_flattened_mut() {
            *entry = next();
        }
        (constants.start, constants.correction) = (next(), next());
        constants
    }
}

/// From 1 to 512 times `point`.
fn multiples(point: ProjectivePoint) -> Vec<ProjectivePoint> {
    core::iter::successors(Some(point), |last| Some(*last + point)).take(MULTIPLES).collect()
}

fn times_power_of_two(point: ProjectivePoint, exponent: usize) -> ProjectivePoint {
    (0..exponent).fold(point, |point, _| point.double())
}

/// The point with an even y coordinate whose x coordinate is the first in a sequence of hashes that is one.
fn unknown_logarithm() -> ProjectivePoint {
    let mut x = keccak256(b"Ocelli: a point of which nobody knows what multiple of another it is");
    loop {
        if let Some(point) = AffinePoint::decompress(&x.0.into(), 0.into()).into_option() {
            return point.into();
        }
        x = keccak256(x);
    }
}

fn entry(point: &AffinePoint) -> Entry {
    let mut entry = [0; 8];
    let coordinates = portable::coordinates(point).unwrap_or_default();
    let (coordinates, _) = coordinates.as_chunks::<32>();
    for (words_of, coordinate) in entry.chunks_exact_mut(4).zip(coordinates) {
        words_of.copy_from_slice(&words(coordinate));
    }
    entry
}
