package onnxhead.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class CheckTest {
    @Test
    fun `a good bundle passes`() {
        assertEquals(0, run(listOf("bundle")))
    }

    @Test
    fun `a missing bundle is refused`() {
        assertEquals(2, run(listOf("nowhere")))
    }

    @Test
    fun `what is not known is refused`() {
        assertEquals(2, run(listOf("--tim", "bundle")))
        assertEquals(2, run(listOf("--help")))
        assertEquals(2, run(listOf("bundle", "bundle")))
    }
}
