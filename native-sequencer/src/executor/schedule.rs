//! Other schedules, for tests: threads that are to be disturbed are held up now and then where they begin a piece of work, so that
//! pieces begin and end in orders that a quiet machine never sees.
//!
//! Which thread gets which piece is still rayon's to say, so a seed makes the same schedules likely and not certain.

use std::{cell::Cell, hint, thread};

/// Of so many pieces of work, one waits for other threads and one for a moment.
const ONE_IN: u64 = 4;
/// The most times that a thread lets others go first.
const YIELDS: u64 = 3;
/// The most turns of a moment: some microseconds.
const TURNS: u64 = 256;

thread_local! {
    /// The thread's last random number; zero for one that is left alone.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// Has this thread disturbed from now on.
pub(super) fn disturb(seed: u64) {
    // Neighbouring seeds have little in common then, and none is zero.
    LAST.set(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
}

/// Holds this thread up, if it is to be disturbed and chance has it so.
pub(super) fn hold_up() {
    // Xorshift, which gives zero after zero alone.
    let mut word = LAST.get();
    word ^= word << 13;
    word ^= word >> 7;
    word ^= word << 17;
    LAST.set(word);
    if word == 0 {
        return;
    }
    let much = word >> 32;
    match word % ONE_IN {
        0 => (0..=much % YIELDS).for_each(|_| thread::yield_now()),
        1 => (0..=much % TURNS).for_each(|_| hint::spin_loop()),
        _ => {}
    }
}
