"""The corpus of malformed inputs: refused with a message and exit status 2; nothing is run or written."""

import sys

import corpus
import pytest
from conftest import ROOT

import onnxhead
import onnxhead_runtime
from onnxhead import cli
from onnxhead.summary import inspect


@pytest.mark.parametrize(
    ("arguments", "name", "content"),
    [pytest.param(*case, id=f"{case[0][0]}-{case[1]}") for case in corpus.commands()],
)
def test_it_is_refused(arguments, name, content, tmp_path, monkeypatch, capfd) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path / "model")
    (tmp_path / "outside.data").write_bytes(bytes(24))
    (tmp_path / "model" / "good.onnx").write_bytes(corpus.model())
    corpus.write(tmp_path / "model", name, content)
    monkeypatch.setattr(sys, "argv", ["onnxhead", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    output, errors = capfd.readouterr()
    assert exit_info.value.code == 2, errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1, "one message, and nothing that onnxruntime prints"
    assert len(errors) > 40
    assert output == ""
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == sorted({"good.onnx", name})


@pytest.mark.parametrize("value", [0x00, 0x80, 0xFF])
def test_no_single_byte_of_a_model_raises_what_is_not_ours(value, tmp_path) -> None:
    """Every byte in turn: each reader ends in an answer or in one of our errors."""
    content = (ROOT / "models" / "abc.onnx").read_bytes()
    path = tmp_path / "changed.onnx"
    readers = (inspect, onnxhead.verify, onnxhead.read, lambda p: onnxhead_runtime.load(p)([1, 2, 3]).labels)
    refused = 0
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([value]) + content[at + 1 :])
        for read in readers:
            try:
                read(path)
            except onnxhead.OnnxHeadError:
                refused += 1
    assert refused > len(content), "most changes are noticed"


def test_the_corpus_can_fail(tmp_path, monkeypatch, capfd) -> None:
    """The same commands accept the same files when they are sound."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.onnx").write_bytes(corpus.model())
    (tmp_path / "good.npz").write_bytes(corpus.npz(weight=corpus.W, bias=corpus.B))
    (tmp_path / "x.npy").write_bytes(corpus.npy(corpus.W))
    for arguments in (
        ["build", "good.npz", "-o", "out.onnx"],
        ["run", "good.onnx", "x.npy"],
        ["explain", "good.onnx", "x.npy"],
        ["inspect", "good.onnx"],
        ["verify", "good.onnx"],
    ):
        monkeypatch.setattr(sys, "argv", ["onnxhead", *arguments])
        with pytest.raises(SystemExit) as exit_info:
            cli.main()
        assert exit_info.value.code == 0, capfd.readouterr()
