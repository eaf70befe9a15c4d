package onnxhead.client

import java.nio.file.{Files, Path, StandardOpenOption}
import scala.jdk.StreamConverters._
import scala.util.Using

/** What is refused of a bundle that is not as it was shipped. */
class BundleSuite extends munit.FunSuite {
  private val copy = FunFixture[Path](_ => copyBundle(), delete)

  copy.test("a missing head") { folder =>
    Files.delete(folder.resolve("head.json"))
    assertRefused(folder, "a bundle must have a")
  }

  copy.test("a malformed head") { folder =>
    Files.writeString(folder.resolve("head.json"), "{")
    assertRefused(folder, "a bundle must have a")
  }

  copy.test("another format") { folder =>
    change(folder)(_("format") = "2")
    assertRefused(folder, "this client reads bundles of format 1")
  }

  copy.test("another link") { folder =>
    change(folder)(_("link") = "probit")
    assertRefused(folder, "link must be softmax, sigmoid or ovr, got probit")
  }

  copy.test("a model without a hash") { folder =>
    change(folder)(_("sha256") = ujson.Obj())
    assertRefused(folder, "it must state the hash of model.onnx")
  }

  copy.test("a changed model") { folder =>
    Files.write(folder.resolve("model.onnx"), Array[Byte](0), StandardOpenOption.APPEND)
    assertRefused(folder, "model.onnx must be the file that was shipped")
  }

  copy.test("a missing data file") { folder =>
    change(folder)(_("sha256")("missing.data") = "")
    assertRefused(folder, "a bundle must hold")
  }

  copy.test("another width") { folder =>
    change(folder)(head => head("features") = head("features").num + 1)
    assertRefused(folder, "the model must have the inputs")
  }

  copy.test("other labels") { folder =>
    change(folder)(head => head("labels") = head("labels").arr.indices.map(index => s"another $index"))
    assertRefused(folder, "the labels in head.json must be those in the model's metadata")
  }

  private def change(folder: Path)(edit: ujson.Value => Unit): Unit = {
    val file = folder.resolve("head.json")
    val head = ujson.read(Files.readAllBytes(file))
    edit(head)
    Files.writeString(file, head.render())
  }

  private def assertRefused(folder: Path, rule: String): Unit = {
    val refused = intercept[BundleException](Classifier.load(folder).close())
    assert(refused.getMessage.contains(rule), refused.getMessage)
  }

  private def copyBundle(): Path = {
    val folder = Files.createTempDirectory("bundle")
    files(Path.of("bundle")).foreach(file => Files.copy(file, folder.resolve(file.getFileName)))
    folder
  }

  private def delete(folder: Path): Unit = {
    files(folder).foreach(Files.delete)
    Files.delete(folder)
  }

  private def files(folder: Path): Seq[Path] =
    Using.resource(Files.list(folder))(_.toScala(Seq).filter(Files.isRegularFile(_)))
}
