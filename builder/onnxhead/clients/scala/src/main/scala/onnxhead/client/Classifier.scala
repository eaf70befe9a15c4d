package onnxhead.client

import ai.onnxruntime.OrtSession
import java.nio.file.Path
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.locks.ReentrantReadWriteLock
import scala.util.Using

/** A head that is loaded. Several threads may call it at once. */
final class Classifier private (session: OrtSession, head: Head) extends AutoCloseable {
  private val idle = new ConcurrentLinkedQueue[Tensors] // of one row each
  private val use = new ReentrantReadWriteLock // closing waits for calls
  private var closed = false

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
    * @throws IllegalStateException
    *   if the classifier is closed
    */
  def classify(row: Array[Float]): Prediction = {
    checkWidth(row)
    whileOpen {
      val tensors = Option(idle.poll()).getOrElse(new Tensors(head, 1))
      try tensors.run(session, Seq(row)).head
      finally idle.add(tensors)
    }
  }

  /** Answers a batch of rows, in one run of the model.
    *
    * @param rows
    *   any number of rows, each as for [[classify]]
    * @throws IllegalArgumentException
    *   if a row has another width
    * @throws ArithmeticException
    *   if the features or the answers are 2 GiB or more: split the batch
    * @throws IllegalStateException
    *   if the classifier is closed
    */
  def classifyBatch(rows: Seq[Array[Float]]): Seq[Prediction] = {
    rows.foreach(checkWidth)
    whileOpen {
      if (rows.isEmpty) Seq.empty
      else Using.resource(new Tensors(head, rows.size))(_.run(session, rows))
    }
  }

  /** Frees the memory outside the heap, after the calls that are under way; twice is once. */
  override def close(): Unit = {
    use.writeLock.lock()
    try
      if (!closed) {
        closed = true
        idle.forEach(_.close())
        session.close()
      }
    finally use.writeLock.unlock()
  }

  private def whileOpen[T](call: => T): T = {
    use.readLock.lock()
    try {
      if (closed) throw new IllegalStateException("a classifier that is closed answers no more: load it again")
      call
    } finally use.readLock.unlock()
  }

  private def checkWidth(row: Array[Float]): Unit =
    require(
      row.length == features,
      s"a row must have $features features, got ${row.length}: pass those that the head was trained on, in their order"
    )
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
