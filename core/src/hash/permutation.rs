//! Keccak-f\[1600\] (FIPS 202, section 3.3) over vectors: one lane of each is one state, so a formula that is written once
//! permutes as many states as the vector has lanes.

use super::{
    batch::{Blocks, HALF_BYTES, Hashes, LANES, RATE, WORD},
    sponge::{STATE_WORDS, States},
};

/// As many 64-bit words as there are states, one of each.
pub(super) trait Vector: Copy {
    /// How many states.
    const LANES: usize;

    /// The lanes from `FIRST` on, as many as the vector has.
    fn load<const FIRST: usize>(lanes: &[u64; LANES]) -> Self;
    /// Puts the lanes back to where [`Vector::load`] takes them from.
    fn store<const FIRST: usize>(self, lanes: &mut [u64; LANES]);
    /// The words of the blocks in the lanes from `FIRST` on.
    fn load_blocks<const FIRST: usize>(blocks: &Blocks) -> [Self; RATE_WORDS];

    /// Puts the words of hashes to the lanes from `FIRST` on.
    #[inline(always)]
    fn store_hashes<const FIRST: usize>(words: [Self; HASH_WORDS], hashes: &mut Hashes) {
        for (at, word) in words.into_iter().enumerate() {
            let mut lanes = [0; LANES];
            word.store::<FIRST>(&mut lanes);
            for (lane, hash) in lanes.iter().zip(hashes.iter_mut()).skip(FIRST).take(Self::LANES) {
                hash.0.as_chunks_mut().0[at] = lane.to_le_bytes();
            }
        }
    }

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

/// The rate of Keccak-256 in words.
pub(super) const RATE_WORDS: usize = RATE / WORD;
/// Words of a hash.
pub(super) const HASH_WORDS: usize = 4;

/// A state: word (x, y) of the standard stands at `x + 5 y`.
type State<V> = [V; STATE_WORDS];

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

/// Hashes the blocks in the lanes from `FIRST` on. `are_half` says that each that counts has [`HALF_BYTES`] and its padding: then
/// half of it is known and need not be loaded.
///
/// Always inlined, as everything below: the function that calls it says which instructions there are.
#[inline(always)]
pub(super) fn hash<V: Vector, const FIRST: usize>(blocks: &Blocks, are_half: bool, hashes: &mut Hashes) {
    let mut state = [V::splat(0); STATE_WORDS];
    // In either case, what is not used of all words is not loaded.
    if are_half {
        let (words, _) = state.split_at_mut(HALF_BYTES / WORD);
        words.iter_mut().zip(V::load_blocks::<FIRST>(blocks)).for_each(|(word, of_blocks)| *word = of_blocks);
        state[HALF_BYTES / WORD] = V::splat(0x01);
        state[RATE_WORDS - 1] = V::splat(0x80 << 56);
    } else {
        state.iter_mut().zip(V::load_blocks::<FIRST>(blocks)).for_each(|(word, of_blocks)| *word = of_blocks);
    }
    let [rounds @ .., last] = ROUND_CONSTANTS;
    for constant in rounds {
        state = round(&state, constant);
    }
    V::store_hashes::<FIRST>(last_round(&state, last), hashes);
}

/// Takes a further block into each of the states in the lanes from `FIRST` on.
#[inline(always)]
pub(super) fn absorb<V: Vector, const FIRST: usize>(states: &mut States, blocks: &Blocks) {
    let mut state = [V::splat(0); STATE_WORDS];
    for (word, kept) in state.iter_mut().zip(&states.0) {
        *word = V::load::<FIRST>(kept);
    }
    for (word, of_blocks) in state.iter_mut().zip(V::load_blocks::<FIRST>(blocks)) {
        *word = word.xor(of_blocks);
    }
    for constant in ROUND_CONSTANTS {
        state = round(&state, constant);
    }
    for (kept, word) in states.0.iter_mut().zip(state) {
        word.store::<FIRST>(kept);
    }
}

/// Written out, without closures or loops over words: so that everything is inlined where the instructions are, and the
/// words stay in registers.
#[inline(always)]
fn round<V: Vector>(a: &State<V>, constant: u64) -> State<V> {
    let (parity, turned) = sums(a);
    let sums = (&parity, &turned);
    let [b0, b1, b2, b3, b4] = row(first_moved(a, sums));
    let [b5, b6, b7, b8, b9] = row([
        moved(a, sums, 3, 28),
        moved(a, sums, 9, 20),
        moved(a, sums, 10, 3),
        moved(a, sums, 16, 45),
        moved(a, sums, 22, 61),
    ]);
    let [b10, b11, b12, b13, b14] = row([
        moved(a, sums, 1, 1),
        moved(a, sums, 7, 6),
        moved(a, sums, 13, 25),
        moved(a, sums, 19, 8),
        moved(a, sums, 20, 18),
    ]);
    let [b15, b16, b17, b18, b19] = row([
        moved(a, sums, 4, 27),
        moved(a, sums, 5, 36),
        moved(a, sums, 11, 10),
        moved(a, sums, 17, 15),
        moved(a, sums, 23, 56),
    ]);
    let [b20, b21, b22, b23, b24] = row([
        moved(a, sums, 2, 62),
        moved(a, sums, 8, 55),
        moved(a, sums, 14, 39),
        moved(a, sums, 15, 41),
        moved(a, sums, 21, 2),
    ]);
    let b0 = b0.xor(V::splat(constant));
    [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20, b21, b22, b23, b24]
}

/// The words of a hash after the last round: nobody asks for the others.
#[inline(always)]
fn last_round<V: Vector>(a: &State<V>, constant: u64) -> [V; HASH_WORDS] {
    let (parity, turned) = sums(a);
    let [b0, b1, b2, b3, _] = row(first_moved(a, (&parity, &turned)));
    [b0.xor(V::splat(constant)), b1, b2, b3]
}

/// The parities of all columns, and each turned by one bit.
#[inline(always)]
fn sums<V: Vector>(a: &State<V>) -> ([V; 5], [V; 5]) {
    let parity = [column(a, 0), column(a, 1), column(a, 2), column(a, 3), column(a, 4)];
    let turned =
        [parity[0].rotate(1), parity[1].rotate(1), parity[2].rotate(1), parity[3].rotate(1), parity[4].rotate(1)];
    (parity, turned)
}

/// What comes to the first row.
#[inline(always)]
fn first_moved<V: Vector>(a: &State<V>, sums: (&[V; 5], &[V; 5])) -> [V; 5] {
    [
        moved(a, sums, 0, 0),
        moved(a, sums, 6, 44),
        moved(a, sums, 12, 43),
        moved(a, sums, 18, 21),
        moved(a, sums, 24, 14),
    ]
}

/// Word `at` after θ, turned as far as ρ turns it; π is the order in which [`round`] asks for them.
#[inline(always)]
fn moved<V: Vector>(a: &State<V>, (parity, turned): (&[V; 5], &[V; 5]), at: usize, by: u32) -> V {
    a[at].xor3(parity[(at + 4) % 5], turned[(at + 1) % 5]).rotate(by)
}

/// The word of a block at a place.
#[inline(always)]
pub(super) fn word(block: &[u8; RATE], at: usize) -> u64 {
    u64::from_le_bytes(block.as_chunks().0[at])
}

/// The last word of each block.
#[inline(always)]
pub(super) fn last_words(blocks: &Blocks) -> [u64; LANES] {
    let [b0, b1, b2, b3, b4, b5, b6, b7] = &blocks.0;
    let last = RATE_WORDS - 1;
    [
        word(b0, last),
        word(b1, last),
        word(b2, last),
        word(b3, last),
        word(b4, last),
        word(b5, last),
        word(b6, last),
        word(b7, last),
    ]
}

#[inline(always)]
fn column<V: Vector>(a: &State<V>, x: usize) -> V {
    a[x].xor3(a[x + 5], a[x + 10]).xor3(a[x + 15], a[x + 20])
}

/// χ of one row.
#[inline(always)]
fn row<V: Vector>([b0, b1, b2, b3, b4]: [V; 5]) -> [V; 5] {
    [b0.chi(b1, b2), b1.chi(b2, b3), b2.chi(b3, b4), b3.chi(b4, b0), b4.chi(b0, b1)]
}
