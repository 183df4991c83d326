//! The core in a browser: bindings, and nothing that decides.
//!
//! JavaScript holds a [`Chain`], opens a [`Block`] with it and checks tasks of that block. All state is in those objects: each
//! call is a function of bytes, as in the core. What is wrong with the caller's input is thrown as an `Error` with a `code`
//! (see [`error`]); what is wrong with a block is an answer, a [`shapes::Verdict`].

mod block;
mod chain;
pub mod error;
pub mod shapes;
mod stream;
mod votes;

pub use block::Block;
pub use chain::Chain;
pub use error::Failure;
pub use stream::decode_stream_message;
pub use votes::{VerifierKey, read_certificate};
