package onnxhead.client

import java.io.IOException
import java.nio.file.{Files, Path}
import scala.util.control.NonFatal
import upickle.core.ArrVisitor
import upickle.default.{read, Reader, SimpleReader}

/** Reads the JSON of a bundle. */
private[client] object Json {

  implicit val label: Reader[Label] = new LabelReader(identity)

  /** An array of labels, or a single one. */
  val oneOrMore: Reader[Seq[Label]] = new LabelReader(Seq(_)) {
    override def visitArray(length: Int, index: Int): ArrVisitor[Any, Seq[Label]] =
      implicitly[Reader[Seq[Label]]].visitArray(length, index)
  }

  implicit val link: Reader[Link] = implicitly[Reader[String]].map {
    case "softmax" => Link.Softmax
    case "sigmoid" => Link.Sigmoid
    case "ovr"     => Link.Ovr
    case other     => throw new IllegalArgumentException(s"link must be softmax, sigmoid or ovr, got $other")
  }

  /** Reads a file of a bundle.
    *
    * @throws BundleException
    *   if it is missing or malformed
    */
  def readFile[T: Reader](file: Path): T =
    try read[T](Files.readAllBytes(file))
    catch {
      case cause: IOException => throw BundleException.unreadable(file, cause)
      case NonFatal(cause)    => throw BundleException.malformed(file, cause.getMessage, cause)
    }

  /** Reads an array of labels. */
  def labels(text: String): Seq[Label] = read[Seq[Label]](text)

  /** Shows labels in one line. */
  def show(labels: Seq[Label]): String = labels
    .map {
      case Label.Text(text) => ujson.Str(text).render()
      case other            => other.value.toString
    }
    .mkString("[", ", ", "]")

  private class LabelReader[T](wrap: Label => T) extends SimpleReader[T] {
    override def expectedMsg: String = "expected a label"
    override def visitString(text: CharSequence, index: Int): T = wrap(Label.Text(text.toString))
    override def visitTrue(index: Int): T = wrap(Label.Flag(true))
    override def visitFalse(index: Int): T = wrap(Label.Flag(false))
    override def visitFloat64StringParts(number: CharSequence, decIndex: Int, expIndex: Int, index: Int): T =
      if (decIndex < 0 && expIndex < 0) wrap(Label.Whole(number.toString.toLong))
      else wrap(Label.Decimal(number.toString.toDouble))
  }
}
