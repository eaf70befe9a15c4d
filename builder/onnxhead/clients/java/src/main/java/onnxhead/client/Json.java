package onnxhead.client;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonDeserializationContext;
import com.google.gson.JsonDeserializer;
import com.google.gson.JsonElement;
import com.google.gson.JsonPrimitive;
import com.google.gson.JsonSyntaxException;
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

  /** Reads a file that holds one object. */
  static <T> T read(Path file, Class<T> type) throws IOException {
    T value = GSON.fromJson(Files.readString(file), type);
    if (value == null) {
      throw new JsonSyntaxException("it is empty");
    }
    return value;
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

  private static Label label(JsonElement json, Type type, JsonDeserializationContext context) {
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
