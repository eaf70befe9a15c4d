import { test } from "node:test";
import { assertRefused, changeHead, copyBundle } from "./fixtures.js";

const changes: [change: object, message: RegExp][] = [
  [{ format: "2" }, /reads bundles of format 1, .* states "2": ship it again .* have one each/],
  [{ inputs: [] }, /inputs is \[\]/],
  [{ inputs: ["pixels"] }, /the model must have the inputs and outputs of head\.json/],
  [{ features: 0 }, /features is 0/],
  [{ features: 12_345 }, /the model must have the inputs and outputs of head\.json/],
];

for (const [change, message] of changes) {
  test(`a head with ${JSON.stringify(change)} is refused`, async (context) => {
    const folder = await copyBundle(context);
    await changeHead(folder, change);
    await assertRefused(folder, message);
  });
}
