package onnxhead.client;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Memory outside the heap for a number of rows and their answers, for one thread at a time.
 *
 * <p>onnxruntime reads and writes it in place. Kept for the next call, it makes a call three times
 * as fast as tensors that are made anew.
 */
final class Tensors implements AutoCloseable {
  private final Head head;
  private final int count;
  private final FloatBuffer features;
  private final FloatBuffer logits;
  private final FloatBuffer probabilities;
  private final Map<String, OnnxTensor> inputs;
  private final Map<String, OnnxTensor> outputs;

  /**
   * Allocates the memory.
   *
   * @throws ArithmeticException if one of the tensors needs 2 GiB or more
   */
  Tensors(OrtEnvironment environment, Head head, int count) throws OrtException {
    this.head = head;
    this.count = count;
    features = allocate(head.features());
    logits = allocate(head.classes());
    probabilities = allocate(head.classes());
    inputs = Map.of(head.input(), tensor(environment, features, head.features()));
    outputs =
        Map.of(
            head.logits(), tensor(environment, logits, head.classes()),
            head.probabilities(), tensor(environment, probabilities, head.classes()));
  }

  /** Answers as many rows as there is memory for. */
  List<Prediction> run(OrtSession session, float[]... rows) throws OrtException {
    features.clear();
    for (float[] row : rows) {
      features.put(row);
    }
    session.run(inputs, outputs).close();
    return IntStream.range(0, count)
        .mapToObj(i -> new Prediction(slice(logits, i), slice(probabilities, i), head.labels()))
        .toList();
  }

  @Override
  public void close() {
    inputs.values().forEach(OnnxTensor::close);
    outputs.values().forEach(OnnxTensor::close);
  }

  private float[] slice(FloatBuffer answers, int index) {
    float[] row = new float[head.classes()];
    answers.get(index * row.length, row);
    return row;
  }

  private FloatBuffer allocate(int width) {
    int bytes = Math.multiplyExact(Math.multiplyExact(count, width), Float.BYTES);
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).asFloatBuffer();
  }

  private OnnxTensor tensor(OrtEnvironment environment, FloatBuffer buffer, int width)
      throws OrtException {
    return OnnxTensor.createTensor(environment, buffer, new long[] {count, width});
  }
}
