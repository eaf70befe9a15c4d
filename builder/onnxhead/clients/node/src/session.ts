import { InferenceSession } from "onnxruntime-node";
import { BundleError, type Label } from "./bundle.js";
import { Prediction } from "./prediction.js";

// onnxruntime sends usage data unless this is set when it opens its first session
process.env.ORT_DISABLE_TELEMETRY ??= "1";

/**
 * Opens a model by its path, beside which onnxruntime looks for its data file.
 *
 * @param threads How many threads a call computes with; 0 for one per core.
 * @throws {BundleError} onnxruntime refuses it.
 */
export async function openSession(model: string, threads: number): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(model, { intraOpNumThreads: threads });
  } catch (cause) {
    throw new BundleError(
      `${model} must load in onnxruntime-node, it refuses it (${cause}): take a newer one, or copy ` +
        "the bundle again, as a whole",
      { cause },
    );
  }
}

/**
 * Throws unless a model takes and gives what head.json states.
 *
 * @param stated The inputs and outputs, each as `describe` writes it.
 * @throws {BundleError} It has others.
 */
export function checkSignature(
  session: InferenceSession,
  stated: readonly string[],
  describe: (value: InferenceSession.ValueMetadata) => string,
): void {
  const expected = stated.join("; ");
  const found = [...session.inputMetadata, ...session.outputMetadata].map(describe).join("; ");
  if (found !== expected) {
    throw new BundleError(
      `the model must have the inputs and outputs of head.json, ${expected}, it has ${found}: ` +
        "copy the bundle again, as a whole",
    );
  }
}

/** Returns one prediction per row of logits and probabilities. */
export function predictRows(
  logits: Float32Array,
  probabilities: Float32Array,
  labels: readonly Label[],
): Prediction[] {
  return Array.from({ length: logits.length / labels.length }, (_, row) => {
    const start = row * labels.length;
    const end = start + labels.length;
    return new Prediction(logits.subarray(start, end), probabilities.subarray(start, end), labels);
  });
}
