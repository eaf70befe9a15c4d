//! Rows, batches and what is asked of a prediction.

use std::thread;

use onnxhead_client::{Classifier, Error, Label, Rows};

use crate::classifier;

/// A row that differs from feature to feature.
fn row(classifier: &Classifier) -> Vec<f32> {
    (0_u8..7)
        .cycle()
        .take(classifier.features())
        .map(|step| f32::from(step) / 4.0 - 0.5)
        .collect()
}

#[test]
fn no_rows_have_no_answers() {
    let classifier = classifier();
    let none = Rows::new(&[], classifier.features()).unwrap();
    assert_eq!(classifier.classify_batch(none).unwrap(), []);
}

#[test]
fn a_batch_is_answered_row_by_row() {
    let classifier = classifier();
    let first = row(&classifier);
    let second: Vec<f32> = first.iter().map(|feature| -feature).collect();
    let values = [first, second].concat();
    let predictions = classifier
        .classify_batch(Rows::new(&values, classifier.features()).unwrap())
        .unwrap();
    assert_eq!(predictions.len(), 2);
    for (prediction, row) in predictions.iter().zip(values.chunks(classifier.features())) {
        assert_eq!(
            prediction.label(),
            classifier.classify(row).unwrap().label()
        );
    }
}

#[test]
fn the_top_labels_are_in_order() {
    let classifier = classifier();
    let prediction = classifier.classify(&row(&classifier)).unwrap();
    let classes = classifier.labels().len();
    let top = prediction.top(classes + 1).unwrap();
    assert_eq!(top.len(), classes);
    assert!(
        classifier
            .labels()
            .iter()
            .all(|label| top.iter().any(|(chosen, _)| *chosen == label))
    );
    assert!(top.is_sorted_by(|(_, before), (_, after)| before >= after));
    assert_eq!(prediction.label(), Some(top[0].0));
    assert_eq!(prediction.top(1).unwrap(), top[..1]);
    assert_eq!(
        prediction.top(0).unwrap_err().to_string(),
        "k must be at least 1, got 0"
    );
}

#[test]
fn labels_above_a_threshold_are_in_the_order_of_the_classes() {
    let classifier = classifier();
    let prediction = classifier.classify(&row(&classifier)).unwrap();
    assert!(prediction.above(-1.0).into_iter().eq(classifier.labels()));
    assert_eq!(prediction.above(1.0), Vec::<&Label>::new());
}

#[test]
fn a_row_with_nan_has_no_label_and_others_have() {
    let classifier = classifier();
    let mut values = vec![0.0; 2 * classifier.features()];
    values[0] = f32::NAN;
    let predictions = classifier
        .classify_batch(Rows::new(&values, classifier.features()).unwrap())
        .unwrap();
    let [undefined, defined] = &predictions[..] else {
        panic!("two rows have two answers")
    };
    assert_eq!(undefined.label(), None);
    assert_eq!(undefined.above(-1.0), Vec::<&Label>::new());
    assert_eq!(undefined.top(3).unwrap(), []);
    assert!(defined.label().is_some());
}

#[test]
fn another_width_is_refused() {
    let classifier = classifier();
    let features = classifier.features();
    let wide = vec![0.0; features + 1];
    let message = format!(
        "a row must have {features} features, got {}: pass those that the head was trained on, in their order",
        features + 1
    );
    assert_eq!(classifier.classify(&wide).unwrap_err().to_string(), message);
    assert_eq!(
        classifier
            .classify_batch(Rows::new(&wide, features + 1).unwrap())
            .unwrap_err()
            .to_string(),
        message
    );
    assert!(matches!(
        classifier.classify(&[]),
        Err(Error::Width { given: 0, .. })
    ));
}

#[test]
fn values_that_are_no_whole_rows_are_refused() {
    let error = Rows::new(&[0.0; 7], 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rows of 3 features must be whole, got 7 values: pass 3 for each row"
    );
    assert!(matches!(Rows::new(&[0.0], 0), Err(Error::Ragged { .. })));
}

#[test]
fn several_threads_get_the_same_answers() {
    let classifier = classifier();
    let row = row(&classifier);
    let alone = classifier.classify(&row).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    assert_eq!(classifier.classify(&row).unwrap(), alone);
                }
            });
        }
    });
}
