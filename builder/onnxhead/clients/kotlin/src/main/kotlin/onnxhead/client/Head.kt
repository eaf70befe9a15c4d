package onnxhead.client

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.Transient
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import java.io.IOException
import java.io.OutputStream
import java.nio.file.Path
import java.security.DigestInputStream
import java.security.MessageDigest
import kotlin.io.path.div
import kotlin.io.path.exists
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

    /** What contradicts the rest; null if nothing does. */
    val contradiction: String?
        get() =
            when {
                model !in sha256 -> "it states the hashes of ${sha256.keys}, and none of $model"
                inputs.size != 1 || outputs.size != 2 -> "it states $inputs and $outputs, not one input and two outputs"
                features < 1 -> "it states $features features"
                labels.isEmpty() || labels.size != classes -> "it states ${labels.size} labels for $classes classes"
                else -> null
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
    val file = folder / "head.json"
    if (!file.exists()) {
        throw BundleException(
            "a bundle must have a head.json, $folder has none: name the bundle's folder, or copy the bundle again, as a " +
                "whole",
        )
    }
    val document = readObject(file)
    checkFormat(folder, document["format"] ?: throw malformed(file, "it states no format"))
    val head = document.convert<Head>(file)
    head.contradiction?.let { throw malformed(file, it) }
    head.sha256.forEach { (name, stated) -> checkHash(folder / name, stated) }
    return head
}

/** Comes before all else, since another format may state it otherwise. */
private fun checkFormat(
    folder: Path,
    format: JsonElement,
) {
    if (format != JsonPrimitive("1")) {
        throw BundleException(
            "this client reads bundles of format 1, $folder states $format: ship it again with the onnxhead that this " +
                "client came with",
        )
    }
}

private fun checkHash(
    file: Path,
    stated: String,
) {
    val found =
        try {
            sha256(file)
        } catch (cause: IOException) {
            throw unreadable(file, cause)
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
