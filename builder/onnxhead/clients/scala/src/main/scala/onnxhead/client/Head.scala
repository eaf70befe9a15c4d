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
    model: String,
    sha256: Map[String, String],
    inputs: Seq[String],
    outputs: Seq[String],
    features: Int,
    classes: Int,
    labels: Vector[Label],
    link: Link
) {

  /** What contradicts the rest, if anything does. */
  def contradiction: Option[String] = Seq(
    !sha256.contains(model) -> s"it states the hashes of [${sha256.keys.mkString(", ")}], and none of $model",
    (inputs.sizeIs != 1) -> s"it states ${inputs.size} inputs, not one",
    (outputs.sizeIs != 2) -> s"it states ${outputs.size} outputs, not two",
    (features < 1) -> s"it states $features features",
    (labels.isEmpty || labels.sizeIs != classes) -> s"it states ${labels.size} labels for $classes classes"
  ).collectFirst { case (true, contradiction) => contradiction }

  def input: String = inputs(0)
  def logits: String = outputs(0)
  def probabilities: String = outputs(1)
}

private[client] object Head {

  /** What is read before all else, since another format may state it otherwise. */
  private final case class Version(format: ujson.Value)

  private implicit val versionReader: Reader[Version] = macroR
  private implicit val reader: Reader[Head] = macroR

  /** Reads head.json, and holds the model's files to the hashes in it.
    *
    * @throws BundleException
    *   if it is missing or malformed, or a file is not the one that was shipped
    */
  def read(folder: Path): Head = {
    val file = folder.resolve("head.json")
    if (!Files.exists(file))
      throw new BundleException(
        s"a bundle must have a head.json, $folder has none: name the bundle's folder, or copy the bundle again, as a " +
          "whole"
      )
    checkFormat(folder, Json.readFile[Version](file))
    val head = Json.readFile[Head](file)
    head.contradiction.foreach(reason => throw BundleException.malformed(file, reason))
    head.sha256.foreach { case (name, stated) => checkHash(folder.resolve(name), stated) }
    head
  }

  private def checkFormat(folder: Path, version: Version): Unit =
    if (version.format != ujson.Str("1"))
      throw new BundleException(
        s"this client reads bundles of format 1, $folder states ${version.format}: ship it again with the onnxhead that this " +
          "client came with"
      )

  private def checkHash(file: Path, stated: String): Unit = {
    val found =
      try sha256(file)
      catch {
        case cause: IOException => throw BundleException.unreadable(file, cause)
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
