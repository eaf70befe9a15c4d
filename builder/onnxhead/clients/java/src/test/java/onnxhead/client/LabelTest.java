package onnxhead.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class LabelTest {
  @Test
  void labelsKeepTheirType() {
    assertEquals(
        List.of(
            new Label.Whole(1L),
            new Label.Decimal(1.0),
            new Label.Decimal(1e300),
            new Label.Flag(true),
            new Label.Text("1"),
            new Label.Text("é\n\"🦀")),
        Json.labels("[1, 1.0, 1e+300, true, \"1\", \"é\\n\\\"🦀\"]"));
  }
}
