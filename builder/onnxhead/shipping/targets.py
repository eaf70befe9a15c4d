"""What `ship` can write: a project per language, and two formats of servers and phones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxhead.compatibility import ON_CPU
from onnxhead.shipping.bundle import check_labels
from onnxhead.shipping.content import Content
from onnxhead.shipping.mobile import write_ort
from onnxhead.shipping.triton import check_lines, write_repository
from onnxhead_runtime.contract import Label

CLIENTS = Path(__file__).parents[1] / "clients"
WHOLE_CLIENTS = CLIENTS / "whole"  # what is other in the clients of whole models


@dataclass(frozen=True)
class Target:
    """One thing to ship to.

    Attributes:
        description: What it is, in words.
        commands: What its user types in the folder; the first ones build and test.
        add_files: Adds further files to the bundle: called with it, the model's name and what it is of.
        check_labels: Raises ModelError for labels that cannot be shipped there.
        takes_whole: Whether whole models are shipped there.
        runtime: What runs the model there, as `compatibility` calls it.
    """

    description: str
    commands: tuple[str, ...]
    add_files: Callable[[Path, str, Content], None] | None = None
    check_labels: Callable[[Sequence[Label]], None] = check_labels
    takes_whole: bool = False
    runtime: str = ON_CPU


_ANY = "onnxruntime"
_MAVEN = ("mvn package", "java -jar target/onnxhead-client.jar bundle")

# each is a folder of clients/
TARGETS = {
    "python": Target("Python: onnxruntime and numpy", ("pip install '.[test]'", "pytest"), takes_whole=True),
    "c": Target(
        "C11: libonnxruntime, loaded when the program starts",
        ("cmake -B build", "cmake --build build", "ctest --test-dir build --output-on-failure"),
    ),
    "cpp": Target(
        "C++17: libonnxruntime, loaded when the program starts",
        ("cmake -B build", "cmake --build build", "ctest --test-dir build --output-on-failure"),
    ),
    "rust": Target(
        "Rust: ort, which loads libonnxruntime",
        ("cargo test", "cargo build --release", "target/release/check"),
    ),
    "rust-tract": Target(
        "Rust: tract, without any native library",
        ("cargo test", "cargo build --release", "target/release/check"),
        runtime="tract",
    ),
    "go": Target(
        "Go: onnxruntime_go, which loads libonnxruntime",
        ("go test ./...", "go build ./cmd/check", "./check bundle"),
        takes_whole=True,
    ),
    "java": Target("Java 17: com.microsoft.onnxruntime", _MAVEN),
    "kotlin": Target("Kotlin: com.microsoft.onnxruntime", _MAVEN),
    "scala": Target("Scala: com.microsoft.onnxruntime", _MAVEN),
    "node": Target(
        "JavaScript and TypeScript in Node: onnxruntime-node", ("npm install", "npm test"), takes_whole=True
    ),
    "browser": Target("a page for browsers: onnxruntime-web", ("npm install", "npm test")),
    "triton": Target(
        "a model repository of NVIDIA Triton",
        (),
        write_repository,
        check_lines,
        takes_whole=True,
        runtime=_ANY,
    ),
    "ort": Target("the .ort format of mobile builds of onnxruntime", (), write_ort),
    "bundle": Target("the bundle alone, for other languages", (), takes_whole=True, runtime=_ANY),
}
