//! The state tree and its proofs.

#[path = "state/model.rs"]
mod model;
#[path = "state/paths.rs"]
mod paths;
#[path = "state/proof.rs"]
mod proof;
#[path = "state/small_world.rs"]
mod small_world;
#[path = "state/tree.rs"]
mod tree;
#[path = "state/versions.rs"]
mod versions;
