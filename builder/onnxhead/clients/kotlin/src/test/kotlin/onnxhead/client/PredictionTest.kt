package onnxhead.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class PredictionTest {
    private val a = Label.Text("a")
    private val b = Label.Text("b")
    private val c = Label.Text("c")

    @Test
    fun `the first of equal logits comes first`() {
        val prediction = predict(floatArrayOf(-1f, -0f, 0f), floatArrayOf(.2f, .4f, .4f))
        assertEquals(b, prediction.label)
        assertEquals(listOf(ScoredLabel(b, .4f), ScoredLabel(c, .4f), ScoredLabel(a, .2f)), prediction.top(3))
    }

    @Test
    fun `top has at most all labels`() {
        val prediction = predict(floatArrayOf(3f, 2f, 1f), floatArrayOf(.7f, .2f, .1f))
        assertEquals(listOf(ScoredLabel(a, .7f)), prediction.top(1))
        assertEquals(prediction.top(3), prediction.top(4))
    }

    @Test
    fun `top of less than one is refused`() {
        val prediction = predict(FloatArray(3), FloatArray(3))
        assertEquals("k must be at least 1, got 0", assertThrows<IllegalArgumentException> { prediction.top(0) }.message)
    }

    @Test
    fun `above is strict`() {
        assertEquals(listOf(a, c), predict(floatArrayOf(1f, 0f, 2f), floatArrayOf(.7f, .5f, .9f)).above(0.5))
    }

    @Test
    fun `NaN has no labels`() {
        val prediction = predict(floatArrayOf(1f, 2f, 3f), floatArrayOf(0f, Float.NaN, 1f))
        assertNull(prediction.label)
        assertEquals(emptyList<Label>(), prediction.above(-1.0))
        assertEquals(emptyList<ScoredLabel>(), prediction.top(3))
    }

    private fun predict(
        logits: FloatArray,
        probabilities: FloatArray,
    ) = Prediction(logits, probabilities, listOf(a, b, c))
}
