package onnxhead.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PredictionTest {
  private static final Label A = new Label.Text("a");
  private static final Label B = new Label.Text("b");
  private static final Label C = new Label.Text("c");

  @Test
  void firstOfEqualLogitsComesFirst() {
    Prediction prediction = predict(new float[] {-1, -0f, 0f}, new float[] {.2f, .4f, .4f});
    assertEquals(Optional.of(B), prediction.label());
    assertEquals(
        List.of(new ScoredLabel(B, .4f), new ScoredLabel(C, .4f), new ScoredLabel(A, .2f)),
        prediction.top(3));
  }

  @Test
  void topHasAtMostAllLabels() {
    Prediction prediction = predict(new float[] {3, 2, 1}, new float[] {.7f, .2f, .1f});
    assertEquals(List.of(new ScoredLabel(A, .7f)), prediction.top(1));
    assertEquals(prediction.top(3), prediction.top(4));
  }

  @Test
  void topOfLessThanOneIsRefused() {
    Prediction prediction = predict(new float[3], new float[3]);
    assertEquals(
        "k must be at least 1, got 0",
        assertThrows(IllegalArgumentException.class, () -> prediction.top(0)).getMessage());
  }

  @Test
  void aboveIsStrict() {
    Prediction prediction = predict(new float[] {1, 0, 2}, new float[] {.7f, .5f, .9f});
    assertEquals(List.of(A, C), prediction.above(0.5));
  }

  @Test
  void nanHasNoLabels() {
    Prediction prediction = predict(new float[] {1, 2, 3}, new float[] {0, Float.NaN, 1});
    assertEquals(Optional.empty(), prediction.label());
    assertEquals(List.of(), prediction.above(-1));
    assertEquals(List.of(), prediction.top(3));
  }

  private static Prediction predict(float[] logits, float[] probabilities) {
    return new Prediction(logits, probabilities, List.of(A, B, C));
  }
}
