package onnxhead.client;

import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.annotations.SerializedName;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What vectors.json says.
 *
 * @param cases the batches to run
 */
record Vectors(List<Case> cases) {
  /**
   * Reads the vectors of a bundle.
   *
   * @throws BundleException if they are missing or malformed
   */
  static List<Case> read(Path folder) {
    try {
      List<Case> cases = Json.read(folder.resolve("vectors.json"), Vectors.class).cases;
      if (cases == null || cases.isEmpty()) {
        throw new JsonParseException("it has no cases");
      }
      return cases;
    } catch (IOException | JsonParseException cause) {
      throw new BundleException(
          "a bundle must have a vectors.json as onnxhead ships it, %s has none: %s"
              .formatted(folder, cause),
          cause);
    }
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
  }
}
