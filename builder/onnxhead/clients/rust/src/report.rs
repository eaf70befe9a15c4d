use std::{fmt, iter};

use crate::vectors::{Case, Expected};
use crate::{Classifier, Error, Prediction, Rows};

/// How a classifier compares with the vectors of its bundle; displayed as `check` prints it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    cases: usize,
    failures: Vec<Failure>,
    largest_error: f64,
}

#[derive(Clone, Debug, PartialEq)]
struct Failure {
    case: String,
    reason: String,
}

impl Report {
    pub(crate) fn new(cases: &[Case], classifier: &Classifier) -> Self {
        let mut report = Self {
            cases: cases.len(),
            failures: Vec::new(),
            largest_error: 0.0,
        };
        for case in cases {
            let mut comparison = Comparison::default();
            if let Err(error) = comparison.run(case, classifier) {
                comparison.fail(|| error.to_string());
            }
            report.largest_error = larger(report.largest_error, comparison.largest_error);
            let failure = comparison.reason.map(|reason| Failure {
                case: case.name.clone(),
                reason,
            });
            report.failures.extend(failure);
        }
        report
    }

    /// Whether every case passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// The largest error of a logit or probability, as a fraction of its tolerance; NaN where an answer is NaN.
    #[must_use]
    pub fn largest_error(&self) -> f64 {
        self.largest_error
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Failure { case, reason } in &self.failures {
            writeln!(formatter, "FAILED {case}: {reason}")?;
        }
        writeln!(
            formatter,
            "largest error: {} of its tolerance",
            rounded(self.largest_error, 3)
        )?;
        let failed = self.failures.len();
        write!(formatter, "{} passed, {failed} failed", self.cases - failed)
    }
}

/// What was seen of a case so far.
#[derive(Default)]
struct Comparison {
    largest_error: f64,
    reason: Option<String>,
}

impl Comparison {
    /// Compares every row of a batch, and its first row alone.
    fn run(&mut self, case: &Case, classifier: &Classifier) -> Result<(), Error> {
        let values = case.features.concat();
        let predictions = classifier.classify_batch(Rows::new(&values, classifier.features())?)?;
        if predictions.len() != case.features.len() {
            self.fail(|| {
                format!(
                    "{} answers for {} rows",
                    predictions.len(),
                    case.features.len()
                )
            });
            return Ok(());
        }
        for (row, prediction) in predictions.iter().enumerate() {
            self.compare(case, row, prediction);
        }
        if let Some(first) = case.features.first() {
            self.compare(case, 0, &classifier.classify(first)?);
        }
        Ok(())
    }

    fn compare(&mut self, case: &Case, row: usize, prediction: &Prediction) {
        let tolerances = case.logits_tolerance[row].iter().copied();
        self.compare_values(
            "logit",
            row,
            prediction.logits(),
            &case.logits[row],
            tolerances,
        );
        let tolerances = iter::repeat(case.probabilities_tolerance[row]);
        self.compare_values(
            "probability",
            row,
            prediction.probabilities(),
            &case.probabilities[row],
            tolerances,
        );
        if let Some(expected) = &case.labels[row] {
            self.compare_label(row, prediction, expected);
        }
    }

    fn compare_values(
        &mut self,
        what: &str,
        row: usize,
        given: &[f32],
        expected: &[f64],
        tolerances: impl Iterator<Item = f64>,
    ) {
        if given.len() != expected.len() {
            self.fail(|| {
                format!(
                    "row {row} has {} classes, expected {}",
                    given.len(),
                    expected.len()
                )
            });
        }
        for (class, ((&given, &expected), tolerance)) in
            given.iter().zip(expected).zip(tolerances).enumerate()
        {
            let error = (f64::from(given) - expected).abs() / tolerance;
            self.largest_error = larger(self.largest_error, error);
            if error.is_nan() || error > 1.0 {
                self.fail(|| {
                    let [given, expected] = [f64::from(given), expected].map(|value| rounded(value, 6));
                    let tolerance = rounded(tolerance, 2);
                    format!("{what} of row {row}, class {class} is {given}, expected {expected} within {tolerance}")
                });
            }
        }
    }

    fn compare_label(&mut self, row: usize, prediction: &Prediction, expected: &Expected) {
        let (given, expected) = match expected {
            Expected::One(label) => (Vec::from_iter(prediction.label()), vec![label]),
            Expected::Several(labels) => (prediction.above(0.5), labels.iter().collect()),
        };
        if given != expected {
            self.fail(|| format!("label of row {row} is {given:?}, expected {expected:?}"));
        }
    }

    /// Keeps the reason that is found first.
    fn fail(&mut self, reason: impl FnOnce() -> String) {
        self.reason.get_or_insert_with(reason);
    }
}

/// The larger of two errors, of which NaN is the largest.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// A number with so many significant digits, and an exponent only where it would be long without.
fn rounded(value: f64, digits: usize) -> String {
    let scientific = format!("{value:.*e}", digits - 1);
    match scientific.parse::<f64>() {
        Ok(value) if value == 0.0 || (1e-4..1e6).contains(&value.abs()) => value.to_string(),
        _ => scientific.to_lowercase(), // also "nan" and "inf"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_significant_digits() {
        for (value, digits, text) in [
            (0.212_345, 3, "0.212"),
            (-999.123_45, 6, "-999.123"),
            (0.5, 3, "0.5"),
            (0.0, 3, "0"),
            (0.000_123_4, 2, "0.00012"),
            (3e-8, 3, "3.00e-8"),
            (12_345.6, 3, "12300"),
            (f64::NAN, 3, "nan"),
            (f64::INFINITY, 3, "inf"),
        ] {
            assert_eq!(rounded(value, digits), text);
        }
    }

    #[test]
    fn nan_is_the_largest_error() {
        assert_eq!(larger(1.0, 2.0).to_bits(), 2.0_f64.to_bits());
        assert!(larger(f64::NAN, f64::INFINITY).is_nan());
        assert!(larger(f64::INFINITY, f64::NAN).is_nan());
    }

    #[test]
    fn the_report_is_what_check_prints() {
        let failure = Failure {
            case: "ones".into(),
            reason: "logit of row 0, class 1 is 2, expected 1 within 0.1".into(),
        };
        let report = Report {
            cases: 8,
            failures: vec![failure],
            largest_error: 10.0,
        };
        assert!(!report.passed());
        assert_eq!(
            report.to_string(),
            "FAILED ones: logit of row 0, class 1 is 2, expected 1 within 0.1\n\
             largest error: 10 of its tolerance\n\
             7 passed, 1 failed"
        );
    }
}
