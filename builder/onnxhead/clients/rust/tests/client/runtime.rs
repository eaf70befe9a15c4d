//! onnxruntime is found, is one for all, and sends nothing.

use std::fs;
use std::process::Command;

use onnxhead_client::environment;
use ort::session::Session;

use crate::{bundle, classifier, empty_folder};

#[test]
fn a_program_runs_its_other_models_in_the_same_environment() {
    let classifier = classifier();
    let model = bundle().join("model.onnx");
    let other = Session::builder(&environment().unwrap())
        .unwrap()
        .commit_from_file(model)
        .unwrap();
    assert_eq!(other.inputs().len(), 1);
    assert!(
        classifier
            .classify(&vec![0.0; classifier.features()])
            .is_ok()
    );
}

#[test]
fn a_missing_library_is_named_and_how_to_state_another() {
    let mut check = Command::new(env!("CARGO_BIN_EXE_check"));
    let output = check
        .arg(bundle())
        .env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")
        .output()
        .unwrap();
    let message = str::from_utf8(&output.stderr).unwrap();
    assert!(
        message.contains("set ORT_DYLIB_PATH") && message.contains("/nowhere/libonnxruntime.so"),
        "{message}"
    );
    assert_eq!(output.status.code(), Some(2));
}

/// Where it sends usage data, onnxruntime writes the identity of the device to the user's folder.
#[cfg(target_os = "linux")]
#[test]
fn no_usage_data_are_sent() {
    let home = empty_folder("home");
    let mut check = Command::new(env!("CARGO_BIN_EXE_check"));
    for variable in ["CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"] {
        check.env_remove(variable);
    }
    assert!(
        check
            .arg(bundle())
            .env("HOME", &home)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(fs::read_dir(home).unwrap().count(), 0);
}
