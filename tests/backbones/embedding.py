"""Texts to embeddings: tokens, the encoder in onnxruntime, the mean over tokens, as the package's own model does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from backbones import minilm
from backbones.packages import require

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_LARGEST_TOKENS = 128  # the package truncates there too
_BATCH = 32

Feed = dict[str, NDArray[np.int64]]


def load_tokenizer() -> Tokenizer:
    """Return the package's tokenizer: batches are padded to their longest text, texts truncated to 128 tokens."""
    require("tokenizers")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(require(minilm.PACKAGE, "model/tokenizer.json")))
    tokenizer.enable_truncation(_LARGEST_TOKENS)
    tokenizer.enable_padding()
    return tokenizer


def tokenize(tokenizer: Tokenizer, texts: Sequence[str | tuple[str, str]]) -> Feed:
    """Return the encoder's inputs for texts, or pairs of texts: each int64 (texts, tokens)."""
    encoded = tokenizer.encode_batch(texts)
    columns = (
        [one.ids for one in encoded],
        [one.attention_mask for one in encoded],
        [one.type_ids for one in encoded],
    )
    return {name: np.array(column, np.int64) for name, column in zip(minilm.INPUTS, columns, strict=True)}


def pool(hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean of the hidden states (texts, tokens, 384) of what is no padding, as unit vectors (texts, 384)."""
    weights = mask[..., None].astype(np.float32)
    means: NDArray[np.float32] = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return means


def embed(session: onnxruntime.InferenceSession, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the embeddings (texts, 384), unit vectors, by a session of `minilm.compose()`.

    Texts of like length go into one batch, since padding costs as much time as tokens do.
    """
    tokenizer = load_tokenizer()
    embeddings = np.empty((len(texts), minilm.FEATURES), np.float32)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(texts), _BATCH):
        chosen = order[start : start + _BATCH]
        feed = tokenize(tokenizer, [texts[i] for i in chosen])
        (hidden,) = session.run([minilm.OUTPUT], feed)
        embeddings[chosen] = pool(hidden, feed["attention_mask"])
    return embeddings
