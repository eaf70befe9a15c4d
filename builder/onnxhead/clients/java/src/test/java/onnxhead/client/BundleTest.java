package onnxhead.client;

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
import org.junit.jupiter.api.io.TempDir;

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
    assertRefused("a bundle must have a head.json");
  }

  @Test
  void malformedHead() throws IOException {
    Files.writeString(folder.resolve("head.json"), "{");
    assertRefused("a bundle must have a head.json");
  }

  @Test
  void anotherFormat() throws IOException {
    change(head -> head.addProperty("format", "2"));
    assertRefused("this client reads bundles of format 1");
  }

  @Test
  void anotherLink() throws IOException {
    change(head -> head.addProperty("link", "probit"));
    assertRefused("head.json of a bundle must state");
  }

  @Test
  void modelWithoutHash() throws IOException {
    change(head -> head.add("sha256", new JsonObject()));
    assertRefused("head.json of a bundle must state a model with its hash");
  }

  @Test
  void changedModel() throws IOException {
    Files.write(folder.resolve("model.onnx"), new byte[1], StandardOpenOption.APPEND);
    assertRefused("model.onnx must be the file that was shipped");
  }

  @Test
  void missingDataFile() throws IOException {
    change(head -> head.getAsJsonObject("sha256").addProperty("missing.data", ""));
    assertRefused("a bundle must hold");
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
    BundleException refused =
        assertThrows(BundleException.class, () -> Classifier.load(folder).close());
    assertTrue(refused.getMessage().contains(rule), refused::getMessage);
  }
}
