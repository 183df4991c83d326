//! What kernels of AVX-512 have in common.

#![allow(unsafe_code)]

use core::arch::x86_64::{__m512i, _mm512_shuffle_i64x2, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64};

/// Eight rows of eight words of 64 bits as eight columns.
///
/// # Safety
/// The processor has AVX-512 F, as a [`super::Avx512`] proves. Where it is called from, it is compiled for that.
#[inline(always)]
pub(crate) unsafe fn transpose(rows: [__m512i; 8]) -> [__m512i; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    // SAFETY: the caller's.
    unsafe {
        // Of two rows, the even words in turns, and the odd ones.
        let twos = |a, b| (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
        // Of two vectors, the even pairs of words and the odd ones: of vectors of words w, w + 2, w + 4 and w + 6 those of w and w + 4
        // and of w + 2 and w + 6, and then of vectors of these, whole columns.
        let pairs = |a, b| (_mm512_shuffle_i64x2::<0b10_00_10_00>(a, b), _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b));
        let ((even_ab, odd_ab), (even_cd, odd_cd)) = (twos(a, b), twos(c, d));
        let ((even_ef, odd_ef), (even_gh, odd_gh)) = (twos(e, f), twos(g, h));
        let ((low_04, low_26), (high_04, high_26)) = (pairs(even_ab, even_cd), pairs(even_ef, even_gh));
        let ((low_15, low_37), (high_15, high_37)) = (pairs(odd_ab, odd_cd), pairs(odd_ef, odd_gh));
        let ((w0, w4), (w2, w6)) = (pairs(low_04, high_04), pairs(low_26, high_26));
        let ((w1, w5), (w3, w7)) = (pairs(low_15, high_15), pairs(low_37, high_37));
        [w0, w1, w2, w3, w4, w5, w6, w7]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Avx512;
    use core::arch::x86_64::{_mm512_loadu_si512, _mm512_storeu_si512};

    #[test]
    fn rows_become_columns() {
        #[target_feature(enable = "avx512f")]
        fn of(rows: &[[u64; 8]; 8]) -> [[u64; 8]; 8] {
            let mut columns = [[0; 8]; 8];
            // SAFETY: whole arrays are loaded and stored, and this is compiled for AVX-512 F.
            unsafe {
                let found = transpose(rows.map(|row| _mm512_loadu_si512(row.as_ptr().cast())));
                for (column, found) in columns.iter_mut().zip(found) {
                    _mm512_storeu_si512(column.as_mut_ptr().cast(), found);
                }
            }
            columns
        }
        if Avx512::detect().is_some() {
            let rows: [[u64; 8]; 8] = core::array::from_fn(|row| core::array::from_fn(|at| (row * 8 + at) as u64));
            // SAFETY: the processor has AVX-512.
            let columns = unsafe { of(&rows) };
            for (row, words) in rows.iter().enumerate() {
                assert_eq!(*words, columns.map(|column| column[row]));
            }
        }
    }
}
