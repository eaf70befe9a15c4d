package onnxhead.client

import java.nio.file.Path
import java.util.Locale
import scala.util.Using

/** The program that holds a bundle's model to its vectors: check [--time] [BUNDLE]. */
private[client] object Check {
  private val Warmup = 200
  private val Calls = 2000

  def main(args: Array[String]): Unit = sys.exit(run(args.toSeq))

  /** Runs the program, and returns its exit status. */
  def run(args: Seq[String]): Int = {
    val (options, folders) = args.partition(_.startsWith("-"))
    if (folders.sizeIs > 1 || options.exists(_ != "--time")) {
      Console.err.println("usage: check [--time] [BUNDLE]")
      2
    } else run(Path.of(folders.headOption.getOrElse("bundle")), options.nonEmpty)
  }

  private def run(folder: Path, isTimed: Boolean): Int =
    try
      Using.resource(Classifier.load(folder)) { classifier =>
        val cases = Vectors.read(folder, classifier)
        if (isTimed) time(classifier, cases) else compare(classifier, cases)
      }
    catch {
      case refused: BundleException =>
        Console.err.println(refused.getMessage)
        2
    }

  private def compare(classifier: Classifier, cases: Seq[Case]): Int = {
    val comparisons = cases.map(Comparison.of(classifier, _))
    val failures = for (comparison <- comparisons; problem <- comparison.problem) yield s"${comparison.name}: $problem"
    failures.foreach(failure => println(s"FAILED $failure"))
    println(s"largest error: ${threeDigits(comparisons.map(_.largestError).foldLeft(0.0)(math.max))} of its tolerance")
    println(s"${cases.size - failures.size} passed, ${failures.size} failed")
    if (failures.isEmpty) 0 else 1
  }

  private def time(classifier: Classifier, cases: Seq[Case]): Int = {
    val row = cases.flatMap(_.features).head
    val nanoseconds = Seq.fill(Warmup + Calls) {
      val start = System.nanoTime()
      classifier.classify(row)
      System.nanoTime() - start
    }
    val median = nanoseconds.drop(Warmup).sorted.apply(Calls / 2)
    println("one row: %.2f us".formatLocal(Locale.ROOT, median / 1e3))
    0
  }

  private def threeDigits(value: Double): String =
    if (value.isNaN) "nan"
    else if (value.isInfinite) "inf"
    else "%.3g".formatLocal(Locale.ROOT, value)
}
