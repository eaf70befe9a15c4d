package onnxhead.client

import java.nio.file.{Files, Path, StandardOpenOption}
import scala.jdk.StreamConverters._
import scala.util.Using

/** What is refused of a bundle that is not as it was shipped. */
class BundleSuite extends munit.FunSuite {
  private val copy = FunFixture[Path](_ => copyBundle(), delete)

  copy.test("a missing head") { folder =>
    Files.delete(folder.resolve("head.json"))
    assertRefused(folder, s"a bundle must have a head.json, $folder has none: name the bundle's folder")
  }

  for (content <- Seq("", "{", "[]", "{}", """{"format": "1", "model": {}}"""))
    copy.test(s"a head that is $content") { folder =>
      val file = Files.writeString(folder.resolve("head.json"), content)
      assertRefused(folder, s"$file must be as onnxhead ships it, it is not (")
    }

  for (content <- Seq("", "{", "[]", "{}", """{"cases": []}""", """{"cases": [{}]}"""))
    copy.test(s"vectors that are $content") { folder =>
      val file = Files.writeString(folder.resolve("vectors.json"), content)
      assertVectorsRefused(folder, s"$file must be as onnxhead ships it, it is not (")
    }

  copy.test("missing vectors") { folder =>
    val file = folder.resolve("vectors.json")
    Files.delete(file)
    assertVectorsRefused(folder, s"a bundle must hold $file, it cannot be read (")
  }

  copy.test("vectors of another head") { folder =>
    val file = folder.resolve("vectors.json")
    Files.writeString(file, Files.readString(file).replace("\"logits\": [[", "\"logits\": [[0, "))
    assertVectorsRefused(folder, "a case has rows of another width")
  }

  copy.test("another format") { folder =>
    Files.writeString(folder.resolve("head.json"), """{"format": "2", "model": {}}""")
    assertRefused(folder, s"this client reads bundles of format 1, $folder states \"2\": ship it again")
  }

  copy.test("another link") { folder =>
    change(folder)(_("link") = "probit")
    assertRefused(folder, "link must be softmax, sigmoid or ovr, got probit")
  }

  copy.test("a model without a hash") { folder =>
    change(folder)(_("sha256") = ujson.Obj())
    assertRefused(folder, "it states the hashes of [], and none of model.onnx")
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

  private def assertRefused(folder: Path, rule: String): Unit =
    assertRefused(rule)(Classifier.load(folder).close())

  private def assertVectorsRefused(folder: Path, rule: String): Unit =
    Using.resource(Classifier.load(folder))(classifier => assertRefused(rule)(Vectors.read(folder, classifier)))

  private def assertRefused(rule: String)(read: => Any): Unit = {
    val message = intercept[BundleException](read).getMessage
    assert(message.contains(rule) && message.linesIterator.size == 1, message)
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
