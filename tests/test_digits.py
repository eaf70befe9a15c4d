"""Real heads: scikit-learn's digits, iris and wine, through the command line, from a .safetensors file."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")
safetensors = pytest.importorskip("safetensors.numpy")

from sklearn import datasets  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.preprocessing import scale  # noqa: E402


@pytest.mark.parametrize("name", ["digits", "iris", "wine"])
def test_labels_and_probabilities_are_those_of_scikit_learn(name, command, tmp_path) -> None:
    data = getattr(datasets, f"load_{name}")()
    features = data.data / 16 if name == "digits" else scale(data.data)
    model = LogisticRegression(max_iter=5000).fit(features, data.target)
    # safetensors writes an array's memory as it lies, and scikit-learn's coef_ may lie in column order
    weight = np.ascontiguousarray(model.coef_)
    tensors = {"classifier.weight": weight, "classifier.bias": model.intercept_}
    safetensors.save_file(tensors, tmp_path / f"{name}.safetensors")
    np.save(tmp_path / "features.npy", features)
    labels = [str(label) for label in data.target_names]

    command("build", f"{name}.safetensors", "--labels", ",".join(labels))
    command("run", f"models/{name}.onnx", "features.npy", "-o", "answers.npz")
    with np.load(tmp_path / "answers.npz") as answers:
        logits, probabilities, decided = answers["logits"], answers["probabilities"], answers["label"]

    # the bound of design and reference, from scikit-learn's own float64 numbers; the rounding of W, b and
    # the features to float32 is 3 of its 16 units
    magnitude = np.abs(features) @ np.abs(model.coef_).T + np.abs(model.intercept_)
    bound = 16 * 2.0**-24 * magnitude
    expected = model.decision_function(features)
    assert (np.abs(logits - expected) <= bound).all()
    expected_probabilities = model.predict_proba(features)
    assert (np.abs(probabilities - expected_probabilities) <= 2 * bound.max(1, keepdims=True) + 1e-6).all()

    two_best = np.sort(expected, axis=1)[:, -2:]
    clear = two_best[:, 1] - two_best[:, 0] > 2 * bound.max(axis=1)
    assert clear.all(), "no row of these data sets is too close to call"
    predicted = model.predict(features)
    assert [str(label) for label in decided] == [labels[i] for i in predicted]
    assert np.mean(predicted == data.target) == np.mean(
        [labels.index(str(d)) for d in decided] == data.target
    )
    assert len(decided) == {"digits": 1797, "iris": 150, "wine": 178}[name]

    verified = json.loads(command("verify", f"models/{name}.onnx", "--json").stdout)
    assert verified["findings"] == []
