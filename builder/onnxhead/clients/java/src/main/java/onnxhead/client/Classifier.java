package onnxhead.client;

import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/** A head that is loaded. Several threads may call it at once. */
public final class Classifier implements AutoCloseable {
  private final Head head;
  private final Model model;
  private final Queue<Tensors> idle = new ConcurrentLinkedQueue<>(); // one row each
  private final ReadWriteLock use = new ReentrantReadWriteLock(); // closing waits for calls
  private boolean closed;

  private Classifier(Head head, Model model) {
    this.head = head;
    this.model = model;
  }

  /**
   * Loads a bundle. Switches onnxruntime's telemetry off in the whole process.
   *
   * @param folder the folder that holds head.json and the model
   * @return a classifier, to be closed after use
   * @throws BundleException if the folder is no bundle, or its files are not those that were
   *     shipped
   */
  public static Classifier load(Path folder) {
    Head head = Head.read(folder);
    return new Classifier(head, Model.open(folder, head));
  }

  /**
   * Returns the width of a row.
   *
   * @return how many features a row has
   */
  public int features() {
    return head.features();
  }

  /**
   * Returns the labels in the order of the logits.
   *
   * @return one per class
   */
  public List<Label> labels() {
    return head.labels();
  }

  /**
   * Returns how logits become probabilities.
   *
   * @return the link of the head
   */
  public Link link() {
    return head.link();
  }

  /**
   * Answers one row.
   *
   * @param row as many numbers as the head has {@link #features}
   * @return the answer
   * @throws IllegalArgumentException if the row has another width
   * @throws IllegalStateException if the classifier is closed
   */
  public Prediction classify(float[] row) {
    checkWidth(row);
    return whileOpen(() -> classifyAlone(row));
  }

  /**
   * Answers a batch of rows, in one run of the model.
   *
   * @param rows any number of rows, each as for {@link #classify}
   * @return the answers, one per row
   * @throws IllegalArgumentException if a row has another width
   * @throws ArithmeticException if the features or the answers are 2 GiB or more: split the batch
   * @throws IllegalStateException if the classifier is closed
   */
  public List<Prediction> classifyBatch(float[][] rows) {
    for (float[] row : rows) {
      checkWidth(row);
    }
    return whileOpen(() -> rows.length == 0 ? List.of() : classifyTogether(rows));
  }

  /** Frees the memory outside the heap, after the calls that are under way; twice is once. */
  @Override
  public void close() {
    use.writeLock().lock();
    try {
      if (!closed) {
        closed = true;
        idle.forEach(Tensors::close);
        model.close();
      }
    } finally {
      use.writeLock().unlock();
    }
  }

  private <T> T whileOpen(Supplier<T> call) {
    use.readLock().lock();
    try {
      if (closed) {
        throw new IllegalStateException(
            "a classifier that is closed answers no more: load it again");
      }
      return call.get();
    } finally {
      use.readLock().unlock();
    }
  }

  private Prediction classifyAlone(float[] row) {
    Tensors tensors = idle.poll();
    if (tensors == null) {
      tensors = model.allocate(1);
    }
    try {
      return model.run(tensors, row).get(0);
    } finally {
      idle.add(tensors);
    }
  }

  private List<Prediction> classifyTogether(float[][] rows) {
    try (Tensors tensors = model.allocate(rows.length)) {
      return model.run(tensors, rows);
    }
  }

  private void checkWidth(float[] row) {
    if (row.length != head.features()) {
      throw new IllegalArgumentException(
          ("a row must have %d features, got %d: pass those that the head was trained on, in their "
                  + "order")
              .formatted(head.features(), row.length));
    }
  }
}
