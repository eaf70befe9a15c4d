package onnxhead.client

import java.nio.file.Path
import upickle.default.{macroR, Reader}
import upickle.implicits.key

/** One batch with its exact answers, an element for each row of features.
  *
  * @param name
  *   what is special about its rows
  * @param labels
  *   one unless the link is sigmoid; none where any may be right
  */
private[client] final case class Case(
    name: String,
    features: Seq[Array[Float]],
    logits: Seq[Seq[Double]],
    probabilities: Seq[Seq[Double]],
    labels: Seq[Option[Seq[Label]]],
    @key("logits_tolerance") logitsTolerance: Seq[Seq[Double]],
    @key("probabilities_tolerance") probabilitiesTolerance: Seq[Double]
) {

  /** Tells whether every row has all its features and answers. */
  def fits(classifier: Classifier): Boolean = {
    val answers = Seq(logits, probabilities, logitsTolerance)
    features.forall(_.length == classifier.features) &&
    answers.flatten.forall(_.sizeIs == classifier.labels.size) &&
    (answers ++ Seq(labels, probabilitiesTolerance)).forall(_.sizeIs == features.size)
  }
}

/** What vectors.json says. */
private[client] final case class Vectors(cases: Seq[Case])

private[client] object Vectors {
  private implicit val labels: Reader[Seq[Label]] = Json.oneOrMore
  private implicit val caseReader: Reader[Case] = macroR
  private implicit val reader: Reader[Vectors] = macroR

  /** Reads the vectors of a bundle.
    *
    * @throws BundleException
    *   if they are missing, malformed, or those of another head
    */
  def read(folder: Path, classifier: Classifier): Seq[Case] = {
    val file = folder.resolve("vectors.json")
    val cases = Json.readFile[Vectors](file).cases
    if (cases.isEmpty) throw BundleException.malformed(file, "it has no cases")
    if (!cases.forall(_.fits(classifier))) throw BundleException.malformed(file, "a case has rows of another width")
    cases
  }
}
