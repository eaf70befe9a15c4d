package onnxhead.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonDeserializationContext;
import com.google.gson.JsonDeserializer;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import java.io.IOException;
import java.lang.reflect.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Reads the JSON of a bundle. */
final class Json {
  private static final Gson GSON =
      new GsonBuilder()
          .setStrictness(Strictness.STRICT)
          .disableHtmlEscaping()
          .registerTypeAdapter(Label.class, (JsonDeserializer<Label>) Json::label)
          .create();

  private Json() {}

  /**
   * Reads a file of a bundle.
   *
   * @throws BundleException if it is missing, or holds no object
   */
  static JsonObject read(Path file) {
    try {
      JsonObject document = GSON.fromJson(Files.readString(file), JsonObject.class);
      if (document == null) {
        throw new JsonParseException("it is empty");
      }
      return document;
    } catch (IOException cause) {
      throw BundleException.unreadable(file, cause);
    } catch (JsonParseException cause) {
      throw BundleException.malformed(file, reason(cause), cause);
    }
  }

  /**
   * Converts what a file of a bundle holds.
   *
   * @throws BundleException if a value is of another type
   */
  static <T> T convert(JsonObject document, Class<T> type, Path file) {
    try {
      return GSON.fromJson(document, type);
    } catch (JsonParseException cause) {
      throw BundleException.malformed(file, reason(cause), cause);
    }
  }

  /** Reads an array of labels. */
  static List<Label> labels(String text) {
    return List.of(GSON.fromJson(text, Label[].class));
  }

  /** Converts an array of labels, or a single one. */
  static List<Label> labels(JsonElement json) {
    return json.isJsonArray()
        ? List.of(GSON.fromJson(json, Label[].class))
        : List.of(GSON.fromJson(json, Label.class));
  }

  /** Shows labels in one line. */
  static String show(List<Label> labels) {
    return GSON.toJson(labels.stream().map(Label::value).toList());
  }

  /** What Gson found, without the exception's class and the advice that follows in a line below. */
  private static String reason(JsonParseException exception) {
    Throwable found = exception.getCause() == null ? exception : exception.getCause();
    return String.valueOf(found.getMessage()).lines().findFirst().orElse("");
  }

  private static Label label(JsonElement json, Type type, JsonDeserializationContext context) {
    if (!json.isJsonPrimitive()) {
      throw new JsonParseException("a label must be a string, a number or a boolean, got " + json);
    }
    JsonPrimitive value = json.getAsJsonPrimitive();
    if (value.isString()) {
      return new Label.Text(value.getAsString());
    }
    if (value.isBoolean()) {
      return new Label.Flag(value.getAsBoolean());
    }
    return value.getAsString().matches("-?\\d+")
        ? new Label.Whole(value.getAsLong())
        : new Label.Decimal(value.getAsDouble());
  }
}
