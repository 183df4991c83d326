//! Writes the inputs that the fuzz targets begin from, into `tests/fuzz/corpus` or the folder that is named.

use ocelli_tests::fuzzing;
use std::{env, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    fuzzing::write_seeds(&folder.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus").into()))
}
