"""How each client is built, linted and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

import onnxhead
from onnxhead.shipping.targets import TARGETS

ROOT = Path(__file__).parents[2]
SITE = Path(onnxruntime.__file__).parents[1]


@dataclass(frozen=True)
class Answer:
    """What `check` printed.

    Attributes:
        status: Its exit status.
        passed: How many cases passed; 0 where it printed nothing.
        failed: How many failed.
        largest: The largest error as a fraction of its tolerance, as it was printed.
        output: All of it.
    """

    status: int
    passed: int
    failed: int
    largest: str
    output: str


@dataclass(frozen=True)
class Client:
    """One client.

    Attributes:
        target: What is shipped to.
        programs: What must be on the PATH.
        check: Runs the program `check` that was built; a bundle follows.
        lint: Formatter and linter, in the shell.
        oldest: The oldest onnxruntime that it runs with, where it takes the one that is installed; None where
            it brings its own.
        prepare: What its README says comes before its commands, in the shell.
    """

    target: str
    programs: tuple[str, ...]
    check: tuple[str, ...]
    lint: tuple[str, ...]
    oldest: str | None = None
    prepare: tuple[str, ...] = ()

    @property
    def takes_whole(self) -> bool:
        """Whether whole models are shipped there too."""
        return TARGETS[self.target].takes_whole

    @property
    def missing(self) -> list[str]:
        """The programs that are not there."""
        return [program for program in self.programs if shutil.which(program) is None]

    def build(self, folder: Path, model: Path = ROOT / "models/abc.onnx") -> Path:
        """Ship a model, by default the worked example, and type what the report says; lint what was shipped."""
        project = folder / self.target
        shutil.rmtree(project, ignore_errors=True)
        commands = onnxhead.ship(model, self.target, project).commands
        for command in (" && ".join([*self.prepare, *commands]), *self.lint):
            done = self._run(["bash", "-euc", command], project)
            if done.returncode:
                sys.exit(f"{self.target}: {command}\n{done.stdout[-20000:]}")
        return project

    def run_check(self, project: Path, bundle: Path, site: Path = SITE) -> Answer:
        """Hold a bundle to its vectors with a client that was built, and the onnxruntime in a folder."""
        done = self._run([*self.check, str(bundle)], project, site)
        cases = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
        largest = re.search(r"^largest error: (\S+) of its tolerance$", done.stdout, re.MULTILINE)
        passed, failed = map(int, cases.groups()) if cases else (0, 0)
        return Answer(done.returncode, passed, failed, largest[1] if largest else "-", done.stdout)

    def run_program(self, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program with any arguments; what it prints on standard error is apart."""
        return self._run([*self.check, *arguments], project, stderr=subprocess.PIPE)

    def row_microseconds(self, project: Path, bundle: Path) -> float:
        """Return the median time of one row that the client measures."""
        done = self._run([*self.check, "--time", str(bundle)], project)
        found = re.fullmatch(r"one row: ([\d.]+) us", done.stdout.strip())
        if found is None:
            sys.exit(f"{self.target}: {done.stdout}")
        return float(found[1])

    def _run(
        self, command: list[str], project: Path, site: Path = SITE, stderr: int = subprocess.STDOUT
    ) -> subprocess.CompletedProcess[str]:
        (library,) = site.glob("onnxruntime/capi/libonnxruntime.so.*")
        environment = {**os.environ, "ORT_DYLIB_PATH": str(library)}
        if site != SITE:
            environment["PYTHONPATH"] = str(site)
        return subprocess.run(
            command,
            cwd=project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )


_VENV = f"{sys.executable} -m venv .venv && . .venv/bin/activate"

_STATICCHECK = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"
_C_PROGRAMS = ("cmake", "gcc", "g++", "pkg-config", "clang-format")


def _c_lint(sources: str) -> tuple[str, ...]:
    """Build with warnings as errors and sanitizers, and check the format of what is not another's."""
    return (
        "cmake --preset sanitize && cmake --build build/sanitize && ctest --test-dir build/sanitize",
        f"clang-format --dry-run -Werror $(find include src check tests -name '{sources}')",
    )


_CARGO_LINT = (
    "cargo fmt --check",
    "cargo clippy --locked --all-targets -- -D warnings",
    "RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps",
)

CLIENTS = [
    Client(
        "python",
        (),
        (".venv/bin/check",),
        (". .venv/bin/activate && pip install '.[lint]' && ruff check . && ruff format --check . && mypy",),
        oldest="1.19.2",
        prepare=(_VENV,),
    ),
    Client("c", _C_PROGRAMS, ("build/check",), _c_lint("*.[ch]"), oldest="1.19.2"),
    Client("cpp", _C_PROGRAMS, ("build/check",), _c_lint("*.?pp"), oldest="1.21.1"),
    Client(
        "rust",
        ("cargo", "gcc"),
        ("target/release/check",),
        _CARGO_LINT,
        oldest="1.19.2",
    ),
    Client("rust-tract", ("cargo", "gcc"), ("target/release/check",), _CARGO_LINT),
    Client(
        "go",
        ("go", "gcc"),
        ("./check",),
        ('test -z "$(gofmt -l .)" && go vet ./...', f"go run {_STATICCHECK} ./..."),
        oldest="1.19.2",
    ),
    *(
        Client(
            language, ("java", "mvn"), ("java", "-jar", "target/onnxhead-client.jar"), ("mvn spotless:check",)
        )
        for language in ("java", "kotlin", "scala")
    ),
    Client("node", ("node", "npm"), ("node", "dist/check.js"), ("npm run lint",)),
    # its tests begin with the lint
    Client("browser", ("node", "npm", "chromium"), ("node", "tools/check.js"), ()),
]
assert {client.target for client in CLIENTS} <= TARGETS.keys()
