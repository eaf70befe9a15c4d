//! Compares the answers of a bundle's model with its vectors: `check [--time] [BUNDLE]`.

use std::error::Error as _;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, iter};

use onnxhead_client::{Classifier, Error, Vectors};

const WARMUP: usize = 200;
const CALLS: usize = 2000;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).peekable();
    let is_timed = arguments.next_if(|argument| argument == "--time").is_some();
    let folder = arguments.next().unwrap_or_else(|| "bundle".into());
    if is_option(&folder) || arguments.next().is_some() {
        eprintln!("usage: check [--time] [BUNDLE]");
        return ExitCode::from(2);
    }
    let run = if is_timed { time } else { check };
    run(folder.as_ref()).unwrap_or_else(|error| {
        eprintln!("{}", with_causes(&error));
        ExitCode::from(2)
    })
}

fn is_option(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().starts_with(b"-")
}

fn check(folder: &Path) -> Result<ExitCode, Error> {
    let classifier = Classifier::load(folder)?;
    let report = Vectors::read(folder)?.check(&classifier);
    println!("{report}");
    Ok(if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints the median time of a call that classifies one row.
fn time(folder: &Path) -> Result<ExitCode, Error> {
    let classifier = Classifier::load(folder)?;
    let row = vec![0.5; classifier.features()];
    let call = || -> Result<Duration, Error> {
        let start = Instant::now();
        classifier.classify(&row)?;
        Ok(start.elapsed())
    };
    let mut durations = iter::repeat_with(call)
        .take(WARMUP + CALLS)
        .skip(WARMUP)
        .collect::<Result<Vec<_>, _>>()?;
    durations.sort_unstable();
    println!(
        "one row: {:.2} us",
        durations[CALLS / 2].as_secs_f64() * 1e6
    );
    Ok(ExitCode::SUCCESS)
}

/// The message of an error, with those of what caused it.
fn with_causes(error: &Error) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |message, cause| {
        format!("{message}: {cause}")
    })
}
