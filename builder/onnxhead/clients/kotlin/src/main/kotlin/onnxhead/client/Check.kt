package onnxhead.client

import java.util.Locale
import kotlin.io.path.Path
import kotlin.system.exitProcess
import kotlin.system.measureNanoTime

private const val WARMUP = 200
private const val CALLS = 2000

/** The program that holds a bundle's model to its vectors: check [--time] [BUNDLE]. */
internal fun main(args: Array<String>) {
    exitProcess(run(args.toList()))
}

/** Runs the program, and returns its exit status. */
internal fun run(args: List<String>): Int {
    val (options, folders) = args.partition { it.startsWith("-") }
    if (folders.size > 1 || options.any { it != "--time" }) {
        System.err.println("usage: check [--time] [BUNDLE]")
        return 2
    }
    val folder = Path(folders.firstOrNull() ?: "bundle")
    return try {
        Classifier.load(folder).use { classifier ->
            val cases = readCases(folder, classifier)
            if ("--time" in options) time(classifier, cases) else compare(classifier, cases)
        }
    } catch (refused: BundleException) {
        System.err.println(refused.message)
        2
    }
}

private fun compare(
    classifier: Classifier,
    cases: List<Case>,
): Int {
    val comparisons = cases.map { Comparison(classifier, it) }
    val failed = comparisons.filter { it.problem != null }
    failed.forEach { println("FAILED ${it.name}: ${it.problem}") }
    println("largest error: ${threeDigits(comparisons.maxOf(Comparison::largestError))} of its tolerance")
    println("${cases.size - failed.size} passed, ${failed.size} failed")
    return if (failed.isEmpty()) 0 else 1
}

private fun time(
    classifier: Classifier,
    cases: List<Case>,
): Int {
    val row = cases.first { it.features.isNotEmpty() }.features.first()
    repeat(WARMUP) { classifier.classify(row) }
    val nanoseconds = List(CALLS) { measureNanoTime { classifier.classify(row) } }.sorted()
    println("one row: %.2f us".format(Locale.ROOT, nanoseconds[CALLS / 2] / 1e3))
    return 0
}

private fun threeDigits(value: Double): String =
    when {
        value.isNaN() -> "nan"
        value.isInfinite() -> "inf"
        else -> "%.3g".format(Locale.ROOT, value)
    }
