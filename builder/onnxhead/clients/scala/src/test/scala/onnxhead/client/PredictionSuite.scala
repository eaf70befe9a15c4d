package onnxhead.client

import onnxhead.client.Label.Text
import scala.collection.immutable.ArraySeq

class PredictionSuite extends munit.FunSuite {
  private val a = Text("a")
  private val b = Text("b")
  private val c = Text("c")

  private def predict(logits: Float*)(probabilities: Float*) =
    Prediction(logits.to(ArraySeq), probabilities.to(ArraySeq), Vector(a, b, c))

  test("the first of equal logits comes first") {
    val prediction = predict(-1, -0f, 0f)(0.2f, 0.4f, 0.4f)
    assertEquals(prediction.label, Some(b))
    assertEquals(prediction.top(3), Seq(b -> 0.4f, c -> 0.4f, a -> 0.2f))
  }

  test("top has at most all labels") {
    val prediction = predict(3, 2, 1)(0.7f, 0.2f, 0.1f)
    assertEquals(prediction.top(1), Seq(a -> 0.7f))
    assertEquals(prediction.top(4), prediction.top(3))
  }

  test("top of less than one is refused") {
    val prediction = predict(3, 2, 1)(0.7f, 0.2f, 0.1f)
    interceptMessage[IllegalArgumentException]("requirement failed: k must be at least 1, got 0")(prediction.top(0))
  }

  test("above is strict") {
    assertEquals(predict(1, 0, 2)(0.7f, 0.5f, 0.9f).above(0.5), Seq(a, c))
  }

  test("NaN has no labels") {
    val prediction = predict(1, 2, 3)(0, Float.NaN, 1)
    assertEquals(prediction.label, None)
    assertEquals(prediction.above(-1), Seq.empty)
    assertEquals(prediction.top(3), Seq.empty)
  }
}
