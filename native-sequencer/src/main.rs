//! The `ocelli` binary.

use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
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
