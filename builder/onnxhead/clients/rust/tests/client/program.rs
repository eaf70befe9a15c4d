//! The program `check`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::{bundle, copy_bundle, edit, empty_folder};

fn check(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_check"))
        .args(arguments)
        .arg(folder)
        .output()
        .unwrap()
}

fn lines(output: &Output) -> Vec<&str> {
    str::from_utf8(&output.stdout).unwrap().lines().collect()
}

#[test]
fn a_bundle_that_passes_exits_with_0() {
    let output = check(&[], &bundle());
    let [largest, count] = lines(&output)[..] else {
        panic!("{output:?}")
    };
    assert!(
        largest.starts_with("largest error: 0.") && largest.ends_with(" of its tolerance"),
        "{largest}"
    );
    assert!(count.ends_with(" passed, 0 failed"), "{count}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_case_that_fails_exits_with_1() {
    let copy = copy_bundle("failing_case");
    edit(copy.join("vectors.json"), |vectors| {
        vectors["cases"][0]["logits"][0][0] = json!(1e9);
    });
    let output = check(&[], &copy);
    let [failure, _, count] = lines(&output)[..] else {
        panic!("{output:?}")
    };
    assert!(failure.starts_with("FAILED "), "{failure}");
    assert!(count.ends_with(" passed, 1 failed"), "{count}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn no_bundle_exits_with_2() {
    let output = check(&[], &empty_folder("nothing_to_check"));
    let message = str::from_utf8(&output.stderr).unwrap();
    assert!(
        message.starts_with("a bundle must have a head.json, "),
        "{message}"
    );
    assert!(output.stdout.is_empty());
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_not_known_exits_with_2_and_the_usage() {
    for unknown in ["--tim", "--help", "another"] {
        let output = check(&[unknown], &bundle());
        assert_eq!(output.stderr, b"usage: check [--time] [BUNDLE]\n");
        assert!(output.stdout.is_empty());
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn time_prints_the_time_of_a_row() {
    let output = check(&["--time"], &bundle());
    let [line] = lines(&output)[..] else {
        panic!("{output:?}")
    };
    let time = line
        .strip_prefix("one row: ")
        .and_then(|rest| rest.strip_suffix(" us"))
        .unwrap();
    assert!(time.parse::<f64>().unwrap() > 0.0);
}
