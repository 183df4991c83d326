//! What is true in Ocelli: state, order, tasks, verification and attestations.
//!
//! Functions of bytes: no clock, no disk, no network, no randomness, no global state and no panic. The same source is
//! compiled natively, to wasm and to bare RISC-V, and means the same on each.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod access;
pub mod hash;
pub mod key;
pub mod lanes;
pub mod limits;
pub mod merkle;
pub mod prefix;
pub mod replica;
pub mod signature;
pub mod transaction;
pub mod tree;
pub mod value;
pub mod wire;
