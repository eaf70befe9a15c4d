"""The documents: every example is run, and what it shows is what it prints."""

import doctest
import importlib
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import onnxhead
import onnxhead_runtime
from onnxhead import cli
from onnxhead.shipping.targets import TARGETS

README = (ROOT / "README.md").read_text()
MODULES = [
    module.name
    for package in (onnxhead, onnxhead_runtime)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    module = importlib.import_module(name)
    assert module.__doc__
    extra = {"np": np, "tmp": tmp_path}
    results = doctest.testmod(module, extraglobs=extra, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
    assert results.attempted > 0 or ">>>" not in Path(module.__file__).read_text()


def test_the_public_functions_and_classes_have_examples() -> None:
    for public in ("Head", "attach", "load", "read", "save", "ship", "verify", "Prediction"):
        assert ">>>" in getattr(onnxhead, public).__doc__, public


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"```(python|console)\n(.*?)```", README, re.DOTALL)


def test_the_readme_runs_and_prints_what_it_shows(tmp_path, monkeypatch) -> None:
    """In order, in one folder, as a reader would."""
    pytest.importorskip("skops")
    monkeypatch.chdir(tmp_path)
    program = Path(sys.executable).with_name("onnxhead")
    ran = {"python": 0, "console": 0}
    for language, text in blocks():
        ran[language] += 1
        if language == "python":
            subprocess.run([sys.executable, "-c", text], check=True, capture_output=True)
            continue
        line, _, expected = text.partition("\n")
        assert line.startswith("$ onnxhead ")
        done = subprocess.run([program, *shlex.split(line)[2:]], check=True, capture_output=True, text=True)
        if "iris" in line or "ship" in line:
            assert without_figures(done.stdout) == without_figures(expected), line
        else:
            assert done.stdout == expected, line
    assert ran == {"python": 2, "console": 6}


def test_the_python_of_the_other_documents_runs(tmp_path) -> None:
    shutil.copytree(ROOT / "models", tmp_path / "models")
    ran = 0
    for document in sorted((ROOT / "docs").glob("*.md")):
        for text in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL):
            subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, cwd=tmp_path)
            ran += 1
    assert ran


def without_figures(text: str) -> str:
    """Drop what differs between two fits of one model, as solvers stop where they stop, and between machines."""
    text = re.sub(r"\d\.?\d*e-\d+", "tiny", text)
    text = re.sub(
        r"^(runtime|onnxruntime C\w+|OpenVINO|tract) .*$", r"\1", text, flags=re.MULTILINE
    )  # as installed
    text = re.sub(r"\d+ bytes", "bytes", text)
    text = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", text)
    return re.sub(r"sha256 .*|[▏▎▍▌▋▊▉]", "", text).strip()


def test_the_readme_names_every_module_and_every_command() -> None:
    for name in MODULES:
        parts = name.split(".")
        shown = (
            f"{parts[1]}/"
            if parts[1]
            in ("sources", "shipping", "cli", "display", "rows", "answers", "certificate", "cluster")
            else f"{parts[-1]}.py"
        )
        assert re.search(rf"^ +{re.escape(shown)} ", README, re.MULTILINE), name
    for command in cli.app.registered_commands:
        assert f"onnxhead {command.callback.__name__}" in README


def test_the_readme_names_every_target_of_ship() -> None:
    (table,) = re.findall(r"\| `--to` \| what \|\n\|---\|---\|\n((?:\|.*\n)+)", README)
    first = [line.split("|")[1] for line in table.splitlines()]
    assert sorted(re.findall(r"`([^`]+)`", " ".join(first))) == sorted(TARGETS)


def test_the_figures_of_the_readme_are_what_the_benchmarks_printed() -> None:
    program = [sys.executable, ROOT / "benchmarks/summary.py"]
    printed = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert printed in README


def test_the_figures_of_scale_are_what_the_benchmarks_printed() -> None:
    program = [sys.executable, ROOT / "benchmarks/summary.py", "scale"]
    printed = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert printed in (ROOT / "docs/scale.md").read_text()


def test_the_example_fits_a_screen() -> None:
    first = blocks()[0][1]
    assert len([line for line in first.splitlines() if line.strip()]) <= 12
    assert README.index("make demo") < README.index("make test") < 600


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target, anchor in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", document.read_text()):
            path = document.parent / target
            assert path.exists(), f"{document.name}: {target}"
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], anchor


def test_the_changelog_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}\n" in (ROOT / "CHANGELOG.md").read_text()
