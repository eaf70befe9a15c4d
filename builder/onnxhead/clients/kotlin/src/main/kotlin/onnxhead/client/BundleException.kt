package onnxhead.client

import java.io.IOException
import java.nio.file.Path

/** A folder is no bundle, or its files are not those that were shipped. */
public class BundleException internal constructor(
    message: String,
    cause: Throwable? = null,
) : Exception(message, cause)

/** A file is missing, or cannot be read. */
internal fun unreadable(
    file: Path,
    cause: IOException,
) = BundleException("a bundle must hold $file, it cannot be read ($cause): copy the bundle again, as a whole", cause)

/** A file is there, and not what onnxhead ships. */
internal fun malformed(
    file: Path,
    reason: String,
    cause: Throwable? = null,
) = BundleException("$file must be as onnxhead ships it, it is not ($reason): copy the bundle again, as a whole", cause)
