//! Products of five limbs of 52 bits by fused multiply-add of doubles, for processors without wide integer products in lanes.
//!
//! A limb below 2^52 is a double without loss. Of a product a · b < 2^104, `2^104 + a · b`, rounded once to the nearest double,
//! is 2^104 + high · 2^52, because doubles from 2^104 to 2^105 are that far apart; and `a · b - high · 2^52`, at most 2^51 from
//! zero, is exact. So high ≤ 2^52, and low is signed.
//!
//! Both are added up as the integers that their bits are. The bits of 2^104 + high · 2^52 are those of 2^104, plus high (high =
//! 2^52 carries into the exponent, which is what it should). The bits of 3 · 2^51 + low are those of 3 · 2^51, plus low. What
//! the constants add up to is known beforehand and subtracted from every column ([`Biases`]).

use super::{FOLD_260, LOW_52, Word};

/// A word whose 64 bits can be taken for a double, too.
pub(super) trait Fused: Word {
    /// self · by + plus, rounded once to the nearest double, the even one of two.
    fn multiply_add(self, by: Self, plus: Self) -> Self;

    /// self + other, as doubles.
    fn plus_double(self, other: Self) -> Self;

    /// self - other, as doubles.
    fn minus_double(self, other: Self) -> Self;
}

/// The bits of the double 2^52: those of 2^52 + n, for n < 2^52, are these plus n.
const TWO_52: u64 = 0x4330_0000_0000_0000;
/// The bits of the double 3 · 2^51.
const LOW_BASE: u64 = 0x4338_0000_0000_0000;
/// The bits of the double 2^104.
const HIGH_BASE: u64 = 0x4670_0000_0000_0000;

/// What ten columns begin with.
///
/// Column k takes a low half for each i + j = k and a high half for each i + j = k - 1, each with its constant. Besides, so that
/// columns are never negative: from column 4 on, each has 2^55 = 8 · 2^52, and each after it 8 less, which is the same number.
struct Biases([u64; 10]);

impl Biases {
    /// Those of this many products.
    const fn of(products: u64) -> Self {
        let mut columns = [0_u64; 10];
        let mut column = 0;
        while column < 10 {
            let at = column as u64;
            let lows = products * if at < 5 { at + 1 } else { 9 - at };
            let highs = products * if at < 6 { at } else { 10 - at };
            let constants = lows.wrapping_mul(LOW_BASE).wrapping_add(highs.wrapping_mul(HIGH_BASE));
            let lent = if at >= 4 && at < 9 { 8 << 52 } else { 0 };
            let returned = if at > 4 { 8 } else { 0 };
            columns[column] = 0_u64.wrapping_sub(constants).wrapping_add(lent).wrapping_sub(returned);
            column += 1;
        }
        Self(columns)
    }
}

/// What the lower five columns get when the upper five are folded into them, and one carry more is folded again.
///
/// The constants of the folded halves; 2^260 - [`FOLD_260`] = 16 p, so that column 4 is not negative; and `lent` · 2^52 in
/// columns 0 to 3, each of which column k + 1 returns.
const fn fold_biases(lent: u64) -> [u64; 5] {
    let low = 0_u64.wrapping_sub(LOW_BASE);
    let both = low.wrapping_sub(HIGH_BASE);
    [
        low.wrapping_sub(LOW_BASE).wrapping_add(lent << 52).wrapping_sub(FOLD_260),
        both.wrapping_sub(HIGH_BASE).wrapping_add(lent << 52).wrapping_sub(lent),
        both.wrapping_add(lent << 52).wrapping_sub(lent),
        both.wrapping_add(lent << 52).wrapping_sub(lent),
        both.wrapping_add(1 << 52).wrapping_sub(lent),
    ]
}

/// What must be lent to one product, and to up to three.
const LENT: [u64; 2] = [4, 9];

/// a · b, each limb of it below 12 · 2^52.
#[inline(always)]
pub(super) fn product<W: Fused>(a: [W; 5], b: [W; 5]) -> [W; 5] {
    const BIASES: Biases = Biases::of(1);
    let columns = add_product(splat(a[0], &BIASES), doubles(a), doubles(b));
    fold(columns, &const { fold_biases(LENT[0]) })
}

/// a · a, each limb of it below 12 · 2^52.
#[inline(always)]
pub(super) fn square<W: Fused>(a: [W; 5]) -> [W; 5] {
    const BIASES: Biases = Biases::of(1);
    let columns = add_square([a[0].constant(0); 10], &BIASES.0, doubles(a));
    fold(columns, &const { fold_biases(LENT[0]) })
}

/// a · b + c · d, each limb of it below 30 · 2^52.
#[inline(always)]
pub(super) fn product_sum<W: Fused>(a: [W; 5], b: [W; 5], c: [W; 5], d: [W; 5]) -> [W; 5] {
    const BIASES: Biases = Biases::of(2);
    let columns = add_product(splat(a[0], &BIASES), doubles(a), doubles(b));
    fold(add_product(columns, doubles(c), doubles(d)), &const { fold_biases(LENT[1]) })
}

/// a · b + 2 · c · c, each limb of it below 30 · 2^52.
#[inline(always)]
pub(super) fn product_and_twice_square<W: Fused>(a: [W; 5], b: [W; 5], c: [W; 5]) -> [W; 5] {
    const BIASES: Biases = Biases::of(3);
    let mut columns = add_square([a[0].constant(0); 10], &[0; 10], doubles(c));
    for (column, bias) in columns.iter_mut().zip(BIASES.0) {
        *column = column.add(*column).add(column.constant(bias));
    }
    fold(add_product(columns, doubles(a), doubles(b)), &const { fold_biases(LENT[1]) })
}

