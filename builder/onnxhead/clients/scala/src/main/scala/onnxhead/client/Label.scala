package onnxhead.client

/** The name of a class, in the type that it had in training. Labels of different types are never equal: 1, 1.0, true
  * and "1" are four labels.
  */
sealed trait Label extends Product with Serializable {

  /** The label without its type: a String, Long, Double or Boolean. */
  def value: Any
}

object Label {

  /** A label that is a string. */
  final case class Text(value: String) extends Label

  /** A label that is an integer within 2^53. */
  final case class Whole(value: Long) extends Label

  /** A label that is a finite decimal number. */
  final case class Decimal(value: Double) extends Label

  /** A label that is true or false. */
  final case class Flag(value: Boolean) extends Label
}
