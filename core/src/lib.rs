//! What is true in Ocelli: state, order, tasks, verification and attestations.
//!
//! Functions of bytes: no clock, no disk, no network, no randomness, no panic, and no global state that changes an answer.
//! The same source is compiled natively, to wasm and to bare RISC-V, and means the same on each.

#![no_std]
// Allowed in the modules that hold instructions of one CPU, for code that is counted apart (`evm/code.rs`), and nowhere else.
#![deny(unsafe_code)]

extern crate alloc;
// Unit tests share inputs with integration tests, which know the crate by its name; and the standard library has what
// `core` lacks of floating point.
#[cfg(test)]
extern crate self as ocelli_core;
#[cfg(test)]
extern crate std;

pub mod access;
pub mod attestation;
pub mod block;
pub mod certificate;
pub mod column;
pub mod cpu;
pub mod evidence;
pub mod evm;
pub mod fees;
pub mod genesis;
pub mod hash;
pub mod header;
pub mod key;
pub mod lanes;
pub mod limits;
pub mod manifest;
pub mod merkle;
pub mod message;
pub mod parallel;
pub mod params;
pub mod prefix;
pub mod promise;
pub mod receipt;
pub mod refusal;
pub mod replica;
pub mod row;
pub mod signature;
pub mod transaction;
pub mod tree;
pub mod typed_data;
pub mod value;
pub mod verifiers;
pub mod wire;
