"""What a head is run with otherwise: each peer as a function of a batch, for one and the same head."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import onnxhead
import onnxhead_runtime

Call = Callable[[Any], Any]


def by_hand(path: Path) -> Call:
    """Run the file as an example of onnxruntime does: default options, both outputs."""
    session = onnxruntime.InferenceSession(path)
    return lambda batch: session.run(None, {"features": batch})


def ours(path: Path) -> Call:
    """Run it with onnxhead."""
    return onnxhead_runtime.load(path, device="cpu")


def all_peers(path: Path) -> dict[str, Call]:
    """Return what is installed, by name; what is not is left out."""
    makers = {
        "onnxhead": ours,
        "onnxruntime by hand": by_hand,
        "scikit-learn": _scikit_learn,
        "skl2onnx's file": _skl2onnx,
        "torch eager": _torch,
        "OpenVINO": _openvino,
        "tract": _tract,
    }
    peers = {}
    for name, make in makers.items():
        try:
            peers[name] = make(path)
        except ImportError as missing:
            print(f"{name} is left out: {missing}")
    return peers


def check(peers: dict[str, Call], batch: Any) -> None:
    """Stop unless every peer gives the probabilities that onnxhead gives."""
    expected = peers["onnxhead"](batch).probabilities
    for name, call in peers.items():
        answer = call(batch)
        probabilities = (
            answer.probabilities
            if name == "onnxhead"
            else np.asarray(list(answer)[-1] if isinstance(answer, list | tuple) else answer)
        )
        assert np.allclose(probabilities, expected, atol=1e-4), name


def _estimator(path: Path) -> Any:
    from sklearn.linear_model import LogisticRegression

    head = onnxhead.read(path)
    estimator = LogisticRegression()
    estimator.coef_, estimator.intercept_ = np.array(head.weight), np.array(head.bias)
    estimator.classes_ = np.arange(len(head.bias))
    estimator.n_features_in_ = head.features
    return estimator


def _scikit_learn(path: Path) -> Call:
    return _estimator(path).predict_proba


def _skl2onnx(path: Path) -> Call:
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = _estimator(path)
        model = skl2onnx.convert_sklearn(
            estimator,
            initial_types=[("features", FloatTensorType([None, estimator.n_features_in_]))],
            options={"zipmap": False},
            target_opset={"": 18, "ai.onnx.ml": 3},
        )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda batch: session.run(None, {"features": batch})


def _torch(path: Path) -> Call:
    import torch  # noqa: TID253, RUF100  (a peer, never a part of the product)

    head = onnxhead.read(path)
    linear = torch.nn.Linear(head.features, head.classes)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(np.array(head.weight)))
        linear.bias.copy_(torch.tensor(np.array(head.bias)))

    def call(batch: Any) -> Any:
        with torch.inference_mode():
            logits = linear(torch.from_numpy(batch))
            return logits.numpy(), torch.softmax(logits, -1).numpy()

    return call


def _openvino(path: Path) -> Call:
    import openvino

    # its own choice is bfloat16 where the CPU has it: probabilities are then 1e-3 off
    exact = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(path, "CPU", exact).create_infer_request()

    def call(batch: Any) -> Any:
        answer = request.infer({"features": batch}, share_inputs=True)
        return answer["logits"], answer["probabilities"]

    return call


def _tract(path: Path) -> Call:
    import tract

    model = tract.onnx().load(path).into_model().into_runnable()
    return lambda batch: [output.to_numpy() for output in model.run([batch])]
