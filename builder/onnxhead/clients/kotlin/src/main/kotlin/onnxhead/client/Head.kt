package onnxhead.client

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.Transient
import kotlinx.serialization.json.JsonArray
import java.io.IOException
import java.io.OutputStream
import java.nio.file.Path
import java.security.DigestInputStream
import java.security.MessageDigest
import kotlin.io.path.div
import kotlin.io.path.inputStream

/**
 * What head.json says.
 *
 * @property model The name of the .onnx file.
 * @property sha256 The hash of the model and of each data file, by name.
 * @property features How many features a row has.
 * @property labels One per class.
 */
@Serializable
internal class Head(
    private val format: String,
    val model: String,
    val sha256: Map<String, String>,
    private val inputs: List<String>,
    private val outputs: List<String>,
    val features: Int,
    val classes: Int,
    @SerialName("labels") private val labelsJson: JsonArray,
    val link: Link,
) {
    @Transient
    val labels: List<Label> = labelsJson.toLabels()

    init {
        require(format == "1") {
            "this client reads bundles of format 1, this one states $format: ship it again with the onnxhead that this " +
                "client came with"
        }
        require(model in sha256) { "it must state the hash of $model, it states those of ${sha256.keys}" }
        require(inputs.size == 1 && outputs.size == 2) {
            "it must state one input and two outputs, it states $inputs and $outputs"
        }
        require(features > 0 && classes > 0 && labels.size == classes) {
            "it must state features, classes and a label for each class, it states $features features, $classes " +
                "classes and ${labels.size} labels"
        }
    }

    val input: String get() = inputs[0]
    val logits: String get() = outputs[0]
    val probabilities: String get() = outputs[1]
}

/**
 * Reads head.json, and holds the model's files to the hashes in it.
 *
 * @throws BundleException if it is missing or malformed, or a file is not the one that was shipped
 */
internal fun readHead(folder: Path): Head {
    val head = readJson<Head>(folder / "head.json")
    head.sha256.forEach { (name, stated) -> checkHash(folder / name, stated) }
    return head
}

private fun checkHash(
    file: Path,
    stated: String,
) {
    val found =
        try {
            sha256(file)
        } catch (cause: IOException) {
            throw BundleException("a bundle must hold $file, it cannot be read: $cause", cause)
        }
    if (found != stated) {
        throw BundleException(
            "${file.fileName} must be the file that was shipped, its SHA-256 is $found and head.json states $stated: " +
                "copy the bundle again, as a whole",
        )
    }
}

private fun sha256(file: Path): String {
    val digest = MessageDigest.getInstance("SHA-256")
    DigestInputStream(file.inputStream(), digest).use { it.transferTo(OutputStream.nullOutputStream()) }
    return digest.digest().toHexString()
}
