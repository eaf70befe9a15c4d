"""Run the clients that take the onnxruntime that is installed with many versions of it; write docs/portability.md.

    python -m clients.versions FOLDER [TARGET ...]        after clients.matrix, as `make test-clients` does

Where a version is older than a client needs, the client must say so.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from clients.document import replace_block
from clients.toolchains import CLIENTS, ROOT, Client

VERSIONS = (
    *("1.19.2", "1.20.1", "1.21.1", "1.22.1", "1.23.2", "1.24.4", "1.25.1"),
    *("1.26.0", "1.27.0", "1.28.0", "1.29.0", "1.30.0", "1.31.1", "1.32.0"),
)
HEADS = ("abc", "one-vs-rest", "external", "wide")
WHOLES = ("picture", "tokens", "data file")


def main(folder: Path, targets: list[str]) -> None:
    clients = [client for client in CLIENTS if client.oldest and (not targets or client.target in targets)]
    clients = [client for client in clients if (folder / "projects" / client.target).is_dir()]
    table = {version: [run(client, folder, version) for client in clients] for version in VERSIONS}
    lines = list(markdown(table, clients))
    print("\n".join(lines))
    if len(clients) == len([client for client in CLIENTS if client.oldest]):
        replace_block(ROOT / "docs/portability.md", "versions", lines)


def run(client: Client, folder: Path, version: str) -> str:
    """Return what a client does with a version, in words; exit where that is not what it should do."""
    site = install(folder / "versions" / version, version)
    models = [(folder, name) for name in HEADS]
    if client.takes_whole:
        models += [(folder / "whole", name) for name in WHOLES]
    for place, name in models:
        bundle = place / "bundles" / name / "bundle"
        answer = client.run_check(place / "projects" / client.target, bundle, site)
        if is_older(version, client.oldest or ""):
            if answer.status == 2 and "onnxruntime" in answer.output:
                return "says it is too old"
            sys.exit(f"{client.target} must refuse onnxruntime {version}, it answered:\n{answer.output}")
        if answer.status or not answer.passed:
            sys.exit(f"{client.target} fails on {name} with onnxruntime {version}:\n{answer.output}")
    return "passes"


def install(site: Path, version: str) -> Path:
    """Install a version of onnxruntime into a folder of its own."""
    if not (site / "onnxruntime").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--only-binary=:all:", "--target", site, f"onnxruntime=={version}"], check=True)
    return site


def is_older(version: str, other: str) -> bool:
    return [int(part) for part in version.split(".")] < [int(part) for part in other.split(".")]


def markdown(table: dict[str, list[str]], clients: list[Client]) -> Iterator[str]:
    yield f"| onnxruntime | {' | '.join(client.target for client in clients)} |"
    yield f"|---|{'---|' * len(clients)}"
    for version, cells in table.items():
        yield f"| {version} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
