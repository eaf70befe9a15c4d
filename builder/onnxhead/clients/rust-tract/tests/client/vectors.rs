//! The answers are those of the vectors, and others are noticed.

use onnxhead_client::{Error, Vectors};
use serde_json::{Value, json};

use crate::{bundle, classifier, copy_bundle, edit};

/// The vectors of a bundle whose `vectors.json` was changed in its first case.
fn changed(test: &str, change: impl FnOnce(&mut Value)) -> Result<Vectors, Error> {
    let copy = copy_bundle(test);
    edit(copy.join("vectors.json"), |vectors| {
        change(&mut vectors["cases"][0]);
    });
    Vectors::read(copy)
}

#[test]
fn every_vector_is_within_its_tolerance() {
    let report = Vectors::read(bundle()).unwrap().check(&classifier());
    assert!(report.passed(), "{report}");
    assert!(report.largest_error() <= 1.0, "{report}");
}

#[test]
fn another_logit_fails() {
    let vectors = changed("another_logit", |case| {
        let tolerance = case["logits_tolerance"][0][0].as_f64().unwrap();
        case["logits"][0][0] = json!(case["logits"][0][0].as_f64().unwrap() + 3.0 * tolerance);
    });
    let report = vectors.unwrap().check(&classifier());
    assert!(!report.passed());
    assert!(report.largest_error() > 1.0);
    assert!(
        report.to_string().contains(": logit of row 0, class 0 is "),
        "{report}"
    );
}

#[test]
fn another_probability_fails() {
    let vectors = changed("another_probability", |case| {
        case["probabilities"][0][0] = json!(case["probabilities"][0][0].as_f64().unwrap() + 0.5);
    });
    let report = vectors.unwrap().check(&classifier());
    assert!(
        report
            .to_string()
            .contains(": probability of row 0, class 0 is "),
        "{report}"
    );
}

#[test]
fn another_label_fails() {
    for another in [json!("another"), json!(["another"])] {
        let report = changed("another_label", |case| case["labels"][0] = another)
            .unwrap()
            .check(&classifier());
        assert!(
            report.to_string().contains(": label of row 0 is "),
            "{report}"
        );
    }
}

#[test]
fn a_label_that_is_not_certain_may_be_any() {
    let report = changed("any_label", |case| case["labels"][0] = Value::Null)
        .unwrap()
        .check(&classifier());
    assert!(report.passed(), "{report}");
}

#[test]
fn another_width_fails() {
    let report = changed("another_width", |case| {
        case["features"][0].as_array_mut().unwrap().push(json!(0.0));
    });
    let report = report.unwrap().check(&classifier());
    assert!(!report.passed());
}

#[test]
fn a_column_that_lacks_a_row_is_malformed() {
    for column in [
        "logits",
        "probabilities",
        "labels",
        "logits_tolerance",
        "probabilities_tolerance",
    ] {
        let vectors = changed("short_column", |case| case[column] = json!([]));
        assert!(matches!(vectors, Err(Error::Malformed { .. })), "{column}");
    }
    let vectors = changed("short_row", |case| case["logits_tolerance"][0] = json!([]));
    assert!(matches!(vectors, Err(Error::Malformed { .. })));
}
