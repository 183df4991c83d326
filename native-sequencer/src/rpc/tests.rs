//! The endpoint as a wallet meets it: requests in, responses out, over a chain of real blocks.

mod bad_input;
mod calls;
mod reads;
mod sockets;
mod submitting;
mod world;
