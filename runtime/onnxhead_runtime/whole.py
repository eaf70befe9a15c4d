"""Run a whole model: a head with the backbone before it, which takes inputs of any number and type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxhead_runtime.contract import LOGITS, PROBABILITIES
from onnxhead_runtime.errors import ProviderError
from onnxhead_runtime.inputs import describe_feeds
from onnxhead_runtime.providers import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from onnxhead_runtime.inputs import Feeds


class WholeRunner:
    """One session of a whole model.

    Attributes:
        session: The `onnxruntime.InferenceSession`.
    """

    def __init__(self, session: Any) -> None:
        self.session = session

    def run(
        self, feeds: Feeds, outputs: tuple[str, ...] = (LOGITS, PROBABILITIES)
    ) -> list[NDArray[np.float32]]:
        """Return the outputs for what `to_feeds` made.

        Raises:
            ProviderError: onnxruntime fails.
        """
        try:
            answers: list[NDArray[np.float32]] = self.session.run(outputs, feeds)
        except Exception as cause:  # onnxruntime's exceptions have no public base
            raise ProviderError(
                f"onnxruntime must answer {describe_feeds(feeds)}, it fails: {one_line(cause)}; try other "
                "shapes or values, or smaller batches"
            ) from cause
        return answers
