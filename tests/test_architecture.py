"""The public surface, who imports whom, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import onnxhead
import onnxhead_runtime
from onnxhead_runtime import errors

FRAMEWORKS = {
    "torch",
    "sklearn",
    "skops",
    "scipy",
    "tensorflow",
    "keras",
    "jax",
    "h5py",
    "pandas",
    "matplotlib",
    "ray",
}


def public_names(module) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and type(value) is not type(module)
    }


def test_the_public_names_are_these() -> None:
    assert onnxhead_runtime.score is onnxhead_runtime.scoring.score  # it is imported when it is asked for
    assert set(onnxhead.__all__) == public_names(onnxhead)
    assert onnxhead.__all__ == sorted(onnxhead.__all__)
    assert len(onnxhead.__all__) <= 10
    assert set(onnxhead_runtime.__all__) == public_names(onnxhead_runtime)
    assert onnxhead_runtime.__all__ == sorted(onnxhead_runtime.__all__)


def test_the_front_door_only_reexports() -> None:
    for package in (onnxhead, onnxhead_runtime):
        body = ast.parse(Path(package.__file__).read_text()).body
        allowed = ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.If
        others = [node for node in body if not isinstance(node, allowed)]
        assert [getattr(node, "name", node) for node in others] in ([], ["__getattr__"])


def test_every_exception_is_in_one_tree_and_in_its_picture() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert {cls.__name__ for cls in classes} == set(errors.__all__)
    for cls in classes:
        assert issubclass(cls, errors.OnnxHeadError)
        assert cls.__name__ in errors.__doc__


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_runtime_runs_where_nothing_of_the_builder_is() -> None:
    """onnx, onnxhead and what only they need cannot be imported; the runtime loads and answers all the same."""
    model = Path(__file__).parents[1] / "models" / "abc.onnx"
    blocked = ["onnx", "onnxhead", "typer", "rich", "pyarrow", "torch", "sklearn", "safetensors", "ml_dtypes"]
    program = (
        f"import sys\nfor name in {blocked}: sys.modules[name] = None\n"
        f"import onnxhead_runtime\nprint(onnxhead_runtime.load({str(model)!r}, device='cpu')([0.5, 0.8, 1.2]).labels)"
    )
    assert run(program) == "['C']\n"


def test_importing_the_runtime_is_cheap() -> None:
    program = "import sys, onnxhead_runtime; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(run(program).split())
    assert not loaded & {"onnx", "onnxhead", "onnxruntime", "google", "typer", "rich", "pyarrow", "torch"}
    numpy = set(run("import sys, numpy; print(*{name.split('.')[0] for name in sys.modules})").split())
    assert not (loaded - numpy) & {"csv", "zipfile", "hashlib", "email"}, "what only files or errors need"


def test_importing_the_library_starts_no_framework() -> None:
    program = "import sys, onnxhead; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    assert not set(run(program).split()) & {*FRAMEWORKS, "pyarrow", "typer", "rich"}


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("torch/digits_legacy.pt", set()),
        ("torch/digits_checkpoint.pth", set()),
        ("huggingface/vit_sharded", {"safetensors"}),
        ("keras/digits_softmax.keras", {"h5py"}),
    ],
)
def test_reading_a_source_imports_what_it_needs_alone(source: str, imported: set[str]) -> None:
    path = Path(__file__).parent / "fixtures" / source
    program = (
        f"import sys, onnxhead; onnxhead.read({str(path)!r})\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    assert set(run(program).split()) & {*FRAMEWORKS, "safetensors"} == imported


def test_no_source_unpickles() -> None:
    """No module of the product names pickle, and every numpy.load forbids it."""
    for package in (onnxhead, onnxhead_runtime):
        for path in Path(package.__file__).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                    assert not {"pickle", "joblib", "marshal", "shelve"} & set(names), path
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                    allowed = {k.arg: ast.unparse(k.value) for k in node.keywords}
                    assert allowed.get("allow_pickle") == "False", path
