package onnxhead.client

import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.api.assertThrows
import java.util.concurrent.Callable
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import kotlin.io.path.Path

/** The client on the bundle beside it, whatever head that holds. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ClassifierTest {
    private val bundle = Path("bundle")
    private val classifier = Classifier.load(bundle)
    private val cases = readCases(bundle, classifier)
    private val rows = cases.flatMap { it.features }

    @AfterAll
    fun close() = classifier.close()

    @Test
    fun `every vector is within its tolerance`() {
        for (case in cases) {
            val comparison = Comparison(classifier, case)
            assertNull(comparison.problem, case.name)
            assertTrue(comparison.largestError <= 1, case.name)
        }
        assertTrue(rows.size >= 16)
    }

    @Test
    fun `a vector that is wrong fails`() {
        val wrong = readCases(bundle, classifier).first()
        wrong.logits[0][0] += 2 * wrong.logitsTolerance[0][0]
        val comparison = Comparison(classifier, wrong)
        assertTrue(comparison.problem!!.startsWith("logit of row 0, class 0 is"))
        assertTrue(comparison.largestError > 1)
    }

    @Test
    fun `no rows have no answers`() {
        assertEquals(emptyList<Prediction>(), classifier.classifyBatch(emptyList()))
    }

    @Test
    fun `the top labels are in order`() {
        val prediction = classifier.classify(rows.first())
        val top = prediction.top(classifier.labels.size + 1).map { it.label }
        assertEquals(prediction.label, top.first())
        assertEquals(classifier.labels.toSet(), top.toSet())
        val logits = top.map { prediction.logits[classifier.labels.indexOf(it)] }
        assertTrue(logits.zipWithNext().all { (larger, smaller) -> larger >= smaller })
    }

    @Test
    fun `labels above a threshold are in the order of the classes`() {
        val prediction = classifier.classify(rows.first())
        assertEquals(classifier.labels, prediction.above(-1.0))
        assertEquals(emptyList<Label>(), prediction.above(1.0))
    }

    @Test
    fun `a row with NaN has no label and others have`() {
        val row = FloatArray(classifier.features)
        val (undefined, defined) = classifier.classifyBatch(listOf(row.copyOf().also { it[0] = Float.NaN }, row))
        assertNull(undefined.label)
        assertTrue(defined.label in classifier.labels)
    }

    @Test
    fun `a row of another width is refused`() {
        val row = FloatArray(classifier.features + 1)
        val message =
            "a row must have ${classifier.features} features, got ${row.size}: pass those that the head was trained on, " +
                "in their order"
        assertEquals(message, assertThrows<IllegalArgumentException> { classifier.classify(row) }.message)
        val rows = listOf(FloatArray(classifier.features), row)
        assertEquals(message, assertThrows<IllegalArgumentException> { classifier.classifyBatch(rows) }.message)
    }

    @Test
    fun `several threads get the same answers`() {
        val alone = rows.map(classifier::classify)
        val threads = Executors.newFixedThreadPool(8)
        try {
            val answers = List(400) { threads.submit(Callable { classifier.classify(rows[it % rows.size]) }) }
            answers.forEachIndexed { i, answer -> assertArrayEquals(alone[i % rows.size].logits, answer.get().logits) }
        } finally {
            threads.shutdown()
        }
    }

    @Test
    fun `closing waits for calls and ends them`() {
        val closing = Classifier.load(bundle)
        val threads = Executors.newFixedThreadPool(8)
        try {
            val calls = List(8) { threads.submit { while (true) closing.classify(rows.first()) } }
            closing.classify(rows.first())
            closing.close()
            closing.close()
            for (call in calls) {
                val cause = assertThrows<ExecutionException> { call.get() }.cause
                assertEquals("a classifier that is closed answers no more: load it again", cause?.message)
            }
        } finally {
            threads.shutdown()
        }
    }
}
