package onnxhead.client

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import java.nio.file.Path
import kotlin.io.path.div

/** What vectors.json says. */
@Serializable
internal class Vectors(
    val cases: List<Case>,
)

/**
 * One batch with its exact answers, an element for each row of features.
 *
 * @property name What is special about its rows.
 */
@Serializable
internal class Case(
    val name: String,
    val features: List<FloatArray>,
    val logits: List<DoubleArray>,
    val probabilities: List<DoubleArray>,
    private val labels: List<JsonElement>,
    @SerialName("logits_tolerance") val logitsTolerance: List<DoubleArray>,
    @SerialName("probabilities_tolerance") val probabilitiesTolerance: List<Double>,
) {
    /** Returns the labels of a row, one unless the link is sigmoid; null where any may be right. */
    fun labels(row: Int): List<Label>? = labels[row].takeUnless { it is JsonNull }?.toLabels()

    /** Tells whether every row has all its features and answers. */
    fun fits(classifier: Classifier): Boolean =
        features.all { it.size == classifier.features } &&
            listOf(logits, probabilities, logitsTolerance).flatten().all { it.size == classifier.labels.size } &&
            listOf(logits, probabilities, logitsTolerance, labels, probabilitiesTolerance).all { it.size == features.size }
}

/**
 * Reads the vectors of a bundle.
 *
 * @throws BundleException if they are missing, malformed, or those of another head
 */
internal fun readCases(
    folder: Path,
    classifier: Classifier,
): List<Case> {
    val file = folder / "vectors.json"
    val cases = readObject(file).convert<Vectors>(file).cases
    if (cases.isEmpty()) throw malformed(file, "it has no cases")
    if (!cases.all { it.fits(classifier) }) throw malformed(file, "a case has rows of another width")
    return cases
}
