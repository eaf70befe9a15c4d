package onnxhead.client;

/** A folder is no bundle, or its files are not those that were shipped. */
public final class BundleException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  BundleException(String message) {
    super(message);
  }

  BundleException(String message, Throwable cause) {
    super(message, cause);
  }
}
