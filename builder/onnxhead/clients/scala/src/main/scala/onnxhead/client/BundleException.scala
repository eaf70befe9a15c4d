package onnxhead.client

/** A folder is no bundle, or its files are not those that were shipped. */
final class BundleException private[client] (message: String, cause: Throwable = null) extends Exception(message, cause)
