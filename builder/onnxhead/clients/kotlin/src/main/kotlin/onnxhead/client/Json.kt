package onnxhead.client

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.decodeFromJsonElement
import kotlinx.serialization.json.double
import kotlinx.serialization.json.jsonPrimitive
import java.io.IOException
import java.nio.file.Path
import kotlin.io.path.readText

internal val json = Json { ignoreUnknownKeys = true }

/**
 * Reads a JSON file of a bundle.
 *
 * @throws BundleException if it is missing, or holds no object
 */
internal fun readObject(file: Path): JsonObject =
    try {
        json.decodeFromString<JsonObject>(file.readText())
    } catch (cause: IOException) {
        throw unreadable(file, cause)
    } catch (cause: IllegalArgumentException) {
        throw malformed(file, cause.firstLine(), cause)
    }

/**
 * Converts what a [file] of a bundle holds.
 *
 * @throws BundleException if a key is missing, or a value of another type
 */
internal inline fun <reified T> JsonObject.convert(file: Path): T =
    try {
        json.decodeFromJsonElement<T>(this)
    } catch (cause: IllegalArgumentException) {
        throw malformed(file, cause.firstLine(), cause)
    }

/** What was found; the file itself follows in a line below. */
internal fun Throwable.firstLine(): String = message.orEmpty().lineSequence().first()

/** Converts an array of labels, or a single one. */
internal fun JsonElement.toLabels(): List<Label> =
    when (this) {
        is JsonArray -> map { it.jsonPrimitive.toLabel() }
        else -> listOf(jsonPrimitive.toLabel())
    }

private fun JsonPrimitive.toLabel(): Label {
    if (isString) return Label.Text(content)
    booleanOrNull?.let { return Label.Flag(it) }
    content.toLongOrNull()?.let { return Label.Whole(it) }
    return Label.Decimal(double)
}

/** Shows labels in one line. */
internal fun List<Label>.show(): String =
    joinToString(prefix = "[", postfix = "]") {
        if (it is Label.Text) JsonPrimitive(it.value).toString() else it.value.toString()
    }
