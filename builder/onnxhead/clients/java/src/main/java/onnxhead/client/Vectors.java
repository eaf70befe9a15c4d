package onnxhead.client;

import com.google.gson.JsonElement;
import com.google.gson.annotations.SerializedName;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What vectors.json says.
 *
 * @param cases the batches to run
 */
record Vectors(List<Case> cases) {
  /**
   * Reads the vectors of a bundle.
   *
   * @throws BundleException if they are missing, malformed, or those of another head
   */
  static List<Case> read(Path folder, Classifier classifier) {
    Path file = folder.resolve("vectors.json");
    List<Case> cases = Json.convert(Json.read(file), Vectors.class, file).cases;
    if (cases == null || cases.isEmpty()) {
      throw BundleException.malformed(file, "it has no cases");
    }
    if (!cases.stream().allMatch(it -> it.fits(classifier))) {
      throw BundleException.malformed(file, "a case lacks an answer, or has rows of another width");
    }
    return cases;
  }

  /**
   * One batch with its exact answers; arrays have one element or row for each row of features.
   *
   * @param name what is special about its rows
   */
  record Case(
      String name,
      float[][] features,
      double[][] logits,
      double[][] probabilities,
      List<JsonElement> labels,
      @SerializedName("logits_tolerance") double[][] logitsTolerance,
      @SerializedName("probabilities_tolerance") double[] probabilitiesTolerance) {

    /**
     * Returns the labels of a row, one unless the link is sigmoid; empty where any may be right.
     */
    Optional<List<Label>> labels(int row) {
      JsonElement label = labels.get(row);
      return label.isJsonNull() ? Optional.empty() : Optional.of(Json.labels(label));
    }

    private boolean fits(Classifier classifier) {
      return isComplete()
          && labels.size() == features.length
          && probabilitiesTolerance.length == features.length
          && Arrays.stream(features).allMatch(row -> row.length == classifier.features())
          && Stream.of(logits, probabilities, logitsTolerance)
              .allMatch(rows -> isMatrix(rows, features.length, classifier.labels().size()));
    }

    private boolean isComplete() {
      return Stream.of(
              name,
              features,
              logits,
              probabilities,
              labels,
              logitsTolerance,
              probabilitiesTolerance)
          .allMatch(Objects::nonNull);
    }

    private static boolean isMatrix(double[][] rows, int count, int width) {
      return rows.length == count && Arrays.stream(rows).allMatch(row -> row.length == width);
    }
  }
}
