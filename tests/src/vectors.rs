//! Conformance vectors that others publish: where they are on this machine, and what a test says where they are not.
//!
//! They are not part of the repository. They stand in `../shared/vectors` beside it, or in the folder that `OCELLI_VECTORS`
//! names.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// The file `name` of the vectors. Where it is not there, none, and the running test counts as skipped: whoever calls this
/// has nothing left to do.
pub fn find(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let path = std::env::var_os("OCELLI_VECTORS").map_or_else(beside, PathBuf::from).join(name);
    if path.is_file() {
        return Some(path);
    }
    say(&format!("SKIPPED: no conformance vectors at {}", path.display()));
    None
}

/// Writes a line to where people and `tools/libtest.js` see it, though what a test prints is kept from them if it passes.
///
/// In one piece, because other tests write too.
pub fn say(line: &str) {
    // A closed stderr is no reason for a test to fail.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
