package onnxhead.client;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** The program that holds a bundle's model to its vectors: check [--time] [BUNDLE]. */
final class Check {
  private static final int WARMUP = 200;
  private static final int CALLS = 2000;

  private Check() {}

  public static void main(String[] args) {
    System.exit(run(args));
  }

  /** Runs the program, and returns its exit status. */
  static int run(String... args) {
    List<String> arguments = new ArrayList<>(List.of(args));
    boolean timed = arguments.remove("--time");
    if (arguments.size() > 1 || arguments.stream().anyMatch(it -> it.startsWith("-"))) {
      System.err.println("usage: check [--time] [BUNDLE]");
      return 2;
    }
    Path folder = Path.of(arguments.isEmpty() ? "bundle" : arguments.get(0));
    try (Classifier classifier = Classifier.load(folder)) {
      List<Vectors.Case> cases = Vectors.read(folder, classifier);
      return timed ? time(classifier, cases) : compare(classifier, cases);
    } catch (BundleException refused) {
      System.err.println(refused.getMessage());
      return 2;
    }
  }

  private static int compare(Classifier classifier, List<Vectors.Case> cases) {
    int failed = 0;
    double largest = 0;
    for (Vectors.Case expected : cases) {
      Comparison comparison = Comparison.of(classifier, expected);
      largest = Math.max(largest, comparison.largestError()); // NaN is the largest
      if (comparison.problem().isPresent()) {
        failed++;
        print("FAILED %s: %s", expected.name(), comparison.problem().get());
      }
    }
    print("largest error: %s of its tolerance", threeDigits(largest));
    print("%d passed, %d failed", cases.size() - failed, failed);
    return failed == 0 ? 0 : 1;
  }

  private static int time(Classifier classifier, List<Vectors.Case> cases) {
    float[] row =
        cases.stream()
            .map(Vectors.Case::features)
            .flatMap(Arrays::stream)
            .findFirst()
            .orElseThrow();
    long[] nanoseconds = new long[WARMUP + CALLS];
    for (int i = 0; i < nanoseconds.length; i++) {
      long start = System.nanoTime();
      classifier.classify(row);
      nanoseconds[i] = System.nanoTime() - start;
    }
    Arrays.sort(nanoseconds, WARMUP, nanoseconds.length);
    print("one row: %.2f us", nanoseconds[WARMUP + CALLS / 2] / 1e3);
    return 0;
  }

  private static String threeDigits(double value) {
    if (Double.isFinite(value)) {
      return String.format(Locale.ROOT, "%.3g", value);
    }
    return Double.isNaN(value) ? "nan" : "inf";
  }

  private static void print(String format, Object... arguments) {
    System.out.printf(Locale.ROOT, format + "%n", arguments);
  }
}
