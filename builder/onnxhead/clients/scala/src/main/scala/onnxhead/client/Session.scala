package onnxhead.client

import ai.onnxruntime.{NodeInfo, OrtEnvironment, OrtException, OrtSession, TensorInfo}
import java.nio.file.Path
import scala.jdk.CollectionConverters._
import scala.util.{Try, Using}

/** The session of a bundle's model in onnxruntime. */
private[client] object Session {
  val environment: OrtEnvironment = OrtEnvironment.getEnvironment()

  /** Opens the model.
    *
    * @throws BundleException
    *   if onnxruntime refuses it, or it is not what head.json states
    */
  def open(folder: Path, head: Head): OrtSession = {
    val session = create(folder.resolve(head.model))
    try {
      checkSignature(session, head)
      checkLabels(session, head)
      session
    } catch {
      case refused: BundleException =>
        session.close()
        throw refused
    }
  }

  private def create(file: Path): OrtSession =
    try
      Using.resource(new OrtSession.SessionOptions) { options =>
        environment.setTelemetry(false)
        options.setIntraOpNumThreads(1) // a head is small, and callers have threads of their own
        environment.createSession(file.toString, options)
      }
    catch {
      case cause: OrtException =>
        throw new BundleException(
          s"$file must load in onnxruntime, ${environment.getVersion} refuses it (${cause.getMessage}): take a newer " +
            "onnxruntime, or copy the bundle again, as a whole",
          cause
        )
    }

  private def checkSignature(session: OrtSession, head: Head): Unit = {
    val inputs = Map(head.input -> matrix(head.features))
    val outputs = Map(head.logits -> matrix(head.classes), head.probabilities -> matrix(head.classes))
    val foundInputs = describe(session.getInputInfo)
    val foundOutputs = describe(session.getOutputInfo)
    if (foundInputs != inputs || foundOutputs != outputs)
      throw new BundleException(
        s"the model must have the inputs $inputs and outputs $outputs of head.json, it has $foundInputs and " +
          s"$foundOutputs: copy the bundle again, as a whole"
      )
  }

  private def matrix(width: Int): String = s"FLOAT[-1, $width]" // any number of rows

  private def describe(nodes: java.util.Map[String, NodeInfo]): Map[String, String] =
    nodes.asScala.toMap.map { case (name, node) =>
      name -> (node.getInfo match {
        case tensor: TensorInfo => s"${tensor.`type`}${tensor.getShape.mkString("[", ", ", "]")}"
        case other              => other.toString
      })
    }

  private def checkLabels(session: OrtSession, head: Head): Unit =
    if (head.labels.forall(isReadable) && !labels(session, head.classes).contains(head.labels))
      throw new BundleException(
        "the labels in head.json must be those in the model's metadata, they are others: copy the bundle again, as a " +
          "whole"
      )

  /** onnxruntime's JNI cuts metadata with other characters, so that it cannot be compared. */
  private def isReadable(label: Label): Boolean = !label.value.toString.exists(_.isSurrogate)

  private def labels(session: OrtSession, classes: Int): Option[Seq[Label]] =
    session.getMetadata.getCustomMetadata.asScala.get("onnxhead.labels") match {
      case Some(text) => Try(Json.labels(text)).toOption
      case None       => Some(Seq.tabulate(classes)(index => Label.Whole(index)))
    }
}
