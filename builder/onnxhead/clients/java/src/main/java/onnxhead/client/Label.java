package onnxhead.client;

/**
 * The name of a class, in the type that it had in training. Labels of different types are never
 * equal: 1, 1.0, true and "1" are four labels.
 */
public sealed interface Label {
  /**
   * Returns the label without its type.
   *
   * @return a {@link String}, {@link Long}, {@link Double} or {@link Boolean}
   */
  Object value();

  /**
   * A label that is a string.
   *
   * @param value the string
   */
  record Text(String value) implements Label {}

  /**
   * A label that is an integer.
   *
   * @param value an integer within 2^53
   */
  record Whole(Long value) implements Label {}

  /**
   * A label that is a decimal number.
   *
   * @param value a finite number
   */
  record Decimal(Double value) implements Label {}

  /**
   * A label that is true or false.
   *
   * @param value true or false
   */
  record Flag(Boolean value) implements Label {}
}
