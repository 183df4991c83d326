//! What the tests that cross folders share: chains made by the core alone, and transactions as wallets make them.

pub mod bytecode;
pub mod chain;
#[cfg(not(target_arch = "wasm32"))]
pub mod fuzzing;
pub mod lies;
#[cfg(not(target_arch = "wasm32"))]
pub mod programs;
pub mod realistic;
#[cfg(not(target_arch = "wasm32"))]
pub mod state_tests;
#[cfg(not(target_arch = "wasm32"))]
pub mod transcript;
#[cfg(not(target_arch = "wasm32"))]
pub mod vectors;
pub mod verdicts;
pub mod wallet;
