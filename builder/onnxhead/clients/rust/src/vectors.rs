use std::iter;
use std::path::Path;

use serde::Deserialize;

use crate::bundle::read_document;
use crate::{Classifier, Error, Label, Report};

/// The conformance vectors of a bundle: rows with their exact answers and tolerances.
#[derive(Debug, Deserialize)]
pub struct Vectors {
    cases: Vec<Case>,
}

/// One batch, with one item per row in each of its columns.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub name: String,
    pub features: Vec<Vec<f32>>,
    pub logits: Vec<Vec<f64>>,
    pub probabilities: Vec<Vec<f64>>,
    pub labels: Vec<Option<Expected>>,
    pub logits_tolerance: Vec<Vec<f64>>,
    pub probabilities_tolerance: Vec<f64>,
}

/// The label of a row, or for the link sigmoid its labels.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expected {
    Several(Vec<Label>),
    One(Label),
}

impl Vectors {
    /// Reads the vectors of the bundle in a folder.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`], [`Error::Malformed`], [`Error::Format`]: `vectors.json` is not as it was shipped.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let path = folder.as_ref().join("vectors.json");
        let vectors: Self = read_document(&path)?;
        if vectors.cases.is_empty() {
            return Err(Error::malformed(&path, "it has no cases"));
        }
        match vectors.cases.iter().find(|case| !case.is_whole()) {
            None => Ok(vectors),
            Some(Case { name, .. }) => {
                let problem = format!("the case {name} lacks an answer or a tolerance");
                Err(Error::malformed(&path, problem))
            }
        }
    }

    /// Holds a classifier to every case, as one batch and with its first row alone.
    #[must_use]
    pub fn check(&self, classifier: &Classifier) -> Report {
        Report::new(&self.cases, classifier)
    }
}

impl Case {
    /// Whether there is an answer for every row, and a tolerance for every logit.
    fn is_whole(&self) -> bool {
        let columns = [
            self.logits.len(),
            self.probabilities.len(),
            self.labels.len(),
            self.logits_tolerance.len(),
            self.probabilities_tolerance.len(),
        ];
        columns.iter().all(|&rows| rows == self.features.len())
            && iter::zip(&self.logits, &self.logits_tolerance)
                .all(|(logits, tolerances)| logits.len() == tolerances.len())
    }
}
