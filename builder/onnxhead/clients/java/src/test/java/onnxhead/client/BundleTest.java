package onnxhead.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused of a bundle that is not as it was shipped. */
class BundleTest {
  @TempDir Path folder;

  @BeforeEach
  void copy() throws IOException {
    try (Stream<Path> entries = Files.list(Path.of("bundle"))) {
      for (Path file : entries.filter(Files::isRegularFile).toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
  }

  @Test
  void missingHead() throws IOException {
    Files.delete(folder.resolve("head.json"));
    assertRefused("a bundle must have a head.json, " + folder + " has none: name the bundle's");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[]", "{}", "{\"format\": \"1\", \"model\": {}}"})
  void malformedHead(String content) throws IOException {
    Files.writeString(folder.resolve("head.json"), content);
    assertRefused(folder.resolve("head.json") + " must be as onnxhead ships it, it is not (");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[]", "{}", "{\"cases\": []}", "{\"cases\": [{}]}"})
  void malformedVectors(String content) throws IOException {
    Files.writeString(folder.resolve("vectors.json"), content);
    assertVectorsRefused(
        folder.resolve("vectors.json") + " must be as onnxhead ships it, it is not");
  }

  @Test
  void missingVectors() throws IOException {
    Files.delete(folder.resolve("vectors.json"));
    assertVectorsRefused("a bundle must hold " + folder.resolve("vectors.json"));
  }

  @Test
  void vectorsOfAnotherHead() throws IOException {
    Path file = folder.resolve("vectors.json");
    Files.writeString(file, Files.readString(file).replace("\"logits\": [[", "\"logits\": [[0, "));
    assertVectorsRefused("has rows of another width");
  }

  @Test
  void anotherFormat() throws IOException {
    Files.writeString(folder.resolve("head.json"), "{\"format\": \"2\", \"model\": {}}");
    assertRefused("this client reads bundles of format 1, " + folder + " states \"2\": ship it");
  }

  @Test
  void anotherLink() throws IOException {
    change(head -> head.addProperty("link", "probit"));
    assertRefused("it must state a model with its hash");
  }

  @Test
  void modelWithoutHash() throws IOException {
    change(head -> head.add("sha256", new JsonObject()));
    assertRefused("it must state a model with its hash");
  }

  @Test
  void changedModel() throws IOException {
    Files.write(folder.resolve("model.onnx"), new byte[1], StandardOpenOption.APPEND);
    assertRefused("model.onnx must be the file that was shipped");
  }

  @Test
  void missingDataFile() throws IOException {
    change(head -> head.getAsJsonObject("sha256").addProperty("missing.data", ""));
    assertRefused("a bundle must hold " + folder.resolve("missing.data") + ", it cannot be read");
  }

  @Test
  void anotherWidth() throws IOException {
    change(head -> head.addProperty("features", head.get("features").getAsInt() + 1));
    assertRefused("the model must have the inputs");
  }

  @Test
  void otherLabels() throws IOException {
    change(
        head -> {
          JsonArray labels = new JsonArray();
          for (int i = 0; i < head.get("classes").getAsInt(); i++) {
            labels.add("another " + i);
          }
          head.add("labels", labels);
        });
    assertRefused("the labels in head.json must be those in the model's metadata");
  }

  private void change(Consumer<JsonObject> change) throws IOException {
    Path file = folder.resolve("head.json");
    JsonObject head = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    change.accept(head);
    Files.writeString(file, head.toString());
  }

  private void assertRefused(String rule) {
    assertRefused(rule, () -> Classifier.load(folder).close());
  }

  private void assertVectorsRefused(String rule) {
    try (Classifier classifier = Classifier.load(folder)) {
      assertRefused(rule, () -> Vectors.read(folder, classifier));
    }
  }

  private static void assertRefused(String rule, Executable reading) {
    String message = assertThrows(BundleException.class, reading).getMessage();
    assertTrue(message.contains(rule), message);
    assertEquals(1, message.lines().count(), message);
  }
}
