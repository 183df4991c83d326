//! Appending to a file past the operating system's cache, where the file system lets us.
//!
//! What is appended here is written once and seldom read again. Through the cache the processor would copy all of it into pages that
//! were used for something else, and later throw away what these held. The disk takes whole blocks then: the last one is filled up
//! with zeros, and written again with what follows. Whoever closes the file cuts these off; who crashes leaves them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// What disks write at once, or a multiple of it; also what memory is aligned to.
const BLOCK: usize = 4_096;

/// The end of a file. When it is dropped, nothing is behind it.
#[derive(Debug)]
pub(super) struct Appender {
    path: PathBuf,
    file: File,
    is_direct: bool,
    /// Where the content ends.
    end: u64,
    /// Whether something may be behind it.
    is_filled_up: bool,
    /// Something that no block begins with, so that the next byte is aligned; then the content from the last whole block on.
    buffer: Vec<u8>,
    /// Where that begins.
    aligned: usize,
}

impl Appender {
    /// Appends to the file at `path` behind its first `end` bytes. What is behind these is cut off.
    pub(super) fn new(path: &Path, end: u64) -> io::Result<Self> {
        let in_block = end % BLOCK as u64;
        let mut tail = Vec::new();
        let mut file = File::open(path)?;
        if file.metadata()?.len() < end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.seek(SeekFrom::Start(end - in_block))?;
        file.take(in_block).read_to_end(&mut tail)?;
        let (file, is_direct) = match open(path, true) {
            Ok(file) => (file, true),
            Err(error) => {
                tell_why(path, &error);
                (open(path, false)?, false)
            }
        };
        file.set_len(end)?;
        let (buffer, aligned) = (Vec::new(), 0);
        let mut appender = Self { path: path.to_owned(), file, is_direct, end, is_filled_up: false, buffer, aligned };
        appender.hold(&tail, 0);
        Ok(appender)
    }

    /// Where the content ends.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes are behind the first `end` of a file that are not what fills up the last block.
    pub(super) fn bytes_behind(file: &mut File, end: u64) -> io::Result<u64> {
        let behind = file.metadata()?.len().saturating_sub(end);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(end))?;
        file.take(BLOCK as u64).read_to_end(&mut bytes)?;
        let fills_up = behind < BLOCK as u64 && bytes.iter().all(|byte| *byte == 0);
        Ok(if fills_up { 0 } else { behind })
    }

    /// Makes what was appended durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Appends `parts`, one behind the other. After an error the end of the content is where it was, and anything may be behind it.
    pub(super) fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let more: usize = parts.iter().map(|part| part.len()).sum();
        let held = self.buffer.len() - self.aligned;
        if self.buffer.capacity() < self.aligned + (held + more).next_multiple_of(BLOCK) {
            let tail = self.buffer[self.aligned..].to_vec();
            self.hold(&tail, more);
        }
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        let content = self.buffer.len();
        self.buffer.resize(self.aligned + (content - self.aligned).next_multiple_of(BLOCK), 0);
        self.is_filled_up = true;
        let written = self.write(self.end - held as u64);
        if written.is_ok() {
            self.end += more as u64;
            let whole = (content - self.aligned) / BLOCK * BLOCK;
            self.buffer.truncate(content);
            self.buffer.drain(self.aligned..self.aligned + whole);
        } else {
            self.buffer.truncate(self.aligned + held);
        }
        written
    }

    /// Ends the file, and makes all of it durable.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.is_filled_up = false;
        self.file.set_len(self.end)?;
        self.file.sync_all()
    }

    /// Makes a buffer of `tail`, with room for `more` bytes.
    fn hold(&mut self, tail: &[u8], more: usize) {
        let mut buffer: Vec<u8> = Vec::with_capacity(2 * BLOCK + tail.len() + more);
        self.aligned = buffer.as_ptr().align_offset(BLOCK).min(BLOCK);
        buffer.resize(self.aligned, 0);
        buffer.extend_from_slice(tail);
        self.buffer = buffer;
    }

    fn write(&mut self, at: u64) -> io::Result<()> {
        let blocks = &self.buffer[self.aligned..];
        let written = write_at(&mut self.file, blocks, at);
        match &written {
            // A file system may let a file be opened like this and not be written.
            Err(error)
                if self.is_direct
                    && matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                tell_why(&self.path, error);
                (self.file, self.is_direct) = (open(&self.path, false)?, false);
                write_at(&mut self.file, blocks, at)
            }
            _ => written,
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        if self.is_filled_up
            && let Err(error) = self.file.set_len(self.end)
        {
            tracing::warn!(%error, "zeros stay at the end of {}, which do no harm", self.path.display());
        }
    }
}

