//! The `ocelli` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    match ocelli_sequencer::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // An error that asks for a status of its own has already said all there is to say.
            if let Some(status) = error.downcast_ref::<ocelli_sequencer::cli::Status>() {
                return ExitCode::from(status.0);
            }
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
