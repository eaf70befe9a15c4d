package onnxhead.client

import ai.onnxruntime.OrtSession
import java.nio.file.Path
import java.util.concurrent.ConcurrentLinkedQueue

/**
 * A head that is loaded. Several threads may call it at once; close it after the last call has returned.
 *
 * @property features How many features a row has.
 * @property labels One per class, in the order of the logits.
 * @property link How logits become probabilities.
 */
public class Classifier private constructor(
    private val session: OrtSession,
    private val head: Head,
) : AutoCloseable {
    public val features: Int get() = head.features
    public val labels: List<Label> get() = head.labels
    public val link: Link get() = head.link

    private val idle = ConcurrentLinkedQueue<Tensors>() // of one row each

    /**
     * Answers one [row] of [features] numbers.
     *
     * @throws IllegalArgumentException if the row has another width
     */
    public fun classify(row: FloatArray): Prediction {
        checkWidth(row)
        val tensors = idle.poll() ?: Tensors(head, 1)
        try {
            return tensors.run(session, listOf(row)).single()
        } finally {
            idle.add(tensors)
        }
    }

    /**
     * Answers any number of [rows] in one run of the model, each as for [classify].
     *
     * @throws IllegalArgumentException if a row has another width
     * @throws ArithmeticException if the features or the answers are 2 GiB or more: split the batch
     */
    public fun classifyBatch(rows: List<FloatArray>): List<Prediction> {
        rows.forEach(::checkWidth)
        if (rows.isEmpty()) return emptyList()
        return Tensors(head, rows.size).use { it.run(session, rows) }
    }

    /**
     * Frees the memory outside the heap.
     *
     * @throws IllegalStateException if it is closed already
     */
    override fun close() {
        session.close()
        idle.forEach(Tensors::close)
    }

    private fun checkWidth(row: FloatArray) {
        require(row.size == features) { "a row must have $features features, got ${row.size}" }
    }

    public companion object {
        /**
         * Loads the bundle in a [folder]. Switches onnxruntime's telemetry off in the whole process.
         *
         * @throws BundleException if the folder is no bundle, or its files are not those that were shipped
         */
        public fun load(folder: Path): Classifier {
            val head = readHead(folder)
            return Classifier(openSession(folder, head), head)
        }
    }
}
