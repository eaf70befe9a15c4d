//! What is no bundle, or is not as it was shipped, is refused.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use onnxhead_client::{Classifier, Error};
use serde_json::{Value, json};

use crate::{bundle, copy_bundle, edit, empty_folder, read_json};

/// The error of a bundle whose `head.json` was changed.
fn refusal(test: &str, change: impl FnOnce(&mut Value)) -> Error {
    let copy = copy_bundle(test);
    edit(copy.join("head.json"), change);
    Classifier::load(copy).unwrap_err()
}

#[test]
fn what_head_json_states_is_there_to_be_used() {
    let head = read_json(bundle().join("head.json"));
    let classifier = crate::classifier();
    assert_eq!(head["features"], classifier.features());
    assert_eq!(head["classes"], classifier.labels().len());
    assert_eq!(
        head["link"],
        format!("{:?}", classifier.link()).to_lowercase()
    );
}

#[test]
fn a_folder_without_a_bundle_is_refused() {
    let error = Classifier::load(empty_folder("no_bundle")).unwrap_err();
    assert!(
        matches!(&error, Error::NoHead { folder } if folder.ends_with("no_bundle")),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("no_bundle has none: name the bundle's folder"),
        "{error}"
    );
}

#[test]
fn a_changed_file_is_refused() {
    let files = read_json(bundle().join("head.json"))["sha256"]
        .as_object()
        .unwrap()
        .clone();
    for name in files.keys() {
        let copy = copy_bundle("changed_file");
        append(&copy.join(name), b"\0");
        let error = Classifier::load(copy).unwrap_err();
        assert!(
            matches!(&error, Error::Changed { path, .. } if path.ends_with(name)),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("must be the file that was shipped, its SHA-256 is"),
            "{error}"
        );
    }
}

#[test]
fn a_missing_file_is_refused() {
    let error = refusal("missing_file", |head| {
        head["sha256"]["missing.data"] = json!("");
    });
    assert!(
        matches!(&error, Error::Unreadable { path, .. } if path.ends_with("missing.data")),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_model_without_a_hash_is_refused() {
    let error = refusal("no_hash", |head| head["sha256"] = json!({}));
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[test]
fn another_format_is_refused() {
    let error = refusal("another_format", |head| *head = json!({"format": "2"}));
    assert!(
        matches!(&error, Error::Format { format, .. } if format == "2"),
        "{error}"
    );
}

#[test]
fn what_is_malformed_is_refused() {
    for (test, key, value) in [
        ("no_format", "format", json!(1)),
        ("no_model", "model", json!(3)),
        ("no_features", "features", json!(0)),
        ("two_inputs", "inputs", json!(["features", "more"])),
        ("other_classes", "classes", json!(0)),
        ("no_label", "labels", json!([null])),
        ("another_link", "link", json!("cauchit")),
    ] {
        let error = refusal(test, |head| head[key] = value);
        assert!(matches!(error, Error::Malformed { .. }), "{test}: {error}");
    }
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let copy = copy_bundle("no_onnx");
    fs::write(copy.join("model.onnx"), b"no model").unwrap();
    // SHA-256 of "no model"
    let hash = "f62c7d17e241fe5c5c0c64d2e32ab6e3bd10547a9c02977cc126acc0fe6e6554";
    edit(copy.join("head.json"), |head| {
        head["sha256"]["model.onnx"] = json!(hash);
    });
    let error = Classifier::load(copy).unwrap_err();
    assert!(matches!(error, Error::Model { .. }), "{error}");
}

#[test]
fn other_inputs_and_outputs_are_refused() {
    let other_features = crate::classifier().features() + 1;
    for (test, key, value) in [
        ("other_features", "features", json!(other_features)),
        ("other_input", "inputs", json!(["rows"])),
        (
            "other_outputs",
            "outputs",
            json!(["probabilities", "logits"]),
        ),
    ] {
        let error = refusal(test, |head| head[key] = value);
        assert!(matches!(error, Error::Signature { .. }), "{test}: {error}");
    }
    let error = refusal("one_class_more", |head| {
        head["classes"] = json!(head["classes"].as_u64().unwrap() + 1);
        head["labels"]
            .as_array_mut()
            .unwrap()
            .push(json!("another"));
    });
    assert!(matches!(error, Error::Signature { .. }), "{error}");
}

#[test]
fn other_labels_are_refused() {
    let error = refusal("other_labels", |head| {
        let labels = head["labels"].as_array_mut().unwrap();
        labels.remove(0);
        labels.push(json!("another"));
    });
    assert!(matches!(error, Error::Labels { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("the labels in head.json must be those in the model"),
        "{error}"
    );
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new()
        .append(true)
        .open(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}
