package onnxhead.client

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Path
import kotlin.io.path.Path
import kotlin.io.path.appendBytes
import kotlin.io.path.copyTo
import kotlin.io.path.deleteExisting
import kotlin.io.path.div
import kotlin.io.path.isRegularFile
import kotlin.io.path.listDirectoryEntries
import kotlin.io.path.readText
import kotlin.io.path.writeText

/** What is refused of a bundle that is not as it was shipped. */
class BundleTest {
    @TempDir
    lateinit var folder: Path

    private val head get() = folder / "head.json"

    @BeforeEach
    fun copy() {
        Path("bundle").listDirectoryEntries().filter { it.isRegularFile() }.forEach { it.copyTo(folder / it.fileName) }
    }

    @Test
    fun `a missing head`() {
        head.deleteExisting()
        assertRefused("a bundle must have a $head")
    }

    @Test
    fun `a malformed head`() {
        head.writeText("{")
        assertRefused("a bundle must have a $head")
    }

    @Test
    fun `another format`() {
        change("format") { JsonPrimitive("2") }
        assertRefused("this client reads bundles of format 1")
    }

    @Test
    fun `another link`() {
        change("link") { JsonPrimitive("probit") }
        assertRefused("a bundle must have a $head")
    }

    @Test
    fun `a model without a hash`() {
        change("sha256") { JsonObject(emptyMap()) }
        assertRefused("it must state the hash of model.onnx")
    }

    @Test
    fun `a changed model`() {
        (folder / "model.onnx").appendBytes(ByteArray(1))
        assertRefused("model.onnx must be the file that was shipped")
    }

    @Test
    fun `a missing data file`() {
        change("sha256") { JsonObject(it.jsonObject + ("missing.data" to JsonPrimitive(""))) }
        assertRefused("a bundle must hold ${folder / "missing.data"}")
    }

    @Test
    fun `another width`() {
        change("features") { JsonPrimitive(it.jsonPrimitive.int + 1) }
        assertRefused("the model must have the inputs")
    }

    @Test
    fun `other labels`() {
        change("labels") { labels -> buildJsonArray { repeat(labels.jsonArray.size) { add(JsonPrimitive("another $it")) } } }
        assertRefused("the labels in head.json must be those in the model's metadata")
    }

    private fun change(
        key: String,
        value: (JsonElement) -> JsonElement,
    ) {
        val stated = json.decodeFromString<JsonObject>(head.readText())
        head.writeText(JsonObject(stated + (key to value(stated.getValue(key)))).toString())
    }

    private fun assertRefused(rule: String) {
        val message = assertThrows<BundleException> { Classifier.load(folder).close() }.message!!
        assertTrue(rule in message) { message }
    }
}
