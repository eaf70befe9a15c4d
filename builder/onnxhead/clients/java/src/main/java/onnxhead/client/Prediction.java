package onnxhead.client;

import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** The answer for one row. */
public final class Prediction {
  private final float[] logits;
  private final float[] probabilities;
  private final List<Label> labels;

  Prediction(float[] logits, float[] probabilities, List<Label> labels) {
    this.logits = logits;
    this.probabilities = probabilities;
    this.labels = labels;
  }

  /**
   * Returns the logits.
   *
   * @return one per class; the array itself, not a copy
   */
  public float[] logits() {
    return logits;
  }

  /**
   * Returns the probabilities.
   *
   * @return one per class; the array itself, not a copy
   */
  public float[] probabilities() {
    return probabilities;
  }

  /**
   * Returns the label with the largest logit, the first of equal ones.
   *
   * @return the label; empty where a probability is NaN
   */
  public Optional<Label> label() {
    if (isUndefined()) {
      return Optional.empty();
    }
    int largest = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[largest]) {
        largest = i;
      }
    }
    return Optional.of(labels.get(largest));
  }

  /**
   * Returns the labels with a probability above a threshold, for heads whose labels are
   * independent.
   *
   * @param threshold 0.5 for the link {@link Link#SIGMOID}, unless you have measured a better one
   * @return the labels in the order of the classes; none where a probability is NaN
   */
  public List<Label> above(double threshold) {
    return classes()
        .filter(i -> probabilities[i] > threshold)
        .<Label>mapToObj(labels::get)
        .toList();
  }

  /**
   * Returns the labels with the largest logits.
   *
   * @param k how many, at least 1; all labels where there are fewer
   * @return the most probable first, the earlier class first where logits are equal; none where a
   *     probability is NaN
   * @throws IllegalArgumentException if k is less than 1
   */
  public List<ScoredLabel> top(int k) {
    if (k < 1) {
      throw new IllegalArgumentException("k must be at least 1, got " + k);
    }
    return classes()
        .boxed()
        .sorted((a, b) -> Float.compare(logits[b] + 0f, logits[a] + 0f)) // + 0f: -0 equals 0
        .limit(k)
        .map(i -> new ScoredLabel(labels.get(i), probabilities[i]))
        .toList();
  }

  private IntStream classes() {
    return isUndefined() ? IntStream.empty() : IntStream.range(0, logits.length);
  }

  private boolean isUndefined() {
    for (float probability : probabilities) {
      if (Float.isNaN(probability)) {
        return true;
      }
    }
    return false;
  }
}
