"""Ray: started here or connected to, quiet, and how many workers it places."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from onnxhead_runtime.errors import ProviderError
from onnxhead_runtime.providers import one_line
from onnxhead_runtime.threads import thread_count

# A pool that reserves every CPU starves what feeds it, and one that dies with its host must find room on
# others: each worker computes with one thread, and reserves half a CPU.
WORKER_CPUS = 0.5
_OBJECT_STORE_BYTES = 128 * 2**20  # by default it takes a third of the memory; here outcomes alone go there
_LOGGERS = ("ray", "ray.data")
_KNOCK_SECONDS = 10


def import_ray() -> Any:
    """Import Ray with Ray Data.

    Raises:
        ProviderError: It is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
        import ray
        import ray.data
    except ImportError as cause:
        raise ProviderError(
            'the ray engine needs the packages ray and pyarrow: pip install "onnxhead[ray]"'
        ) from cause
    return ray


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Yield Ray: that which this process has, that at the address, or one that ends with the block.

    Raises:
        ProviderError: It does not start, or there is none at the address.
    """
    ray = import_ray()
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, of what it uses itself
        if ray.is_initialized():
            yield ray
            return
        folder = tempfile.mkdtemp(prefix="onnxhead-")
        try:
            with _signals_kept(), _environment(address):
                _start(ray, address, folder)
            yield ray
        finally:
            with _signals_kept():
                ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def place(ray: Any, workers: int | None, device: str) -> int:
    """Return how many workers to start: as many as were asked for, or as the free CPUs or GPUs allow.

    Raises:
        ProviderError: There is no room for them, which would be waited for without end.
    """
    free = ray.available_resources()
    cpus = free.get("CPU", 0.0)
    most, what = int((cpus - WORKER_CPUS) / WORKER_CPUS), f"{cpus:g} CPUs"
    usual = max(1, int(cpus) - 1)
    if device == "cuda":
        gpus = int(free.get("GPU", 0))
        if not gpus:
            raise ProviderError(
                "device cuda takes one GPU for each worker, no host of this Ray has a free one: ask for "
                "--device cpu, or for a cluster with GPUs (--address)"
            )
        most, what, usual = min(most, gpus), f"{gpus} GPUs and {what}", gpus
    if not 1 <= (usual if workers is None else workers) <= most:
        asked = "workers" if workers is None else f"{workers} workers"
        rule = "one GPU and half a CPU" if device == "cuda" else "half a CPU"
        raise ProviderError(
            f"{asked} must find room: each takes {rule}, and half a CPU stays free; free are {what}, room "
            f"for {max(most, 0)}: ask for fewer, or wait until other jobs have ended"
        )
    return usual if workers is None else workers


def _start(ray: Any, address: str | None, folder: str) -> None:
    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {
            "address": "local",
            "num_cpus": thread_count(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_temp_dir": folder,
        }
    try:
        if address is not None:
            _knock(address)
        with _silenced():
            ray.init(**options, log_to_driver=False, configure_logging=False)
    except Exception as cause:  # Ray's exceptions are of many kinds
        if address is None:
            raise ProviderError(
                f"the ray engine needs a Ray that starts on this machine, it does not: {one_line(cause)}"
            ) from cause
        raise ProviderError(
            "--address must be that of a running Ray of the same versions, which has this machine among its "
            f"hosts, {address} is not: {one_line(cause)}"
        ) from cause


def _knock(address: str) -> None:
    """Raise unless something answers where a cluster should: Ray tries for minutes."""
    host, separator, port = address.rpartition(":")
    if separator:
        if not port.isdecimal() or "/" in host:
            raise ValueError("it must be HOST:PORT, or auto")
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()


@contextlib.contextmanager
def _environment(address: str | None) -> Iterator[None]:
    """Set what Ray takes from the environment alone, while it starts."""
    settings = {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_USAGE_STATS_ENABLED": "0"}
    if address is None and not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        # without it Ray writes one into the home folder, which may be read-only; it stays, as Ray keeps it
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        _restore(before)


def _restore(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's messages off the terminal: what matters is raised."""
    from ray._private import ray_logging  # what hosts tell goes through it to standard output

    stdout = getattr(ray_logging, "stdout_deduplicator", SimpleNamespace(skip_re=None))
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    skipped, stdout.skip_re = stdout.skip_re, re.compile("")
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        stdout.skip_re = skipped
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Drop what is written to standard error: that its messages are off is a message of Ray's."""
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Give SIGTERM back to whom it belonged: Ray takes it when it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
