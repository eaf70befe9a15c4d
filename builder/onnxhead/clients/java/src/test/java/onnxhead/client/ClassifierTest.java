package onnxhead.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The client on the bundle beside it, whatever head that holds. */
class ClassifierTest {
  private static final Path BUNDLE = Path.of("bundle");
  private static Classifier classifier;
  private static List<Vectors.Case> cases;

  @BeforeAll
  static void load() {
    classifier = Classifier.load(BUNDLE);
    cases = Vectors.read(BUNDLE, classifier);
  }

  @AfterAll
  static void close() {
    classifier.close();
  }

  @Test
  void everyVectorIsWithinItsTolerance() {
    for (Vectors.Case expected : cases) {
      Comparison comparison = Comparison.of(classifier, expected);
      assertEquals(Optional.empty(), comparison.problem(), expected.name());
      assertTrue(comparison.largestError() <= 1, expected.name());
    }
    assertTrue(rows().length >= 16);
  }

  @Test
  void wrongVectorFails() {
    Vectors.Case wrong = Vectors.read(BUNDLE, classifier).get(0);
    wrong.logits()[0][0] += 2 * wrong.logitsTolerance()[0][0];
    Comparison comparison = Comparison.of(classifier, wrong);
    assertTrue(comparison.problem().orElseThrow().startsWith("logit of row 0, class 0 is"));
    assertTrue(comparison.largestError() > 1);
  }

  @Test
  void noRowsHaveNoAnswers() {
    assertEquals(List.of(), classifier.classifyBatch(new float[0][]));
  }

  @Test
  void topLabelsAreInOrder() {
    Prediction prediction = classifier.classify(rows()[0]);
    List<Label> top =
        prediction.top(classifier.labels().size() + 1).stream().map(ScoredLabel::label).toList();
    assertEquals(prediction.label(), Optional.of(top.get(0)));
    assertEquals(new HashSet<>(classifier.labels()), new HashSet<>(top));
    double[] logits =
        top.stream()
            .mapToDouble(it -> prediction.logits()[classifier.labels().indexOf(it)])
            .toArray();
    assertTrue(IntStream.range(1, logits.length).allMatch(i -> logits[i - 1] >= logits[i]));
  }

  @Test
  void labelsAboveThresholdAreInTheOrderOfTheClasses() {
    Prediction prediction = classifier.classify(rows()[0]);
    assertEquals(classifier.labels(), prediction.above(-1));
    assertEquals(List.of(), prediction.above(1));
  }

  @Test
  void rowWithNanHasNoLabelAndOthersHave() {
    float[][] rows = new float[2][classifier.features()];
    rows[0][0] = Float.NaN;
    List<Prediction> predictions = classifier.classifyBatch(rows);
    assertEquals(Optional.empty(), predictions.get(0).label());
    assertTrue(classifier.labels().contains(predictions.get(1).label().orElseThrow()));
  }

  @Test
  void anotherWidthIsRefused() {
    float[] row = new float[classifier.features() + 1];
    String message =
        "a row must have %d features, got %d: pass those that the head was trained on, in their order"
            .formatted(classifier.features(), row.length);
    assertEquals(
        message,
        assertThrows(IllegalArgumentException.class, () -> classifier.classify(row)).getMessage());
    float[][] rows = {new float[classifier.features()], row};
    assertEquals(
        message,
        assertThrows(IllegalArgumentException.class, () -> classifier.classifyBatch(rows))
            .getMessage());
  }

  @Test
  void severalThreadsGetTheSameAnswers() throws Exception {
    float[][] rows = rows();
    List<Prediction> alone = Arrays.stream(rows).map(classifier::classify).toList();
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<Prediction>> answers =
          IntStream.range(0, 400)
              .mapToObj(i -> threads.submit(() -> classifier.classify(rows[i % rows.length])))
              .toList();
      for (int i = 0; i < answers.size(); i++) {
        assertArrayEquals(alone.get(i % rows.length).logits(), answers.get(i).get().logits());
      }
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void closingWaitsForCallsAndEndsThem() throws Exception {
    Classifier closing = Classifier.load(BUNDLE);
    float[] row = rows()[0];
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<?>> calls =
          IntStream.range(0, 8)
              .<Future<?>>mapToObj(i -> threads.submit(() -> classifyForever(closing, row)))
              .toList();
      closing.classify(row);
      closing.close();
      closing.close();
      for (Future<?> call : calls) {
        Throwable cause = assertThrows(ExecutionException.class, call::get).getCause();
        assertEquals(
            "a classifier that is closed answers no more: load it again", cause.getMessage());
      }
    } finally {
      threads.shutdown();
    }
  }

  private static void classifyForever(Classifier classifier, float[] row) {
    while (true) {
      classifier.classify(row);
    }
  }

  private static float[][] rows() {
    return cases.stream()
        .map(Vectors.Case::features)
        .flatMap(Arrays::stream)
        .toArray(float[][]::new);
  }
}
