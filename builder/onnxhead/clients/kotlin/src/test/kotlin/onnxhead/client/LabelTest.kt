package onnxhead.client

import kotlinx.serialization.json.JsonArray
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class LabelTest {
    @Test
    fun `labels keep their type`() {
        assertEquals(
            listOf(
                Label.Whole(1),
                Label.Decimal(1.0),
                Label.Decimal(1e300),
                Label.Flag(true),
                Label.Text("1"),
                Label.Text("true"),
                Label.Text("é\n\"🦀"),
            ),
            json.decodeFromString<JsonArray>("""[1, 1.0, 1e+300, true, "1", "true", "é\n\"🦀"]""").toLabels(),
        )
    }
}
