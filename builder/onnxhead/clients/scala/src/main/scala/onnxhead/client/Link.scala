package onnxhead.client

/** How logits become probabilities. */
sealed trait Link extends Product with Serializable

object Link {

  /** The classes exclude each other; the probabilities of a row add up to 1. */
  case object Softmax extends Link

  /** The labels are independent; see [[Prediction.above]]. */
  case object Sigmoid extends Link

  /** One classifier per class against the rest, normalised to add up to 1. */
  case object Ovr extends Link
}