fn tell_why(path: &Path, error: &io::Error) {
    tracing::info!(%error, "{} is written through the system's cache, which is slower: its file system wants it so", path.display());
}

fn write_at(file: &mut File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

fn open(path: &Path, is_direct: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if is_direct {
        direct(&mut options)?;
    }
    options.open(path)
}

#[cfg(target_os = "linux")]
fn direct(options: &mut OpenOptions) -> io::Result<()> {
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_DIRECT);
    Ok(())
}

/// Other systems have other ways, or none.
#[cfg(not(target_os = "linux"))]
fn direct(_: &mut OpenOptions) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};
    use std::fs;

    /// A file with this content.
    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), content).expect("writes");
        file
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_appended_follows_on_what_is_kept(
            begin in vec(any::<u8>(), 0..9_000), kept in 0.0..=1.0_f64,
            appended in vec(vec(vec(any::<u8>(), 0..6_000), 1..4), 0..6), is_direct: bool
        ) {
            let file = file(&begin);
            let end = (begin.len() as f64 * kept) as usize;
            let mut expected = begin[..end].to_vec();
            let mut appender = Appender::new(file.path(), end as u64).expect("opens");
            if !is_direct {
                (appender.file, appender.is_direct) = (open(file.path(), false).expect("opens"), false);
            }
            for parts in &appended {
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                appender.append(&parts).expect("appends");
                expected.extend(parts.concat());
                prop_assert_eq!(appender.end(), expected.len() as u64);
                // Whoever reads finds it at once, and nothing but zeros behind it.
                let read = fs::read(file.path()).expect("reads");
                prop_assert!(read.starts_with(&expected));
                let mut opened = File::open(file.path()).expect("opens");
                let behind = Appender::bytes_behind(&mut opened, appender.end()).expect("reads");
                prop_assert_eq!(behind, 0);
            }
            drop(appender);
            prop_assert!(fs::read(file.path()).expect("reads") == expected);
        }
    }

    #[test]
    fn what_could_not_be_written_does_not_count() {
        let file = file(b"begin");
        let mut appender = Appender::new(file.path(), 5).expect("opens");
        appender.append(&[b"one"]).expect("appends");
        let writes = std::mem::replace(&mut appender.file, File::open(file.path()).expect("opens"));
        assert!(appender.append(&[b"two"]).is_err(), "it is open to be read only");
        assert_eq!(appender.end(), 8);
        appender.file = writes;
        appender.append(&[b"three"]).expect("appends");
        appender.close().expect("closes");
        assert_eq!(fs::read(file.path()).expect("reads"), b"beginonethree");
    }

    #[test]
    fn a_file_that_lacks_its_end_is_not_appended_to() {
        for end in [6, BLOCK as u64] {
            let file = file(b"begin");
            assert!(Appender::new(file.path(), end).is_err());
            assert_eq!(fs::read(file.path()).expect("reads"), b"begin");
        }
    }

    #[test]
    fn what_fills_up_a_block_is_told_from_what_is_of_no_use() {
        let behind = |content: &[u8]| {
            let file = file(content);
            Appender::bytes_behind(&mut File::open(file.path()).expect("opens"), 2).expect("reads")
        };
        assert_eq!([behind(b"ab"), behind(b"ab\0\0\0"), behind(b"ab\0c")], [0, 0, 2]);
        assert_eq!(behind(&[0; 2 + BLOCK]), BLOCK as u64, "more than fills up a block");
    }
}
