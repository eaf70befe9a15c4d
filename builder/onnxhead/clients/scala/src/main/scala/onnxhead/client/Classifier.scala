package onnxhead.client

import ai.onnxruntime.OrtSession
import java.nio.file.Path
import java.util.concurrent.ConcurrentLinkedQueue
import scala.util.Using

/** A head that is loaded. Several threads may call it at once; close it after the last call has returned. */
final class Classifier private (session: OrtSession, head: Head) extends AutoCloseable {
  private val idle = new ConcurrentLinkedQueue[Tensors] // of one row each

  /** How many features a row has. */
  def features: Int = head.features

  /** One label per class, in the order of the logits. */
  def labels: IndexedSeq[Label] = head.labels

  /** How logits become probabilities. */
  def link: Link = head.link

  /** Answers one row.
    *
    * @param row
    *   as many numbers as the head has [[features]]
    * @throws IllegalArgumentException
    *   if the row has another width
    */
  def classify(row: Array[Float]): Prediction = {
    checkWidth(row)
    val tensors = Option(idle.poll()).getOrElse(new Tensors(head, 1))
    try tensors.run(session, Seq(row)).head
    finally idle.add(tensors)
  }

  /** Answers a batch of rows, in one run of the model.
    *
    * @param rows
    *   any number of rows, each as for [[classify]]
    * @throws IllegalArgumentException
    *   if a row has another width
    * @throws ArithmeticException
    *   if the features or the answers are 2 GiB or more: split the batch
    */
  def classifyBatch(rows: Seq[Array[Float]]): Seq[Prediction] = {
    rows.foreach(checkWidth)
    if (rows.isEmpty) Seq.empty
    else Using.resource(new Tensors(head, rows.size))(_.run(session, rows))
  }

  /** Frees the memory outside the heap.
    *
    * @throws IllegalStateException
    *   if it is closed already
    */
  override def close(): Unit = {
    session.close()
    idle.forEach(_.close())
  }

  private def checkWidth(row: Array[Float]): Unit =
    require(row.length == features, s"a row must have $features features, got ${row.length}")
}

object Classifier {

  /** Loads the bundle in a folder. Switches onnxruntime's telemetry off in the whole process.
    *
    * @throws BundleException
    *   if the folder is no bundle, or its files are not those that were shipped
    */
  def load(folder: Path): Classifier = {
    val head = Head.read(folder)
    new Classifier(Session.open(folder, head), head)
  }
}
