//! The computer in the middle: it decides the order, and holds all the I/O that the core must not know.
//!
//! ```text
//! rpc ─► pool ─► producer (speculate, lanes, rows, columns) ─► store (durable) ─► chain ─► rpc, api
//! ```
//!
//! Nothing is published, promised or answered before what it rests on is durable. Everything that is checked, here and in
//! the native verifier, is checked by `ocelli-core`.

pub mod api;
pub mod bench;
pub mod block;
pub mod chain;
pub mod cli;
mod clock;
pub mod collect;
pub mod dev;
pub mod executor;
mod gate;
pub mod genesis_file;
pub mod limits;
pub mod listener;
pub mod node;
pub mod page;
pub mod pool;
pub mod producer;
pub mod promises;
pub mod rpc;
pub mod state;
pub mod store;
pub mod threads;
pub mod verify;
