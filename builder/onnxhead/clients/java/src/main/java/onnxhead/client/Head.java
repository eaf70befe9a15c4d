package onnxhead.client;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What head.json says.
 *
 * @param format the version of the bundle's layout
 * @param model the name of the .onnx file
 * @param sha256 the hash of the model and of each data file, by name
 * @param inputs the name of the model's input
 * @param outputs the names of its outputs: logits, then probabilities
 * @param features how many features a row has
 * @param classes how many classes there are
 * @param labels one per class
 * @param link how logits become probabilities
 */
record Head(
    String format,
    String model,
    Map<String, String> sha256,
    List<String> inputs,
    List<String> outputs,
    int features,
    int classes,
    List<Label> labels,
    Link link) {

  Head {
    labels = labels == null ? List.of() : Collections.unmodifiableList(labels);
  }

  /**
   * Reads head.json, and holds the model's files to the hashes in it.
   *
   * @throws BundleException if it is missing or malformed, or a file is not the one shipped
   */
  static Head read(Path folder) {
    Path file = folder.resolve("head.json");
    if (!Files.exists(file)) {
      throw new BundleException(
          ("a bundle must have a head.json, %s has none: name the bundle's folder, or copy the bundle "
                  + "again, as a whole")
              .formatted(folder));
    }
    JsonObject document = Json.read(file);
    checkFormat(folder, document.get("format"));
    Head head = Json.convert(document, Head.class, file);
    if (!head.isComplete()) {
      throw BundleException.malformed(
          file,
          "it must state a model with its hash, one input, two outputs, features, classes, a label "
              + "for each, and a link");
    }
    head.sha256.forEach((name, stated) -> checkHash(folder.resolve(name), stated));
    return head;
  }

  String input() {
    return inputs.get(0);
  }

  String logits() {
    return outputs.get(0);
  }

  String probabilities() {
    return outputs.get(1);
  }

  /** Comes before all else, since another format may state it otherwise. */
  private static void checkFormat(Path folder, JsonElement format) {
    if (format != null && !format.equals(new JsonPrimitive("1"))) {
      throw new BundleException(
          ("this client reads bundles of format 1, %s states %s: ship it again with the onnxhead that "
                  + "this client came with")
              .formatted(folder, format));
    }
  }

  private boolean isComplete() {
    return Stream.of(format, model, sha256, inputs, outputs, link).allMatch(Objects::nonNull)
        && sha256.containsKey(model)
        && inputs.size() == 1
        && outputs.size() == 2
        && !outputs.get(0).equals(outputs.get(1))
        && features > 0
        && classes > 0
        && labels.size() == classes
        && !labels.contains(null);
  }

  private static void checkHash(Path file, String stated) {
    String found;
    try {
      found = HexFormat.of().formatHex(digest(file));
    } catch (IOException cause) {
      throw BundleException.unreadable(file, cause);
    }
    if (!found.equals(stated)) {
      throw new BundleException(
          ("%s must be the file that was shipped, its SHA-256 is %s and head.json states %s: copy the "
                  + "bundle again, as a whole")
              .formatted(file.getFileName(), found, stated));
    }
  }

  private static byte[] digest(Path file) throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException cause) {
      throw new AssertionError("every Java platform has SHA-256", cause);
    }
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    return digest.digest();
  }
}
