package onnxhead.client

import scala.collection.immutable.ArraySeq

/** The answer for one row.
  *
  * @param logits
  *   one per class
  * @param probabilities
  *   one per class
  * @param labels
  *   one per class
  */
final case class Prediction(logits: ArraySeq[Float], probabilities: ArraySeq[Float], labels: IndexedSeq[Label]) {

  /** The label with the largest logit, the first of equal ones; none where a probability is NaN. */
  def label: Option[Label] =
    classes.reduceOption((largest, i) => if (logits(i) > logits(largest)) i else largest).map(labels)

  /** Returns the labels with a probability above a threshold, for heads whose labels are independent: 0.5 for
    * [[Link.Sigmoid]], unless you have measured a better one. They are in the order of the classes; none where a
    * probability is NaN.
    */
  def above(threshold: Double): Seq[Label] = classes.filter(probabilities(_) > threshold).map(labels)

  /** Returns the labels with the largest logits and their probabilities, the most probable first and the earlier class
    * first where logits are equal; none where a probability is NaN.
    *
    * @param k
    *   how many, at least 1; all labels where there are fewer
    * @throws IllegalArgumentException
    *   if k is less than 1
    */
  def top(k: Int): Seq[(Label, Float)] = {
    require(k >= 1, s"k must be at least 1, got $k")
    classes.sortWith(logits(_) > logits(_)).take(k).map(i => labels(i) -> probabilities(i))
  }

  private def classes: Range = if (probabilities.exists(_.isNaN)) 0 until 0 else logits.indices
}
