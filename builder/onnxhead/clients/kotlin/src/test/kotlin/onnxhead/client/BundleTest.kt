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
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource
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
    private val vectors get() = folder / "vectors.json"

    @BeforeEach
    fun copy() {
        Path("bundle").listDirectoryEntries().filter { it.isRegularFile() }.forEach { it.copyTo(folder / it.fileName) }
    }

    @Test
    fun `a missing head`() {
        head.deleteExisting()
        assertRefused("a bundle must have a head.json, $folder has none: name the bundle's folder")
    }

    @ParameterizedTest
    @ValueSource(strings = ["", "{", "[]", """{"format": "1"}""", """{"format": "1", "model": {}}"""])
    fun `a malformed head`(content: String) {
        head.writeText(content)
        assertRefused("$head must be as onnxhead ships it, it is not (")
    }

    @ParameterizedTest
    @ValueSource(strings = ["", "{", "[]", "{}", """{"cases": []}""", """{"cases": [{}]}"""])
    fun `malformed vectors`(content: String) {
        vectors.writeText(content)
        assertVectorsRefused("$vectors must be as onnxhead ships it, it is not (")
    }

    @Test
    fun `missing vectors`() {
        vectors.deleteExisting()
        assertVectorsRefused("a bundle must hold $vectors, it cannot be read (")
    }

    @Test
    fun `vectors of another head`() {
        vectors.writeText(vectors.readText().replace("\"logits\": [[", "\"logits\": [[0, "))
        assertVectorsRefused("a case has rows of another width")
    }

    @Test
    fun `another format`() {
        head.writeText("""{"format": "2", "model": {}}""")
        assertRefused("this client reads bundles of format 1, $folder states \"2\": ship it again")
    }

    @Test
    fun `another link`() {
        change("link") { JsonPrimitive("probit") }
        assertRefused("$head must be as onnxhead ships it, it is not (")
    }

    @Test
    fun `a model without a hash`() {
        change("sha256") { JsonObject(emptyMap()) }
        assertRefused("it states the hashes of [], and none of model.onnx")
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
        assertRefused(rule) { Classifier.load(folder).close() }
    }

    private fun assertVectorsRefused(rule: String) {
        Classifier.load(folder).use { assertRefused(rule) { readCases(folder, it) } }
    }

    private fun assertRefused(
        rule: String,
        read: () -> Unit,
    ) {
        val message = assertThrows<BundleException>(read).message!!
        assertTrue(rule in message && message.lines().size == 1) { message }
    }
}
