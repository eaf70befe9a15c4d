package onnxhead.client

import ai.onnxruntime.NodeInfo
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import kotlinx.serialization.json.JsonArray
import java.nio.file.Path
import kotlin.io.path.div

internal val environment: OrtEnvironment = OrtEnvironment.getEnvironment()

/**
 * Opens the model of a bundle in onnxruntime.
 *
 * @throws BundleException if onnxruntime refuses it, or it is not what head.json states
 */
internal fun openSession(
    folder: Path,
    head: Head,
): OrtSession {
    val session = createSession(folder / head.model)
    try {
        session.checkSignature(head)
        session.checkLabels(head)
    } catch (refused: BundleException) {
        session.close()
        throw refused
    }
    return session
}

private fun createSession(file: Path): OrtSession =
    try {
        OrtSession.SessionOptions().use { options ->
            environment.setTelemetry(false)
            options.setIntraOpNumThreads(1) // a head is small, and callers have threads of their own
            environment.createSession(file.toString(), options)
        }
    } catch (cause: OrtException) {
        throw BundleException(
            "$file must load in onnxruntime, ${environment.version} refuses it (${cause.message}): take a newer " +
                "onnxruntime, or copy the bundle again, as a whole",
            cause,
        )
    }

private fun OrtSession.checkSignature(head: Head) {
    val inputs = mapOf(head.input to matrix(head.features))
    val outputs = mapOf(head.logits to matrix(head.classes), head.probabilities to matrix(head.classes))
    val foundInputs = inputInfo.mapValues { describe(it.value) }
    val foundOutputs = outputInfo.mapValues { describe(it.value) }
    if (foundInputs != inputs || foundOutputs != outputs) {
        throw BundleException(
            "the model must have the inputs $inputs and outputs $outputs of head.json, it has $foundInputs and " +
                "$foundOutputs: copy the bundle again, as a whole",
        )
    }
}

private fun matrix(width: Int) = "FLOAT[-1, $width]" // any number of rows

private fun describe(node: NodeInfo): String {
    val tensor = node.info as? TensorInfo ?: return node.info.toString()
    return "${tensor.type}${tensor.shape.contentToString()}"
}

private fun OrtSession.checkLabels(head: Head) {
    if (head.labels.all(::isReadable) && head.labels != labels(head.classes)) {
        throw BundleException(
            "the labels in head.json must be those in the model's metadata, they are others: copy the bundle again, as " +
                "a whole",
        )
    }
}

/** onnxruntime's JNI cuts metadata with other characters, so that it cannot be compared. */
private fun isReadable(label: Label) = label.value.toString().none(Char::isSurrogate)

private fun OrtSession.labels(classes: Int): List<Label>? {
    val text = metadata.customMetadata["onnxhead.labels"] ?: return List(classes) { Label.Whole(it.toLong()) }
    return try {
        json.decodeFromString<JsonArray>(text).toLabels()
    } catch (_: IllegalArgumentException) {
        null
    }
}
