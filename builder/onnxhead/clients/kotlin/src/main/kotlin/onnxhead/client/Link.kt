package onnxhead.client

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** How logits become probabilities. */
@Serializable
public enum class Link {
    /** The classes exclude each other; the probabilities of a row add up to 1. */
    @SerialName("softmax")
    SOFTMAX,

    /** The labels are independent; see [Prediction.above]. */
    @SerialName("sigmoid")
    SIGMOID,

    /** One classifier per class against the rest, normalised to add up to 1. */
    @SerialName("ovr")
    OVR,
}
