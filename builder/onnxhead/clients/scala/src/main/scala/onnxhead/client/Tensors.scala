package onnxhead.client

import ai.onnxruntime.{OnnxTensor, OrtSession}
import java.nio.{ByteBuffer, ByteOrder, FloatBuffer}
import scala.collection.immutable.ArraySeq

/** Memory outside the heap for a number of rows and their answers, for one thread at a time.
  *
  * onnxruntime reads and writes it in place. Kept for the next call, it makes a call three times as fast as tensors
  * that are made anew.
  */
private[client] final class Tensors(head: Head, count: Int) extends AutoCloseable {
  private val features = allocate(head.features)
  private val logits = allocate(head.classes)
  private val probabilities = allocate(head.classes)
  private val inputs = java.util.Map.of(head.input, tensor(features, head.features))
  private val outputs = java.util.Map.of(
    head.logits,
    tensor(logits, head.classes),
    head.probabilities,
    tensor(probabilities, head.classes)
  )

  /** Answers as many rows as there is memory for. */
  def run(session: OrtSession, rows: Seq[Array[Float]]): Seq[Prediction] = {
    features.clear()
    rows.foreach(features.put(_))
    session.run(inputs, outputs).close()
    ArraySeq.tabulate(count)(index => Prediction(slice(logits, index), slice(probabilities, index), head.labels))
  }

  override def close(): Unit = {
    inputs.values.forEach(_.close())
    outputs.values.forEach(_.close())
  }

  private def slice(answers: FloatBuffer, index: Int): ArraySeq[Float] = {
    val row = new Array[Float](head.classes)
    answers.get(index * row.length, row)
    ArraySeq.unsafeWrapArray(row)
  }

  private def allocate(width: Int): FloatBuffer = {
    val bytes = Math.multiplyExact(Math.multiplyExact(count, width), java.lang.Float.BYTES)
    ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).asFloatBuffer()
  }

  private def tensor(buffer: FloatBuffer, width: Int): OnnxTensor =
    OnnxTensor.createTensor(Session.environment, buffer, Array[Long](count, width))
}
