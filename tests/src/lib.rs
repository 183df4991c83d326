//! What the tests that cross folders share: chains made by the core alone, and transactions as wallets make them.

pub mod chain;
pub mod wallet;
