use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::{Error, Label};

/// The answer for one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    logits: Vec<f32>,
    probabilities: Vec<f32>,
    labels: Arc<[Label]>,
}

impl Prediction {
    pub(crate) fn new(logits: &[f32], probabilities: &[f32], labels: &Arc<[Label]>) -> Self {
        Self {
            logits: logits.to_vec(),
            probabilities: probabilities.to_vec(),
            labels: Arc::clone(labels),
        }
    }

    /// One logit per class, without the temperature.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// One probability per class.
    #[must_use]
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The label with the largest logit, the first of equal ones; none where a probability is NaN.
    #[must_use]
    pub fn label(&self) -> Option<&Label> {
        let first_largest = |best, class| {
            if self.logits[class] > self.logits[best] {
                class
            } else {
                best
            }
        };
        self.classes()
            .reduce(first_largest)
            .map(|class| &self.labels[class])
    }

    /// The labels with a probability above a threshold, in the order of the classes; none where a probability is NaN.
    ///
    /// For heads whose labels are independent ([`Link::Sigmoid`](crate::Link::Sigmoid)), with 0.5.
    #[must_use]
    pub fn above(&self, threshold: f32) -> Vec<&Label> {
        self.classes()
            .filter(|&class| self.probabilities[class] > threshold)
            .map(|class| &self.labels[class])
            .collect()
    }

    /// The `k` labels with the largest logits and their probabilities, largest first, the earlier class first where
    /// logits are equal: all of them where there are fewer, none where a probability is NaN.
    ///
    /// # Errors
    ///
    /// [`Error::Top`]: `k` is 0.
    pub fn top(&self, k: usize) -> Result<Vec<(&Label, f32)>, Error> {
        let last = k.checked_sub(1).ok_or(Error::Top)?;
        let mut classes: Vec<usize> = self.classes().collect();
        let largest_first = |&a: &usize, &b: &usize| {
            let by_logit = self.logits[b].partial_cmp(&self.logits[a]);
            by_logit.unwrap_or(Ordering::Equal).then(a.cmp(&b))
        };
        if k < classes.len() {
            classes.select_nth_unstable_by(last, largest_first);
            classes.truncate(k);
        }
        classes.sort_unstable_by(largest_first);
        Ok(classes
            .into_iter()
            .map(|class| (&self.labels[class], self.probabilities[class]))
            .collect())
    }

    /// The classes that can be chosen from: none where a probability is NaN.
    fn classes(&self) -> Range<usize> {
        let is_defined = !self
            .probabilities
            .iter()
            .any(|probability| probability.is_nan());
        0..if is_defined { self.labels.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(logits: &[f32], probabilities: &[f32]) -> Prediction {
        let labels = (0..).take(logits.len()).map(Label::Integer).collect();
        Prediction::new(logits, probabilities, &labels)
    }

    #[test]
    fn the_first_of_equal_logits_wins() {
        let tied = prediction(&[-0.0, 2.0, 0.0, 2.0], &[0.1, 0.4, 0.1, 0.4]);
        let [zero, one, two, three] = [0, 1, 2, 3].map(Label::Integer);
        assert_eq!(tied.label(), Some(&one));
        assert_eq!(
            tied.top(3).unwrap(),
            [(&one, 0.4), (&three, 0.4), (&zero, 0.1)]
        );
        assert_eq!(
            tied.top(9).unwrap(),
            [(&one, 0.4), (&three, 0.4), (&zero, 0.1), (&two, 0.1)]
        );
        assert_eq!(tied.above(0.1), [&one, &three]);
    }

    #[test]
    fn one_probability_that_is_nan_leaves_no_label() {
        let undefined = prediction(&[1.0, 2.0], &[0.5, f32::NAN]);
        assert_eq!(undefined.label(), None);
        assert_eq!(undefined.above(-1.0), Vec::<&Label>::new());
        assert_eq!(undefined.top(1).unwrap(), []);
        assert!(matches!(undefined.top(0), Err(Error::Top)));
    }
}
