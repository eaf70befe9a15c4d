"""A model file that was read: what it says of itself, its head, and whether both are as they were built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype

from onnxhead.encoding import INT8_LIMIT, STORAGES, Storage, dtype_of
from onnxhead.external import (
    is_data,
    is_external,
    is_named_after,
    location_of,
    offset_of,
    read_external,
)
from onnxhead.form import COMPUTES, Compute, Form
from onnxhead.graph import Place, compose
from onnxhead.head import Head
from onnxhead.operators import SCALE
from onnxhead.parameters import Weight
from onnxhead.scan import Scan, scan
from onnxhead_runtime.contract import BIAS, FEATURES, FORMAT_KEY, TOP_CLASSES, WEIGHT, Metadata
from onnxhead_runtime.errors import HeadError, ModelError, WriteError


@dataclass(frozen=True, eq=False)
class ModelFile:
    """An .onnx file whose structure is sound.

    Attributes:
        path: The file.
        proto: Its content, without external data.
        size_bytes: Its size, without external data.
        sha256: Its hexadecimal SHA-256, without external data.
        is_part: Whether it is the head in a whole model, with which it shares its data file.
    """

    path: Path
    proto: onnx.ModelProto
    size_bytes: int
    sha256: str
    is_part: bool = False

    @property
    def props(self) -> dict[str, str]:
        """The file's `metadata_props`."""
        return {prop.key: prop.value for prop in self.proto.metadata_props}

    @property
    def is_ours(self) -> bool:
        """Whether onnxhead built the file: it states a format."""
        return FORMAT_KEY in self.props

    @property
    def data_paths(self) -> list[Path]:
        """The data files beside the model, sorted by name."""
        locations = {location_of(tensor) for tensor in self.proto.graph.initializer if is_external(tensor)}
        return [self.path.with_name(location) for location in sorted(locations)]

    @property
    def form(self) -> Form:
        """How the head is written.

        Raises:
            ModelError: In no way in which onnxhead writes one.
        """
        opset = next((entry.version for entry in self.proto.opset_import if not entry.domain), 0)
        top = [output for output in self.proto.graph.output if output.name == TOP_CLASSES]
        width = top[0].type.tensor_type.shape.dim[-1:] if top else []
        try:
            return Form(
                opset,
                self.proto.ir_version,
                width[0].dim_value if width else None,
                self._storage(WEIGHT) or "float32",
                self._compute(),
            )
        except WriteError as error:
            raise ModelError(f"{self.path} is not as onnxhead writes models: {error}") from error

    def _storage(self, name: str) -> Storage | None:
        """Return how a parameter is kept; None where it is not, or in no way in which onnxhead keeps one."""
        tensor = self._initializers.get(name)
        kept = 0 if tensor is None else tensor.data_type
        return next((one for one in STORAGES if kept == np_dtype_to_tensor_dtype(dtype_of(one))), None)

    def _compute(self) -> Compute:
        """Return the type that the features are cast to before the product."""
        inputs = [node.input[0] for node in self.proto.graph.node if node.op_type == "Gemm" and node.input]
        cast = inputs[0].removeprefix(f"{FEATURES}_") if inputs else ""
        return next((compute for compute in COMPUTES if compute == cast), "float32")

    @property
    def is_in_place(self) -> bool:
        """Whether the weight lies in a file of somebody else's, which holds more."""
        return not all(map(is_data, self.data_paths))

    @property
    def classes(self) -> int:
        """The number of classes, as the weight's shape states it; 0 where it does not."""
        tensor = self._initializers.get(WEIGHT)
        return tensor.dims[0] if tensor is not None and tensor.dims else 0

    @cached_property
    def metadata(self) -> Metadata:
        """What the file says about its head.

        Raises:
            ModelError: onnxhead did not build the file, or its metadata are malformed.
        """
        metadata = Metadata.from_props(self.props, self.classes)
        if metadata is None:
            raise ModelError(
                f"a head can be read from a file that onnxhead built, {self.path} has no {FORMAT_KEY} in "
                "its metadata: onnxhead build makes such a file of another's last linear layer, and onnxhead "
                "attach one of the whole"
            )
        return metadata

    @cached_property
    def weight(self) -> Weight:
        """The weight, as it is in the file.

        Raises:
            ModelError: It is missing, of a type in which none is kept, or shorter than its shape; or its
                scales are not one finite number per class.
            HeadError: It is no matrix of finite numbers.
        """
        array = self._read(WEIGHT, *STORAGES)
        storage = self._storage(WEIGHT) or "float32"
        scale = self._read_scale(array.shape[:1]) if storage == "int8" else None
        with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused
            return Weight(array, storage, scale)

    @property
    def bias(self) -> NDArray[np.float32]:
        """The bias, as it is in the file.

        Raises:
            ModelError: It is missing, or shorter than its shape.
        """
        return self._read(BIAS, "float32", "float16", "bfloat16").astype(np.float32, copy=False)

    def head(self) -> Head:
        """Return the head whose model this is.

        Raises:
            ModelError: The graph is not the one that onnxhead writes for these parameters and metadata.
            HeadError: The parameters are not finite.
        """
        metadata = self.metadata
        head = Head(
            self.weight,
            self.bias,
            labels=metadata.labels,
            link=metadata.link,
            temperature=metadata.temperature,
            origin=str(self.path),
        )
        expected = compose(head, self.form, metadata.weights_sha256, self._place(WEIGHT), self._place(BIAS))
        for part in ("graph", "opset_import"):
            if getattr(expected, part) != getattr(self.proto, part):
                raise ModelError(
                    f"a model must have the {part.replace('_', ' ')} that onnxhead writes for its weights "
                    f"and metadata (docs/format.md), {self.path} has another"
                )
        return head

    def damages(self) -> list[str]:
        """Compare the hashes that the file states with its content; one sentence per difference.

        Raises:
            ModelError: onnxhead did not build the file, or its metadata or its form are malformed.
        """
        found = self.weight_damages()
        read = self._scanned
        if isinstance(read, Scan):
            found += [
                f"the SHA-256 of {path.name} begins with {read.weight_sha256[:12]}, its name states another"
                for path in filter(is_data, self.data_paths)
                if not is_named_after(path.name, read.weight_sha256)
            ]
        return found

    def weight_damages(self) -> list[str]:
        """Compare the hash of weight and bias alone."""
        stated, read = self.metadata.weights_sha256, self._scanned
        if isinstance(read, str):
            return [read]
        if read.sha256 == stated:
            return []
        return [f"the SHA-256 of weight and bias is {read.sha256}, the file states {stated or 'none'}"]

    @cached_property
    def _scanned(self) -> Scan | str:
        """What reading the weight found, or why it cannot be read."""
        form = self.form
        try:
            return scan(self.weight, self.bias, form.bias)
        except (HeadError, ModelError) as error:
            return str(error)

    @cached_property
    def _initializers(self) -> dict[str, TensorProto]:
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    def _place(self, name: str) -> Place | None:
        """Return where a parameter lies; None where it is in the model."""
        tensor = self._initializers[name]
        return Place(location_of(tensor), offset_of(tensor)) if is_external(tensor) else None

    def _read_scale(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the scales of an int8 weight, one per class."""
        scale = self._read(SCALE)
        if scale.shape != shape:
            raise ModelError(
                f"{SCALE} must be one number per class, {shape} for {WEIGHT}, {self.path} has shape "
                f"{scale.shape}: copy it again, or build it again"
            )
        with np.errstate(over="ignore"):
            wrong = scale[~np.isfinite(scale * np.float32(INT8_LIMIT))]
        if wrong.size:
            raise ModelError(
                f"{SCALE} must be finite, {INT8_LIMIT} times it too, {self.path} has {wrong[0]:.4g}: copy it "
                "again, or build it again"
            )
        return scale

    def _read(self, name: str, *storages: Storage) -> NDArray[Any]:
        """Return a parameter as it is kept, float32 unless other storages are allowed."""
        tensor = self._initializers.get(name)
        kept = self._storage(name)
        if tensor is None or kept is None or kept not in (storages or ("float32",)):
            raise ModelError(
                f"a head's model must have a {' or '.join(storages or ('float32',))} initializer {name}, "
                f"{self.path} has none"
            )
        shape = tuple(tensor.dims)
        if any(length < 1 for length in shape):
            raise ModelError(f"{name} must have positive lengths, {self.path} has shape {shape}")
        dtype = dtype_of(kept)
        length = dtype.itemsize * math.prod(shape)
        data: memoryview | bytes = tensor.raw_data
        if is_external(tensor):
            # the data file of a head alone is its weight, and nothing behind it
            owns = is_data(Path(location_of(tensor))) and not self.is_part
            data = read_external(tensor, self.path, length + owns)
        if len(data) != length:
            place = self.path.with_name(location_of(tensor)) if is_external(tensor) else self.path
            raise ModelError(
                f"{name} {shape} must have {length} bytes of data, {place} has {len(data)}: copy it again, "
                "or build it again"
            )
        return np.frombuffer(data, dtype).reshape(shape)
