/** A bundle is missing, or its files are not those that were shipped. */
export class BundleError extends Error {
  name = "BundleError";
}

/** Features have another width, or are no numbers. */
export class FeaturesError extends Error {
  name = "FeaturesError";
}
