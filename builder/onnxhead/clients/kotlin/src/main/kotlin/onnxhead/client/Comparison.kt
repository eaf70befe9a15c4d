package onnxhead.client

import java.util.Locale
import kotlin.math.abs

/** The answers for one case, held to the exact ones: as one batch, and the first row alone. */
internal class Comparison(
    private val classifier: Classifier,
    private val case: Case,
) {
    val name: String get() = case.name

    /** The first thing that is wrong; null if nothing is. */
    var problem: String? = null
        private set

    /** The largest error as a fraction of its tolerance, NaN where an answer is. */
    var largestError: Double = 0.0
        private set

    init {
        val predictions = classifier.classifyBatch(case.features)
        if (predictions.size == case.features.size) {
            predictions.forEachIndexed(::compare)
            case.features.firstOrNull()?.let { compare(0, classifier.classify(it)) }
        } else {
            fail("${predictions.size} answers for ${case.features.size} rows")
        }
    }

    private fun compare(
        row: Int,
        prediction: Prediction,
    ) {
        prediction.logits.forEachIndexed { index, logit ->
            compare("logit of row $row, class $index", logit, case.logits[row][index], case.logitsTolerance[row][index])
        }
        prediction.probabilities.forEachIndexed { index, probability ->
            compare(
                "probability of row $row, class $index",
                probability,
                case.probabilities[row][index],
                case.probabilitiesTolerance[row],
            )
        }
        val labels = if (classifier.link == Link.SIGMOID) prediction.above(0.5) else listOfNotNull(prediction.label)
        val exact = case.labels(row)
        if (exact != null && exact != labels) {
            fail("label of row $row is ${labels.show()}, expected ${exact.show()}")
        }
    }

    private fun compare(
        what: String,
        found: Float,
        exact: Double,
        tolerance: Double,
    ) {
        val error = abs(found - exact) / tolerance
        largestError = maxOf(largestError, error)
        if (!(error <= 1)) { // also where it is NaN
            fail("%s is %.6g, expected %.6g within %.2g".format(Locale.ROOT, what, found, exact, tolerance))
        }
    }

    private fun fail(reason: String) {
        problem = problem ?: reason
    }
}
