package onnxhead.client

import Json.{label, link}
import java.io.{IOException, OutputStream}
import java.nio.file.{Files, Path}
import java.security.{DigestInputStream, MessageDigest}
import java.util.HexFormat
import scala.util.Using
import upickle.default.{macroR, Reader}

/** What head.json says.
  *
  * @param model
  *   the name of the .onnx file
  * @param sha256
  *   the hash of the model and of each data file, by name
  * @param features
  *   how many features a row has
  * @param labels
  *   one per class
  */
private[client] final case class Head(
    format: String,
    model: String,
    sha256: Map[String, String],
    inputs: Seq[String],
    outputs: Seq[String],
    features: Int,
    classes: Int,
    labels: Vector[Label],
    link: Link
) {
  require(
    format == "1",
    s"this client reads bundles of format 1, this one states $format: ship it again with the onnxhead that this client " +
      "came with"
  )
  require(sha256.contains(model), s"it must state the hash of $model, it states those of ${sha256.keys.mkString(", ")}")
  require(
    inputs.sizeIs == 1 && outputs.sizeIs == 2,
    s"it must state one input and two outputs, it states $inputs and $outputs"
  )
  require(
    features > 0 && classes > 0 && labels.sizeIs == classes,
    s"it must state features, classes and a label for each class, it states $features features, $classes classes and " +
      s"${labels.size} labels"
  )

  def input: String = inputs(0)
  def logits: String = outputs(0)
  def probabilities: String = outputs(1)
}

private[client] object Head {

  private implicit val reader: Reader[Head] = macroR

  /** Reads head.json, and holds the model's files to the hashes in it.
    *
    * @throws BundleException
    *   if it is missing or malformed, or a file is not the one that was shipped
    */
  def read(folder: Path): Head = {
    val head = Json.readFile[Head](folder.resolve("head.json"))
    head.sha256.foreach { case (name, stated) => checkHash(folder.resolve(name), stated) }
    head
  }

  private def checkHash(file: Path, stated: String): Unit = {
    val found =
      try sha256(file)
      catch {
        case cause: IOException =>
          throw new BundleException(s"a bundle must hold $file, it cannot be read: $cause", cause)
      }
    if (found != stated)
      throw new BundleException(
        s"${file.getFileName} must be the file that was shipped, its SHA-256 is $found and head.json states $stated: " +
          "copy the bundle again, as a whole"
      )
  }

  private def sha256(file: Path): String = {
    val digest = MessageDigest.getInstance("SHA-256")
    Using.resource(new DigestInputStream(Files.newInputStream(file), digest))(
      _.transferTo(OutputStream.nullOutputStream())
    )
    HexFormat.of().formatHex(digest.digest())
  }
}
