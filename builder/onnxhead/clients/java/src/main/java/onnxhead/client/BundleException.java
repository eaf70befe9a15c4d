package onnxhead.client;

import java.io.IOException;
import java.nio.file.Path;

/** A folder is no bundle, or its files are not those that were shipped. */
public final class BundleException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  BundleException(String message) {
    super(message);
  }

  BundleException(String message, Throwable cause) {
    super(message, cause);
  }

  /** A file is missing, or cannot be read. */
  static BundleException unreadable(Path file, IOException cause) {
    return new BundleException(
        "a bundle must hold %s, it cannot be read (%s): copy the bundle again, as a whole"
            .formatted(file, cause),
        cause);
  }

  static BundleException malformed(Path file, String reason) {
    return malformed(file, reason, null);
  }

  /** A file is there, and not what onnxhead ships. */
  static BundleException malformed(Path file, String reason, Throwable cause) {
    return new BundleException(
        "%s must be as onnxhead ships it, it is not (%s): copy the bundle again, as a whole"
            .formatted(file, reason),
        cause);
  }
}
