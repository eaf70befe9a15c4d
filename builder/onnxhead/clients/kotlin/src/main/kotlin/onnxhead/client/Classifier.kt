package onnxhead.client

import ai.onnxruntime.OrtSession
import java.nio.file.Path
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.locks.ReentrantReadWriteLock
import kotlin.concurrent.read
import kotlin.concurrent.write

/**
 * A head that is loaded. Several threads may call it at once.
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
    private val use = ReentrantReadWriteLock() // closing waits for calls
    private var closed = false

    /**
     * Answers one [row] of [features] numbers.
     *
     * @throws IllegalArgumentException if the row has another width
     * @throws IllegalStateException if the classifier is closed
     */
    public fun classify(row: FloatArray): Prediction {
        checkWidth(row)
        return whileOpen {
            val tensors = idle.poll() ?: Tensors(head, 1)
            try {
                tensors.run(session, listOf(row)).single()
            } finally {
                idle.add(tensors)
            }
        }
    }

    /**
     * Answers any number of [rows] in one run of the model, each as for [classify].
     *
     * @throws IllegalArgumentException if a row has another width
     * @throws ArithmeticException if the features or the answers are 2 GiB or more: split the batch
     * @throws IllegalStateException if the classifier is closed
     */
    public fun classifyBatch(rows: List<FloatArray>): List<Prediction> {
        rows.forEach(::checkWidth)
        return whileOpen {
            if (rows.isEmpty()) emptyList() else Tensors(head, rows.size).use { it.run(session, rows) }
        }
    }

    /** Frees the memory outside the heap, after the calls that are under way; twice is once. */
    override fun close() {
        use.write {
            if (!closed) {
                closed = true
                idle.forEach(Tensors::close)
                session.close()
            }
        }
    }

    private inline fun <T> whileOpen(call: () -> T): T =
        use.read {
            check(!closed) { "a classifier that is closed answers no more: load it again" }
            call()
        }

    private fun checkWidth(row: FloatArray) {
        require(row.size == features) {
            "a row must have $features features, got ${row.size}: pass those that the head was trained on, in their order"
        }
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
