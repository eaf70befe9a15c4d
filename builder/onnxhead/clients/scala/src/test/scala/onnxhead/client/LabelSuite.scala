package onnxhead.client

import onnxhead.client.Label._

class LabelSuite extends munit.FunSuite {
  test("labels keep their type") {
    assertEquals(
      Json.labels("""[1, 1.0, 1e+300, true, "1", "é\n\"🦀"]"""),
      Seq(Whole(1), Decimal(1.0), Decimal(1e300), Flag(true), Text("1"), Text("é\n\"🦀"))
    )
  }
}
