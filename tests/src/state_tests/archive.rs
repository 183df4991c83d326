//! Reading the archives that state tests come in.

use lzma_rust2::XzReader;
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

/// Hands each JSON file of the tar.xz at `path` to `each`: where it stands in the archive, and its text.
///
/// # Errors
/// What reading the archive ends in; it is read in one go, so files may have been handed out before.
pub fn each_json(path: &Path, mut each: impl FnMut(String, String)) -> io::Result<()> {
    let file = BufReader::new(File::open(path)?);
    let mut archive = tar::Archive::new(XzReader::new(file, false));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && name.ends_with(".json") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            each(name, text);
        }
    }
    Ok(())
}