#[inline(always)]
fn splat<W: Word>(word: W, biases: &Biases) -> [W; 10] {
    let mut columns = [word; 10];
    for (column, bias) in columns.iter_mut().zip(biases.0) {
        *column = word.constant(bias);
    }
    columns
}

/// A word below 2^52 as a double.
#[inline(always)]
fn double<W: Fused>(word: W) -> W {
    debug_assert!(word.all_below(1 << 52));
    let base = word.constant(TWO_52);
    word.or(base).minus_double(base)
}

#[inline(always)]
fn doubles<W: Fused>(limbs: [W; 5]) -> [W; 5] {
    let [a, b, c, d, e] = limbs;
    [double(a), double(b), double(c), double(d), double(e)]
}

/// The bits of both halves of the product of two doubles: the low one with [`LOW_BASE`], the high one with [`HIGH_BASE`].
#[inline(always)]
fn halves<W: Fused>(a: W, b: W) -> (W, W) {
    let base = a.constant(HIGH_BASE);
    let high = a.multiply_add(b, base);
    // Both are multiples of 2^52 not above 2^105, so their difference is exact.
    let low = a.multiply_add(b, base.minus_double(high));
    // The sum is between 2^52 and 2^53, where every integer is a double.
    (low.plus_double(a.constant(LOW_BASE)), high)
}

/// Adds a · b to columns, of which column k counts 2^(52 k).
#[inline(always)]
fn add_product<W: Fused>(mut columns: [W; 10], a: [W; 5], b: [W; 5]) -> [W; 10] {
    for i in 0..5 {
        for j in 0..5 {
            let (low, high) = halves(a[i], b[j]);
            columns[i + j] = columns[i + j].add(low);
            columns[i + j + 1] = columns[i + j + 1].add(high);
        }
    }
    columns
}

/// Adds a · a to twice the columns, and `biases`: each mixed product counts twice, constants and all.
#[inline(always)]
fn add_square<W: Fused>(mut columns: [W; 10], biases: &[u64; 10], a: [W; 5]) -> [W; 10] {
    for i in 0..5 {
        for j in i + 1..5 {
            let (low, high) = halves(a[i], a[j]);
            columns[i + j] = columns[i + j].add(low);
            columns[i + j + 1] = columns[i + j + 1].add(high);
        }
    }
    for (column, bias) in columns.iter_mut().zip(biases) {
        *column = column.add(*column).add(column.constant(*bias));
    }
    for i in 0..5 {
        let (low, high) = halves(a[i], a[i]);
        columns[2 * i] = columns[2 * i].add(low);
        columns[2 * i + 1] = columns[2 * i + 1].add(high);
    }
    columns
}

/// Folds columns 5 to 9 into the lower five: column k + 5 counts as 2^260 = [`FOLD_260`] in column k.
///
/// Of one product, a column has at most five lows, from -2^51 to 2^51, and five highs, up to 2^52, and no more than nine of
/// both: it is above -2.5 · 2^52 and below 7 · 2^52, and three times that with three products: above -7.5 · 2^52. With 8 · 2^52
/// lent to it and at most 8 returned by it, none of columns 4 to 8 is negative, and what it carries is below 2^5. Columns 4 and
/// above are together the products of limbs with i + j ≥ 4 and the high halves of those with i + j = 3: not negative, so
/// neither is column 9 when the others have carried; and below 3 · (2^256 + 2^221)² / 2^208, so column 9 is below 2^47.
///
/// Folding adds to each of the lower columns a low from -2^51 to 2^51 and a high up to 2^37, to columns 0 and 1 the halves of
/// the second fold too: to column 0 another low, to column 1 another high. Columns 0 to 3 have up to four lows and up to three
/// highs of a product: above -(4 + 2) / 2 · 2^52 = -3 · 2^52 for one, and above -(12 + 2) / 2 · 2^52 = -7 · 2^52 for three, so
/// 4 and 9 times 2^52 are enough to lend, even when 2^38 are taken away; and below (4 + 2) / 2 + 3 + 4 = 10 times 2^52, and (12 +
/// 2) / 2 + 9 + 9 = 25 times, and 2^38 more. Column 4 is below 2^52 when it has carried, and then between 2^51 - 2^38 and 2.5 ·
/// 2^52 + 2^38.
#[inline(always)]
fn fold<W: Fused>(mut columns: [W; 10], biases: &[u64; 5]) -> [W; 5] {
    let low = columns[0].constant(LOW_52);
    for column in 4..9 {
        columns[column + 1] = columns[column + 1].add(columns[column].shr::<52>());
        columns[column] = columns[column].and(low);
    }
    let [a, b, c, d, e, f, g, h, i, j] = columns;
    debug_assert!(j.all_below(1 << 47));
    let [mut a, mut b, mut c, mut d, mut e] = [
        a.add(a.constant(biases[0])),
        b.add(b.constant(biases[1])),
        c.add(c.constant(biases[2])),
        d.add(d.constant(biases[3])),
        e.add(e.constant(biases[4])),
    ];
    // The double of an integer below 2^53 is what the cast says.
    let by = a.constant((FOLD_260 as f64).to_bits());
    let [(f, f_high), (g, g_high), (h, h_high)] = [halves(double(f), by), halves(double(g), by), halves(double(h), by)];
    let [(i, i_high), (j, j_high)] = [halves(double(i), by), halves(double(j), by)];
    // What the high half of the last column carries out of column 4: below 2^33.
    let (carried, carried_high) = halves(double(j_high.sub(j_high.constant(HIGH_BASE))), by);
    a = a.add(f).add(carried);
    b = b.add(f_high).add(g).add(carried_high);
    c = c.add(g_high).add(h);
    d = d.add(h_high).add(i);
    e = e.add(i_high).add(j);
    [a, b, c, d, e]
}
