package onnxhead.client

import java.io.IOException
import java.nio.file.Path

/** A folder is no bundle, or its files are not those that were shipped. */
final class BundleException private[client] (message: String, cause: Throwable = null) extends Exception(message, cause)

private[client] object BundleException {

  /** A file is missing, or cannot be read. */
  def unreadable(file: Path, cause: IOException): BundleException = new BundleException(
    s"a bundle must hold $file, it cannot be read ($cause): copy the bundle again, as a whole",
    cause
  )

  /** A file is there, and not what onnxhead ships. */
  def malformed(file: Path, reason: String, cause: Throwable = null): BundleException = new BundleException(
    s"$file must be as onnxhead ships it, it is not ($reason): copy the bundle again, as a whole",
    cause
  )
}
