//! The `ocelli` binary.

mod processor;

use mimalloc::MiMalloc;
use std::{io::Write, process::ExitCode};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// mimalloc's option `mi_option_purge_delay`, by its place in `mi_option_t`: libmimalloc-sys has no name for it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    if !processor::is_enough() {
        // What formats words is compiled for that processor, too.
        let _ = std::io::stderr().write_all(processor::LACKING.as_bytes());
        return ExitCode::FAILURE;
    }
    keep_memory();
    match ocelli_sequencer::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // An error that asks for a status of its own has already said all there is to say.
            if let Some(status) = error.downcast_ref::<ocelli_sequencer::cli::Status>() {
                return ExitCode::from(status.0);
            }
            eprintln!("error: {}", words(&error));
            ExitCode::FAILURE
        }
    }
}

/// Has free memory stay with the process. Every block needs as much as the last one; where its pages are given back and taken
/// again, the kernel clears them each time, which on some virtual machines takes longer than making the block.
fn keep_memory() {
    // SAFETY: it sets a number in mimalloc's table of options, and may be called at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}

/// An error and what caused it, each once: many say their cause themselves.
fn words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_cause_is_told_once() {
        let cause = anyhow::anyhow!("no such file");
        assert_eq!(
            words(&cause.context("reading a: no such file").context("starting")),
            "starting: reading a: no such file"
        );
        assert_eq!(words(&anyhow::anyhow!("no such file").context("reading a")), "reading a: no such file");
    }
}
