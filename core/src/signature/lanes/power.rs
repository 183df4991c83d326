//! Powers with a fixed exponent, and inverses of many elements for the price of one.
//!
//! p - 2 and (p - 3) / 4 begin with 223 ones, a zero and 22 ones, which an addition chain of libsecp256k1's makes from runs
//! of ones: `ones_n` below is the element to the power 2^n - 1.

use super::field::Element;
use alloc::vec::Vec;

/// Elements that are worked on in turns, so that one's multiplication fills the gaps in another's.
type Several<E, const N: usize> = [E; N];

#[inline(always)]
fn times<E: Element, const N: usize>(a: Several<E, N>, b: Several<E, N>) -> Several<E, N> {
    let mut products = a;
    for (product, b) in products.iter_mut().zip(b) {
        *product = product.mul(b);
    }
    products
}

/// Squared `count` times.
#[inline(always)]
fn squared<E: Element, const N: usize>(mut a: Several<E, N>, count: usize) -> Several<E, N> {
    for _ in 0..count {
        for element in &mut a {
            *element = element.square();
        }
    }
    a
}

/// a^((p - 3) / 4). If a is a square, this times a is a root of it, and this is the inverse of that root.
#[inline(always)]
pub(super) fn inverse_root<E: Element, const N: usize>(a: Several<E, N>) -> Several<E, N> {
    let ones_2 = times(squared(a, 1), a);
    let ones_3 = times(squared(ones_2, 1), a);
    let ones_6 = times(squared(ones_3, 3), ones_3);
    let ones_9 = times(squared(ones_6, 3), ones_3);
    let ones_11 = times(squared(ones_9, 2), ones_2);
    let ones_22 = times(squared(ones_11, 11), ones_11);
    let ones_44 = times(squared(ones_22, 22), ones_22);
    let ones_88 = times(squared(ones_44, 44), ones_44);
    let ones_176 = times(squared(ones_88, 88), ones_88);
    let ones_220 = times(squared(ones_176, 44), ones_44);
    let ones_223 = times(squared(ones_220, 3), ones_3);
    // 0, 22 ones, 00001, 011
    let power = times(squared(ones_223, 23), ones_22);
    let power = times(squared(power, 5), a);
    times(squared(power, 3), ones_2)
}

/// a^(p - 2), the inverse of a; zero of zero. (p - 2 = 4 · (p - 3) / 4 + 1.)
#[inline(always)]
fn inverse<E: Element>(a: E) -> E {
    let [power] = squared(inverse_root([a]), 2);
    power.mul(a)
}

/// Replaces each element by its inverse, lane by lane, with one inversion for all (Montgomery's trick).
///
/// None of them may be zero in any lane: that would make every answer of the lane zero.
#[inline(always)]
pub(super) fn invert_all<E: Element>(cpu: E::Cpu, elements: &mut [E]) {
    // Two chains of products, of the first half and of the second, because one alone waits for each multiplication.
    let (first, rest) = elements.split_at_mut(elements.len() / 2);
    let (second, odd) = rest.split_at_mut(first.len());
    let one = E::splat(cpu, &[1, 0, 0, 0]);
    let mut before: Vec<[E; 2]> = Vec::with_capacity(first.len());
    let mut product = [one; 2];
    for (a, b) in first.iter().zip(second.iter()) {
        before.push(product);
        product = times(product, [*a, *b]);
    }
    let pair = product[0].mul(product[1]);
    let odd_one = odd.first().map_or(one, |odd| *odd);
    let inverse = inverse(pair.mul(odd_one));
    if let Some(odd) = odd.first_mut() {
        *odd = inverse.mul(pair);
    }
    let of_pair = inverse.mul(odd_one);
    let mut inverses = [of_pair.mul(product[1]), of_pair.mul(product[0])];
    for ((a, b), before) in first.iter_mut().zip(second.iter_mut()).zip(&before).rev() {
        let of_these = times(inverses, *before);
        inverses = times(inverses, [*a, *b]);
        [*a, *b] = of_these;
    }
}
