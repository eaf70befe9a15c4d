package onnxhead.client

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtSession
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/**
 * Memory outside the heap for [count] rows and their answers, for one thread at a time.
 *
 * onnxruntime reads and writes it in place. Kept for the next call, it makes a call three times as fast as tensors that
 * are made anew.
 */
internal class Tensors(
    private val head: Head,
    private val count: Int,
) : AutoCloseable {
    private val features = allocate(head.features)
    private val logits = allocate(head.classes)
    private val probabilities = allocate(head.classes)

    private val inputs = mapOf(head.input to tensor(features, head.features))
    private val outputs =
        mapOf(
            head.logits to tensor(logits, head.classes),
            head.probabilities to tensor(probabilities, head.classes),
        )

    /** Answers as many rows as there is memory for. */
    fun run(
        session: OrtSession,
        rows: List<FloatArray>,
    ): List<Prediction> {
        features.clear()
        rows.forEach { features.put(it) }
        session.run(inputs, outputs).close()
        return List(count) { Prediction(slice(logits, it), slice(probabilities, it), head.labels) }
    }

    override fun close() {
        inputs.values.forEach(OnnxTensor::close)
        outputs.values.forEach(OnnxTensor::close)
    }

    private fun slice(
        answers: FloatBuffer,
        index: Int,
    ) = FloatArray(head.classes).also { answers.get(index * head.classes, it) }

    private fun allocate(width: Int): FloatBuffer {
        val bytes = Math.multiplyExact(Math.multiplyExact(count, width), Float.SIZE_BYTES)
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).asFloatBuffer()
    }

    private fun tensor(
        buffer: FloatBuffer,
        width: Int,
    ) = OnnxTensor.createTensor(environment, buffer, longArrayOf(count.toLong(), width.toLong()))
}
