"""Score a file in small blocks, and die at the N-th file operation: `kill_score.py MODEL IN OUT N [--resume]`.

With N = 0 it does not die, and prints how many operations there were.
"""

import os
import signal
import sys
from pathlib import Path

import onnxhead_runtime
from onnxhead_runtime import journal, run

run._MOST_ROWS, run._FEWEST_ROWS, run._COMMIT_ROWS = 16, 16, 48

model, source, output, at = *sys.argv[1:4], int(sys.argv[4])
done = 0


def counted(operation):
    def call(*arguments, **named):
        global done
        done += 1
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return operation(*arguments, **named)

    return call


class Part:
    """A part of the file whose writes are counted; half of what the last one writes arrives."""

    def __init__(self, file) -> None:
        self._file = file

    def write(self, data) -> int:
        global done
        done += 1
        if done == at:
            self._file.write(memoryview(data)[: len(data) // 2])
            self._file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


original = journal.Journal.part
parts = {}
journal.Journal.part = lambda self, name: parts.setdefault(name, Part(original(self, name)))
Path.replace = counted(Path.replace)
Path.write_text = counted(Path.write_text)
os.fsync = counted(os.fsync)
journal.shutil.rmtree = counted(journal.shutil.rmtree)

classify = onnxhead_runtime.load(model, device="cpu")
keep = ["id"] if not source.endswith(".npy") and not output.endswith(".npy") else []
report = onnxhead_runtime.score(classify, source, output, keep=keep, resume="--resume" in sys.argv)
print(done, report.resumed_rows)
