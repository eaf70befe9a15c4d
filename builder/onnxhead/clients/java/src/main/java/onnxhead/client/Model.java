package onnxhead.client;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import com.google.gson.JsonParseException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** The model of a bundle, open in onnxruntime. */
final class Model implements AutoCloseable {
  private static final OrtEnvironment ENVIRONMENT = OrtEnvironment.getEnvironment();

  private final OrtSession session;
  private final Head head;

  private Model(OrtSession session, Head head) {
    this.session = session;
    this.head = head;
  }

  /**
   * Opens the model.
   *
   * @throws BundleException if onnxruntime refuses it, or it is not what head.json states
   */
  static Model open(Path folder, Head head) {
    Path file = folder.resolve(head.model());
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      ENVIRONMENT.setTelemetry(false);
      options.setIntraOpNumThreads(1); // a head is small, and callers have threads of their own
      Model model = new Model(ENVIRONMENT.createSession(file.toString(), options), head);
      try {
        model.checkSignature();
        model.checkLabels();
      } catch (BundleException | OrtException cause) {
        model.close();
        throw cause;
      }
      return model;
    } catch (OrtException cause) {
      throw new BundleException(
          ("%s must load in onnxruntime, %s refuses it (%s): take a newer onnxruntime, or copy the "
                  + "bundle again, as a whole")
              .formatted(file, ENVIRONMENT.getVersion(), cause.getMessage()),
          cause);
    }
  }

  Tensors allocate(int rows) {
    try {
      return new Tensors(ENVIRONMENT, head, rows);
    } catch (OrtException cause) {
      throw failure(cause);
    }
  }

  List<Prediction> run(Tensors tensors, float[]... rows) {
    try {
      return tensors.run(session, rows);
    } catch (OrtException cause) {
      throw failure(cause);
    }
  }

  @Override
  public void close() {
    try {
      session.close();
    } catch (OrtException cause) {
      throw failure(cause);
    }
  }

  private void checkSignature() throws OrtException {
    Map<String, String> inputs = Map.of(head.input(), matrix(head.features()));
    Map<String, String> outputs =
        Map.of(
            head.logits(), matrix(head.classes()),
            head.probabilities(), matrix(head.classes()));
    Map<String, String> foundInputs = describe(session.getInputInfo());
    Map<String, String> foundOutputs = describe(session.getOutputInfo());
    if (!foundInputs.equals(inputs) || !foundOutputs.equals(outputs)) {
      throw new BundleException(
          ("the model must have the inputs %s and outputs %s of head.json, it has %s and %s: copy "
                  + "the bundle again, as a whole")
              .formatted(inputs, outputs, foundInputs, foundOutputs));
    }
  }

  private void checkLabels() throws OrtException {
    if (head.labels().stream().allMatch(Model::isReadable) && !head.labels().equals(labels())) {
      throw new BundleException(
          "the labels in head.json must be those in the model's metadata, they are others: copy the "
              + "bundle again, as a whole");
    }
  }

  /** onnxruntime's JNI cuts metadata with other characters, so that it cannot be compared. */
  private static boolean isReadable(Label label) {
    return label.value().toString().codePoints().allMatch(Character::isBmpCodePoint);
  }

  private List<Label> labels() throws OrtException {
    Optional<String> text = session.getMetadata().getCustomMetadataValue("onnxhead.labels");
    try {
      return text.map(Json::labels).orElseGet(() -> numbers(head.classes()));
    } catch (JsonParseException malformed) {
      return List.of();
    }
  }

  private static List<Label> numbers(int classes) {
    return LongStream.range(0, classes).<Label>mapToObj(Label.Whole::new).toList();
  }

  private static Map<String, String> describe(Map<String, NodeInfo> nodes) {
    return nodes.values().stream()
        .collect(Collectors.toMap(NodeInfo::getName, node -> describe(node)));
  }

  private static String describe(NodeInfo node) {
    return node.getInfo() instanceof TensorInfo tensor
        ? tensor.type + Arrays.toString(tensor.getShape())
        : node.getInfo().toString();
  }

  private static String matrix(int width) {
    return "FLOAT[-1, " + width + "]"; // any number of rows
  }

  private static IllegalStateException failure(OrtException cause) {
    return new IllegalStateException("onnxruntime failed: " + cause.getMessage(), cause);
  }
}
