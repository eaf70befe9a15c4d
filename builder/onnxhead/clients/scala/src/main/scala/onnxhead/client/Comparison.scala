package onnxhead.client

import java.util.Locale

/** The answers for one case, held to the exact ones.
  *
  * @param problem
  *   the first thing that is wrong
  * @param largestError
  *   as a fraction of its tolerance, NaN where an answer is
  */
private[client] final case class Comparison(name: String, problem: Option[String], largestError: Double)

private[client] object Comparison {
  private final case class Finding(error: Double, problem: Option[String])

  /** Runs a case as one batch, and its first row alone. */
  def of(classifier: Classifier, exact: Case): Comparison = {
    val predictions = classifier.classifyBatch(exact.features)
    val findings =
      if (predictions.sizeIs == exact.features.size) {
        val alone = exact.features.headOption.map(classifier.classify(_) -> 0)
        (predictions.zipWithIndex ++ alone).flatMap { case (prediction, row) =>
          compareNumbers(prediction, exact, row) :+ compareLabels(prediction, exact, row, classifier.link)
        }
      } else Seq(Finding(0, Some(s"${predictions.size} answers for ${exact.features.size} rows")))
    Comparison(exact.name, findings.flatMap(_.problem).headOption, findings.map(_.error).foldLeft(0.0)(math.max))
  }

  private def compareNumbers(prediction: Prediction, exact: Case, row: Int): Seq[Finding] =
    prediction.labels.indices.map { i =>
      val tolerance = exact.logitsTolerance(row)(i)
      compare(s"logit of row $row, class $i", prediction.logits(i), exact.logits(row)(i), tolerance)
    } ++ prediction.labels.indices.map { i =>
      val tolerance = exact.probabilitiesTolerance(row)
      compare(s"probability of row $row, class $i", prediction.probabilities(i), exact.probabilities(row)(i), tolerance)
    }

  private def compare(what: String, found: Float, exact: Double, tolerance: Double): Finding = {
    val error = math.abs(found - exact) / tolerance
    def problem = "%s is %.6g, expected %.6g within %.2g".formatLocal(Locale.ROOT, what, found, exact, tolerance)
    Finding(error, Option.unless(error <= 1)(problem)) // also where it is NaN
  }

  private def compareLabels(prediction: Prediction, exact: Case, row: Int, link: Link): Finding = {
    val found = if (link == Link.Sigmoid) prediction.above(0.5) else prediction.label.toSeq
    val problem = exact.labels(row).filter(_ != found).map { labels =>
      s"label of row $row is ${Json.show(found)}, expected ${Json.show(labels)}"
    }
    Finding(0, problem)
  }
}
