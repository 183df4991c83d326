//! Ethereum's state tests as rows.
//!
//! A case is a state, a transaction and what has to come of it under one fork: the root of the state afterwards and a hash of
//! the logs, or the reason why the transaction is refused. [`block`] makes of it a block of two rows, the transaction's and
//! the closing row, which pays the coinbase; [`judge`] executes and checks that block and compares.
//!
//! What of a case's environment stands where, and what differs from a block of a chain:
//!
//! - Number, timestamp, base fee, gas limit, coinbase and fork are the header's and the parameters', by their rules.
//! - PREVRANDAO is a header's `parent`. The vectors fix it, so that the header's parent is a hash of nothing, and the block
//!   check, which wants to see the parent, cannot be made. The checks of rows and columns do not ask for the parent.
//! - BLOCKHASH(n) is the hash of n's decimal digits in the vectors. These stand in the history contract from the start, and
//!   there is no opening row, which would write the parent's hash there.
//! - BLOBBASEFEE is 1, as everywhere on Ocelli.
//! - Task limits are as wide as the format allows, and wider than any chain's for gas and work.
//! - The state is put into the tree as it stands in the case, not by way of genesis, which refuses storage at an account
//!   without nonce and code (EIP-7610).
//! - The history contract and the account that base fees go to are Ocelli's own, so they are left out of Ethereum's root.
//! - Legacy transactions without a chain id (EIP-155), which Ocelli refuses, are signed again with one.
//!
//! Blob transactions are refused by design, so that their cases, valid or not, have to end in that refusal. What else does not
//! end as the vectors say is listed in [`exceptions`].

pub mod archive;
pub mod block;
pub mod case;
pub mod ethereum;
pub mod exceptions;
pub mod judge;
pub mod run;
