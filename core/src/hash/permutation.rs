//! Keccak-f\[1600\] (FIPS 202, section 3.3) over vectors: one lane of each is one state, so a formula that is written once
//! permutes as many states as the vector has lanes.

use super::batch::{Blocks, Hashes, LANES};

/// As many 64-bit words as there are states, one of each.
pub(super) trait Vector: Copy {
    /// The lanes from `FIRST` on, as many as the vector has.
    fn load<const FIRST: usize>(lanes: &[u64; LANES]) -> Self;
    /// Puts the lanes back to where [`Vector::load`] takes them from.
    fn store<const FIRST: usize>(self, lanes: &mut [u64; LANES]);
    /// `word` in each lane.
    fn splat(word: u64) -> Self;
    /// Exclusive or.
    fn xor(self, other: Self) -> Self;
    /// Each lane rotated to the left by 0 to 63 bits.
    fn rotate(self, by: u32) -> Self;
    /// `self ^ (!next & after)`, the step χ.
    fn chi(self, next: Self, after: Self) -> Self;

    /// Exclusive or of three.
    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        self.xor(second).xor(third)
    }
}

/// A state: word (x, y) of the standard stands at `x + 5 y`.
type State<V> = [V; 25];

/// The constants of the step ι, one a round.
const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Hashes the blocks in the lanes from `FIRST` on.
///
/// Always inlined, as everything below: the function that calls it says which instructions there are.
#[inline(always)]
pub(super) fn absorb<V: Vector, const FIRST: usize>(blocks: &Blocks, hashes: &mut Hashes) {
    let mut state = [V::splat(0); 25];
    for (word, block) in state.iter_mut().zip(&blocks.0) {
        *word = V::load::<FIRST>(block);
    }
    permute(&mut state);
    for (hash, word) in hashes.iter_mut().zip(state) {
        word.store::<FIRST>(hash);
    }
}

#[inline(always)]
fn permute<V: Vector>(state: &mut State<V>) {
    for constant in ROUND_CONSTANTS {
        *state = round(state, constant);
    }
}

#[inline(always)]
fn round<V: Vector>(a: &State<V>, constant: u64) -> State<V> {
    let parity = [column(a, 0), column(a, 1), column(a, 2), column(a, 3), column(a, 4)];
    let turned = parity.map(|parity| parity.rotate(1));
    // θ and ρ of one word.
    let moved = |at: usize, by: u32| a[at].xor3(parity[(at + 4) % 5], turned[(at + 1) % 5]).rotate(by);
    // π says which word of `a` each word comes from, and ρ how far that one turns: written out, so that both are constants
    // to the compiler and the words stay in registers.
    let b = [
        [moved(0, 0), moved(6, 44), moved(12, 43), moved(18, 21), moved(24, 14)],
        [moved(3, 28), moved(9, 20), moved(10, 3), moved(16, 45), moved(22, 61)],
        [moved(1, 1), moved(7, 6), moved(13, 25), moved(19, 8), moved(20, 18)],
        [moved(4, 27), moved(5, 36), moved(11, 10), moved(17, 15), moved(23, 56)],
        [moved(2, 62), moved(8, 55), moved(14, 39), moved(15, 41), moved(21, 2)],
    ];
    let [r0, r1, r2, r3, r4] = b.map(chi);
    let [first, r0 @ ..] = r0;
    let first = first.xor(V::splat(constant));
    [
        first, r0[0], r0[1], r0[2], r0[3], r1[0], r1[1], r1[2], r1[3], r1[4], r2[0], r2[1], r2[2], r2[3], r2[4], r3[0],
        r3[1], r3[2], r3[3], r3[4], r4[0], r4[1], r4[2], r4[3], r4[4],
    ]
}

#[inline(always)]
fn column<V: Vector>(a: &State<V>, x: usize) -> V {
    a[x].xor3(a[x + 5], a[x + 10]).xor3(a[x + 15], a[x + 20])
}

#[inline(always)]
fn chi<V: Vector>([b0, b1, b2, b3, b4]: [V; 5]) -> [V; 5] {
    [b0.chi(b1, b2), b1.chi(b2, b3), b2.chi(b3, b4), b3.chi(b4, b0), b4.chi(b0, b1)]
}
