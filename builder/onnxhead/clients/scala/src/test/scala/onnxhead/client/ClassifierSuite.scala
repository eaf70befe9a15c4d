package onnxhead.client

import java.nio.file.Path
import java.util.concurrent.Executors
import scala.concurrent.{ExecutionContext, Future}

/** The client on the bundle beside it, whatever head that holds. */
class ClassifierSuite extends munit.FunSuite {
  private val bundle = Path.of("bundle")
  private val classifier = Classifier.load(bundle)
  private val cases = Vectors.read(bundle, classifier)
  private val rows = cases.flatMap(_.features)

  override def afterAll(): Unit = classifier.close()

  test("every vector is within its tolerance") {
    for (comparison <- cases.map(Comparison.of(classifier, _))) {
      assertEquals(comparison.problem, None, comparison.name)
      assert(comparison.largestError <= 1, comparison.name)
    }
    assert(rows.sizeIs >= 16)
  }

  test("a vector that is wrong fails") {
    val right = cases.head
    val logit = right.logits.head.head + 2 * right.logitsTolerance.head.head
    val wrong = right.copy(logits = right.logits.updated(0, right.logits.head.updated(0, logit)))
    val comparison = Comparison.of(classifier, wrong)
    assert(comparison.problem.exists(_.startsWith("logit of row 0, class 0 is")))
    assert(comparison.largestError > 1)
  }

  test("no rows have no answers") {
    assertEquals(classifier.classifyBatch(Seq.empty), Seq.empty)
  }

  test("the top labels are in order") {
    val prediction = classifier.classify(rows.head)
    val top = prediction.top(classifier.labels.size + 1).map { case (label, _) => label }
    assertEquals(top.headOption, prediction.label)
    assertEquals(top.toSet, classifier.labels.toSet)
    val logits = top.map(label => prediction.logits(classifier.labels.indexOf(label)))
    assertEquals(logits, logits.sortWith(_ > _))
  }

  test("labels above a threshold are in the order of the classes") {
    val prediction = classifier.classify(rows.head)
    assertEquals(prediction.above(-1), classifier.labels)
    assertEquals(prediction.above(1), Seq.empty)
  }

  test("a row with NaN has no label and others have") {
    val row = new Array[Float](classifier.features)
    val predictions = classifier.classifyBatch(Seq(row.updated(0, Float.NaN), row))
    assertEquals(predictions.map(_.label.isDefined), Seq(false, true))
  }

  test("a row of another width is refused") {
    val row = new Array[Float](classifier.features + 1)
    val message = s"requirement failed: a row must have ${classifier.features} features, got ${row.length}: pass " +
      "those that the head was trained on, in their order"
    interceptMessage[IllegalArgumentException](message)(classifier.classify(row))
    interceptMessage[IllegalArgumentException](message)(classifier.classifyBatch(Seq(row.tail, row)))
  }

  test("several threads get the same answers") {
    val pool = Executors.newFixedThreadPool(8)
    implicit val context: ExecutionContext = ExecutionContext.fromExecutor(pool)
    val alone = rows.map(classifier.classify)
    val answers = Future.traverse(Seq.fill(20)(rows).flatten)(row => Future(classifier.classify(row)))
    answers.map(assertEquals(_, Seq.fill(20)(alone).flatten)).andThen(_ => pool.shutdown())
  }

  test("closing waits for calls and ends them") {
    val closing = Classifier.load(bundle)
    val pool = Executors.newFixedThreadPool(8)
    implicit val context: ExecutionContext = ExecutionContext.fromExecutor(pool)
    val calls = Seq.fill(8)(Future[Unit](while (true) closing.classify(rows.head)))
    closing.classify(rows.head)
    closing.close()
    closing.close()
    val endings = Future.traverse(calls)(_.failed.map(_.getMessage))
    val ending = "a classifier that is closed answers no more: load it again"
    endings.map(assertEquals(_, Seq.fill(8)(ending))).andThen(_ => pool.shutdown())
  }
}
