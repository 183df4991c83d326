//! Running all cases of an archive.

use super::{
    archive::each_json,
    block::Beginning,
    case::{Case, StateTest},
    judge::{Judged, Outcome, Wrong, judge},
};
use ocelli_core::params::Fork;
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Mutex, mpsc},
    thread,
};

/// Files that are read before there is anyone to run them.
const FILES_AHEAD: usize = 8;

/// How the cases of an archive ended.
#[derive(Debug, Default)]
pub struct Tally {
    /// Cases that ended well, by how.
    pub ended: BTreeMap<Outcome, usize>,
    /// Cases of forks before Cancun, which rows do not run under.
    pub older: usize,
    /// What is wrong, by case.
    pub failed: BTreeMap<String, Wrong>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.older += other.older;
        self.failed.extend(other.failed);
        for (how, count) in other.ended {
            *self.ended.entry(how).or_default() += count;
        }
    }
}

/// Runs every case of the archive at `path`, on as many threads as there are cores.
///
/// # Errors
/// If the archive cannot be read.
pub fn run_archive(path: &Path) -> io::Result<Tally> {
    let (files, waiting) = mpsc::sync_channel::<(String, String)>(FILES_AHEAD);
    let (waiting, tally) = (Mutex::new(waiting), Mutex::new(Tally::default()));
    let work = || {
        let mut own = Tally::default();
        let next = || waiting.lock().expect("nobody panics while holding it").recv();
        while let Ok((file, text)) = next() {
            own.add(run_file(&file, &text));
        }
        tally.lock().expect("nobody panics while holding it").add(own);
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
        let read = each_json(path, |file, text| files.send((file, text)).expect("the threads wait for it"));
        // Which lets the threads end.
        drop(files);
        read
    })?;
    Ok(tally.into_inner().expect("nobody panics while holding it"))
}

fn run_file(file: &str, text: &str) -> Tally {
    let mut tally = Tally::default();
    let older = each_case(
        file,
        text,
        || true,
        |name, case| match case {
            Ok(Judged { outcome: Ok(outcome), .. }) => *tally.ended.entry(outcome).or_default() += 1,
            Ok(Judged { outcome: Err(wrong), .. }) | Err(wrong) => drop(tally.failed.insert(name, wrong)),
        },
    );
    tally.older = older;
    tally
}

/// Hands each case of a file that `choose` takes, which is asked for one after the other, to `each`: judged, under a name that is
/// the case's alone. Says how many cases are of older forks.
pub fn each_case(
    file: &str,
    text: &str,
    mut choose: impl FnMut() -> bool,
    mut each: impl FnMut(String, Result<Judged, Wrong>),
) -> usize {
    let tests = match StateTest::parse(text) {
        Ok(tests) => tests,
        Err(error) => {
            each(file.into(), Err(Wrong::File(error.to_string())));
            return 0;
        }
    };
    for (test_name, test) in &tests {
        for fork in [Fork::Cancun, Fork::Prague, Fork::Osaka] {
            let cases: Vec<Case<'_>> = test.cases().filter(|case| case.fork == fork && choose()).collect();
            let Some(first) = cases.first() else { continue };
            let name = |case: &Case<'_>| format!("{file}: {test_name}: {}", case.name());
            match Beginning::new(test, fork) {
                None => each(name(first), Err(Wrong::Environment)),
                Some(beginning) => {
                    for case in &cases {
                        each(name(case), Ok(judge(file, case, &beginning)));
                    }
                }
            }
        }
    }
    tests.values().map(StateTest::older_cases).sum()
}
