package onnxhead.client;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The answers for one case, held to the exact ones. */
final class Comparison {
  private final Vectors.Case expected;
  private final Link link;
  private String problem;
  private double largestError;

  private Comparison(Vectors.Case expected, Link link) {
    this.expected = expected;
    this.link = link;
  }

  /** Runs a case as one batch, and its first row alone. */
  static Comparison of(Classifier classifier, Vectors.Case expected) {
    Comparison comparison = new Comparison(expected, classifier.link());
    float[][] rows = expected.features();
    List<Prediction> predictions = classifier.classifyBatch(rows);
    if (predictions.size() != rows.length) {
      comparison.fail("%d answers for %d rows", predictions.size(), rows.length);
      return comparison;
    }
    for (int row = 0; row < rows.length; row++) {
      comparison.compare(row, predictions.get(row));
    }
    if (rows.length > 0) {
      comparison.compare(0, classifier.classify(rows[0]));
    }
    return comparison;
  }

  /** Returns the first thing that is wrong; empty if nothing is. */
  Optional<String> problem() {
    return Optional.ofNullable(problem);
  }

  /** Returns the largest error as a fraction of its tolerance, NaN where an answer is. */
  double largestError() {
    return largestError;
  }

  private void compare(int row, Prediction prediction) {
    double[] tolerance = new double[prediction.probabilities().length];
    Arrays.fill(tolerance, expected.probabilitiesTolerance()[row]);
    compareNumbers(
        "logit", row, prediction.logits(), expected.logits()[row], expected.logitsTolerance()[row]);
    compareNumbers(
        "probability", row, prediction.probabilities(), expected.probabilities()[row], tolerance);
    compareLabels(row, prediction);
  }

  private void compareNumbers(
      String what, int row, float[] found, double[] exact, double[] tolerance) {
    for (int i = 0; i < found.length; i++) {
      double error = Math.abs(found[i] - exact[i]) / tolerance[i];
      largestError = Math.max(largestError, error);
      if (!(error <= 1)) { // also where it is NaN
        fail(
            "%s of row %d, class %d is %.6g, expected %.6g within %.2g",
            what, row, i, found[i], exact[i], tolerance[i]);
      }
    }
  }

  private void compareLabels(int row, Prediction prediction) {
    List<Label> found =
        link == Link.SIGMOID ? prediction.above(0.5) : prediction.label().stream().toList();
    Optional<List<Label>> exact = expected.labels(row);
    if (exact.isPresent() && !exact.get().equals(found)) {
      fail("label of row %d is %s, expected %s", row, Json.show(found), Json.show(exact.get()));
    }
  }

  private void fail(String format, Object... arguments) {
    if (problem == null) {
      problem = String.format(Locale.ROOT, format, arguments);
    }
  }
}
