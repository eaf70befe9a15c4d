"""One row in every language: one head of 768 x 10, in the clients that `make test-clients` built.

python languages.py FOLDER, where clients.matrix built them
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from measure import build, report

import onnxhead

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from clients.toolchains import CLIENTS

_TURNS = 5


def main(folder: Path) -> None:
    built = [client for client in CLIENTS if (folder / "projects" / client.target).is_dir()]
    turns: dict[str, list[float]] = {client.target: [] for client in built}
    with tempfile.TemporaryDirectory() as temporary:
        model = build(Path(temporary), 768, 10)
        bundle = onnxhead.ship(model, "bundle", Path(temporary) / "shipped").path / "bundle"
        for _ in range(_TURNS):
            for client in built:
                project = folder / "projects" / client.target
                turns[client.target].append(client.row_microseconds(project, bundle))
    medians = {target: statistics.median(values) for target, values in turns.items()}
    rows = [["client", "us per row", "divided by Python's"]]
    rows += [[name, f"{value:.2f}", f"{value / medians['python']:.2f}"] for name, value in medians.items()]
    heading = (
        f"One row of 768 x 10, `classify` of each client with one thread: the median of {_TURNS} turns, each "
        "the median of 2,000 calls:"
    )
    report("languages", "The same model across languages", [(heading, rows)], medians)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
