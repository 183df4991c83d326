//! Telling a multiply-add of doubles that rounds once from one that rounds the product too.

use core::hint::black_box;

/// Two factors, what is added to their product, and all that is left of it if it is rounded once.
const KNOWN: [[f64; 4]; 4] = [
    // (1 + 2^-30)² = 1 + 2^-29 + 2^-60
    [1.0 + EPSILON, 1.0 + EPSILON, -1.0 - 2.0 * EPSILON, EPSILON * EPSILON],
    [1.0 + EPSILON, -1.0 - EPSILON, 1.0 + 2.0 * EPSILON, -EPSILON * EPSILON],
    // (2^52 - 1)² = 2^104 - 2^53 + 1
    [TWO_52 - 1.0, TWO_52 - 1.0, 2.0 * TWO_52 - TWO_52 * TWO_52, 1.0],
    // 2^104 + (2^52 - 1)² is 2^105 - 2^53 and a bit, which rounds away.
    [TWO_52 - 1.0, TWO_52 - 1.0, TWO_52 * TWO_52, 2.0 * (TWO_52 * TWO_52 - TWO_52)],
];
const EPSILON: f64 = 1.0 / (1 << 30) as f64;
const TWO_52: f64 = (1_u64 << 52) as f64;

/// Whether `multiply_add`, given two factors and what is added to their product, rounds once.
pub(super) fn is_fused(multiply_add: impl Fn(f64, f64, f64) -> f64) -> bool {
    KNOWN.iter().all(|known| {
        // Hidden from the compiler, which might do it by its own multiply-add.
        let [a, b, plus, left] = black_box(*known);
        multiply_add(a, b, plus) == left
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_rounds_twice_is_found_out() {
        assert!(is_fused(f64::mul_add));
        assert!(!is_fused(|a, b, plus| a * b + plus));
    }

    #[test]
    fn one_that_loses_the_product_or_what_is_added_is_found_out() {
        assert!(!is_fused(|a, b, _| a * b));
        assert!(!is_fused(|_, _, plus| plus));
        assert!(!is_fused(|a, b, plus| a.mul_add(b, -plus)));
    }
}
