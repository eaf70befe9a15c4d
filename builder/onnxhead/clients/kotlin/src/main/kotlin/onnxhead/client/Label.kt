package onnxhead.client

/**
 * The name of a class, in the type that it had in training. Labels of different types are never equal: 1, 1.0, true and
 * "1" are four labels.
 */
public sealed interface Label {
    /** The label without its type: a [String], [Long], [Double] or [Boolean]. */
    public val value: Any

    /** A label that is a string. */
    public data class Text(
        override val value: String,
    ) : Label

    /** A label that is an integer within 2^53. */
    public data class Whole(
        override val value: Long,
    ) : Label

    /** A label that is a finite decimal number. */
    public data class Decimal(
        override val value: Double,
    ) : Label

    /** A label that is true or false. */
    public data class Flag(
        override val value: Boolean,
    ) : Label
}
