package onnxhead.client;

import com.google.gson.annotations.SerializedName;

/** How logits become probabilities. */
public enum Link {
  /** The classes exclude each other; the probabilities of a row add up to 1. */
  @SerializedName("softmax")
  SOFTMAX,
  /** The labels are independent; see {@link Prediction#above}. */
  @SerializedName("sigmoid")
  SIGMOID,
  /** One classifier per class against the rest, normalised to add up to 1. */
  @SerializedName("ovr")
  OVR
}
