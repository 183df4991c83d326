//! What people would use instead, run beside Ocelli in the same measurement.
//!
//! Only in builds with the feature `peers`: nothing of this is in the binary that people run. Each peer is called as its
//! documentation says, on the same input, and its answer is held against ours.

pub mod jellyfish;
pub mod near_optimal;
pub mod patricia;
pub mod rust_node;
pub mod signatures;
