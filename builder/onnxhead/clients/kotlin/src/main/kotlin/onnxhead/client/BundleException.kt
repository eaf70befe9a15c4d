package onnxhead.client

/** A folder is no bundle, or its files are not those that were shipped. */
public class BundleException internal constructor(
    message: String,
    cause: Throwable? = null,
) : Exception(message, cause)
