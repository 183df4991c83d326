//! Writes the transcript of a sample of Ethereum's state tests, which `tests/verdicts` replays: one case of [`STRIDE`], in the
//! order in which the archives have them, valid and not, if its row spends no more gas than a chain's rows may.

use ocelli_core::limits;
use ocelli_tests::{
    state_tests::{archive::each_json, run::each_case},
    transcript::Transcript,
    vectors,
};
use std::{
    error::Error,
    io::{self, Write},
};

const ARCHIVES: [&str; 2] = ["ethereum-tests-general-state.tar.xz", "eest-osaka.tar.xz"];
/// So that five hundred are left in the sample without those that spend more.
const STRIDE: usize = 34;
const CASES_AT_LEAST: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut transcript = Transcript::default();
    let (mut seen, mut taken, mut wrong) = (0_usize, 0, None);
    for archive in ARCHIVES {
        let Some(path) = vectors::find(archive) else { return Ok(()) };
        each_json(&path, |file, text| {
            let chosen = || {
                seen += 1;
                seen.is_multiple_of(STRIDE)
            };
            each_case(&file, &text, chosen, |name, case| match case {
                Ok(judged) if judged.outcome.is_ok() => {
                    if judged.block.assembled.header.gas_used <= limits::ROW_GAS {
                        transcript.add(&name, &judged.block);
                        taken += 1;
                    }
                }
                case => wrong = Some(format!("{name}: {:?}", case.map(|judged| judged.outcome))),
            });
        })?;
    }
    if let Some(wrong) = wrong {
        return Err(wrong.into());
    }
    if taken < CASES_AT_LEAST {
        return Err(format!("{taken} cases instead of {CASES_AT_LEAST}").into());
    }
    let path = transcript.write("state_tests")?;
    let (checks, bytes) = (transcript.checks(), path.metadata()?.len());
    writeln!(io::stdout(), "{}: {taken} cases, {checks} checks, {bytes} bytes", path.display())?;
    Ok(())
}
