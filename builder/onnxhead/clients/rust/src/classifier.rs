use std::path::Path;
use std::sync::Arc;

use crate::bundle::Head;
use crate::model::Model;
use crate::{Error, Label, Link, Prediction, Rows};

/// A head that is loaded. Several threads may call it at once.
#[derive(Debug)]
pub struct Classifier {
    model: Model,
    features: usize,
    labels: Arc<[Label]>,
    link: Link,
}

impl Classifier {
    /// Loads the bundle in a folder.
    ///
    /// # Errors
    ///
    /// The folder is no bundle, or its files are not those that were shipped; or the runtime cannot be started.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let head = Head::read(folder)?;
        let model = Model::load(&folder.join(&head.model), &head)?;
        Ok(Self {
            model,
            features: head.features.get(),
            labels: head.labels.into(),
            link: head.link,
        })
    }

    /// How many features a row has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// One label per class.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// How logits become probabilities.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link
    }

    /// Answers one row of features.
    ///
    /// # Errors
    ///
    /// [`Error::Width`]: the row has more or fewer features than the head.
    pub fn classify(&self, row: &[f32]) -> Result<Prediction, Error> {
        self.check_width(row.len())?;
        let row = Rows::new(row, row.len())?;
        self.model.run(row, |logits, probabilities| {
            Prediction::new(logits, probabilities, &self.labels)
        })
    }

    /// Answers a batch of rows, one prediction per row.
    ///
    /// ```
    /// # use onnxhead_client::{Classifier, Error, Rows};
    /// let classifier = Classifier::load("bundle")?;
    /// let values = vec![0.5; 2 * classifier.features()];
    /// let predictions = classifier.classify_batch(Rows::new(&values, classifier.features())?)?;
    /// assert_eq!(predictions.len(), 2);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Width`]: the rows have more or fewer features than the head.
    pub fn classify_batch<'a>(&self, rows: impl Into<Rows<'a>>) -> Result<Vec<Prediction>, Error> {
        let rows = rows.into();
        self.check_width(rows.width())?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.model.run(rows, |logits, probabilities| {
            let classes = self.labels.len();
            let rows = logits
                .chunks_exact(classes)
                .zip(probabilities.chunks_exact(classes));
            rows.map(|(logits, probabilities)| Prediction::new(logits, probabilities, &self.labels))
                .collect()
        })
    }

    fn check_width(&self, given: usize) -> Result<(), Error> {
        let expected = self.features;
        if given == expected {
            Ok(())
        } else {
            Err(Error::Width { expected, given })
        }
    }
}
