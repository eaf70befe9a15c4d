package onnxhead.client

/**
 * The answer for one row.
 *
 * @property logits One per class; the array itself, not a copy.
 * @property probabilities One per class; the array itself, not a copy.
 */
public class Prediction internal constructor(
    public val logits: FloatArray,
    public val probabilities: FloatArray,
    private val labels: List<Label>,
) {
    private val classes: IntRange
        get() = if (probabilities.any(Float::isNaN)) IntRange.EMPTY else logits.indices

    /** The label with the largest logit, the first of equal ones; null where a probability is NaN. */
    public val label: Label?
        get() = classes.maxByOrNull(::rank)?.let(labels::get)

    /**
     * Returns the labels with a probability above a [threshold], for heads whose labels are independent: 0.5 for
     * [Link.SIGMOID], unless you have measured a better one. They are in the order of the classes; none where a
     * probability is NaN.
     */
    public fun above(threshold: Double): List<Label> = classes.filter { probabilities[it] > threshold }.map(labels::get)

    /**
     * Returns the [k] labels with the largest logits, the most probable first and the earlier class first where logits
     * are equal; all labels where there are fewer, none where a probability is NaN.
     *
     * @throws IllegalArgumentException if [k] is less than 1
     */
    public fun top(k: Int): List<ScoredLabel> {
        require(k >= 1) { "k must be at least 1, got $k" }
        return classes.sortedByDescending(::rank).take(k).map { ScoredLabel(labels[it], probabilities[it]) }
    }

    private fun rank(index: Int): Float = logits[index] + 0f // + 0f: -0 equals 0
}

/**
 * A label and how probable it is.
 *
 * @property probability From 0 to 1.
 */
public data class ScoredLabel(
    val label: Label,
    val probability: Float,
)
