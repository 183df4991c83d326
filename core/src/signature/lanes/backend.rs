//! What the lane program runs on.

pub(super) mod avx512_ifma;
