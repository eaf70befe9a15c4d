package onnxhead.client

class CheckSuite extends munit.FunSuite {
  test("a good bundle passes") {
    assertEquals(Check.run(Seq("bundle")), 0)
  }

  test("a missing bundle is refused") {
    assertEquals(Check.run(Seq("nowhere")), 2)
  }

  test("what is not known is refused") {
    for (args <- Seq(Seq("--tim", "bundle"), Seq("--help"), Seq("bundle", "bundle"))) assertEquals(Check.run(args), 2)
  }
}
