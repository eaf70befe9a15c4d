"""Build every client, hold it to every head, and show that its check can fail; write the table of docs/portability.md.

python -m clients.matrix FOLDER [TARGET ...]        as `make test-clients` does
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import onnxruntime

from clients.bundles import REFUSALS, ship_bundles, ship_mutants, ship_refused
from clients.document import replace_block
from clients.toolchains import CLIENTS, ROOT, Answer, Client

Table = dict[str, dict[str, Answer]]

USAGE = "usage: check [--time] [BUNDLE]\n"


def main(folder: Path, targets: list[str]) -> None:
    bundles = ship_bundles(folder / "bundles")
    mutants = ship_mutants(folder / "mutants", bundles)
    refused = ship_refused(folder / "refused", bundles)
    table, skipped = {}, []
    for client in CLIENTS:
        if targets and client.target not in targets:
            continue
        if client.missing:
            skipped.append(f"{client.target}: SKIPPED, needs {', '.join(client.missing)} on the PATH")
            continue
        table[client.target] = hold(client, folder / "projects", bundles, mutants, refused)
    lines = list(markdown(table, list(bundles)))
    print("\n".join([*lines, *skipped]))
    if len(table) == len(CLIENTS):
        replace_block(ROOT / "docs/portability.md", "matrix", lines)
    if skipped and os.environ.get("CI"):
        sys.exit("in CI every toolchain must be there")


def hold(
    client: Client,
    folder: Path,
    bundles: dict[str, Path],
    mutants: dict[str, Path],
    refused: dict[str, Path],
) -> dict[str, Answer]:
    """Build a client and return what it answers for each head; exit where it passes what is wrong, or fails."""
    start = time.monotonic()
    project = client.build(folder)
    answers = {name: client.run_check(project, bundle) for name, bundle in bundles.items()}
    for name, answer in answers.items():
        cases = len(list(bundles[name].glob("test_data_set_*")))
        if (answer.status, answer.passed, answer.failed) != (0, cases, 0):
            sys.exit(f"{client.target} must pass {name}, it answered {answer.status}:\n{answer.output}")
    for name, bundle in mutants.items():
        answer = client.run_check(project, bundle)
        if answer.status != 1 or answer.failed == 0:
            sys.exit(
                f"{client.target} must fail on a wrong {name}, it answered {answer.status}:\n{answer.output}"
            )
    for name, bundle in refused.items():
        hold_to_refusal(client, project, name, str(bundle))
    hold_to_usage(client, project, str(next(iter(bundles.values()))))
    seconds = time.monotonic() - start
    counts = f"{len(bundles)} heads pass, {len(mutants)} mutants fail, {len(refused)} bundles are refused"
    print(f"{client.target}: {counts}, {seconds:.0f} s", flush=True)
    return answers


def hold_to_refusal(client: Client, project: Path, name: str, bundle: str) -> None:
    """Exit unless the last line, of one where no runtime warns, states the rule and the remedy."""
    done = client.run_program(project, bundle)
    message = done.stderr.strip().rpartition("\n")[2]
    if (done.returncode, done.stdout) != (2, "") or not all(words in message for words in REFUSALS[name]):
        sys.exit(f"{client.target} must refuse {name} and say {REFUSALS[name]}, it answered {done}")


def hold_to_usage(client: Client, project: Path, bundle: str) -> None:
    """Exit where the program takes what it does not know, or an option for a folder."""
    for arguments in (["--tim", bundle], [bundle, "--tim"], ["-t"], [bundle, bundle], ["--help"]):
        done = client.run_program(project, *arguments)
        helped = arguments == ["--help"] and not done.returncode and done.stdout.startswith(USAGE)
        if not helped and (done.returncode, done.stdout, done.stderr) != (2, "", USAGE):
            sys.exit(f"{client.target} must refuse {arguments} with its usage, it answered {done}")


def markdown(table: Table, heads: list[str]) -> Iterator[str]:
    yield f"| language | {' | '.join(heads)} |"
    yield f"|---|{'---|' * len(heads)}"
    for target, answers in table.items():
        yield f"| {target} | {' | '.join(answers[head].largest for head in heads)} |"
    yield ""
    yield f"onnxruntime {onnxruntime.__version__}, where a client does not bring its own."


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
