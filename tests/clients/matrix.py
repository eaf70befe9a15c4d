"""Build every client, hold it to every head, and show that its check can fail; write the table of docs/portability.md.

python -m clients.matrix FOLDER [TARGET ...]        as `make test-clients` does
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import onnxruntime

from clients.bundles import Bundles, ship_heads, ship_wholes
from clients.document import replace_block
from clients.toolchains import CLIENTS, ROOT, Answer, Client

Table = dict[str, dict[str, Answer]]

USAGE = "usage: check [--time] [BUNDLE]\n"


def main(folder: Path, targets: list[str]) -> None:
    heads, wholes = ship_heads(folder), ship_wholes(folder / "whole")
    chosen = [client for client in CLIENTS if not targets or client.target in targets]
    skipped = [
        f"{client.target}: SKIPPED, needs {', '.join(client.missing)} on the PATH"
        for client in chosen
        if client.missing
    ]
    present = [client for client in chosen if not client.missing]
    table = {
        client.target: hold(client, client.build(folder / "projects"), heads, "heads") for client in present
    }
    model = folder / "whole" / "models" / "tokens.onnx"
    whole_table = {
        client.target: hold(
            client, client.build(folder / "whole" / "projects", model), wholes, "whole models"
        )
        for client in present
        if client.takes_whole
    }
    lines, whole_lines = list(markdown(table, heads)), list(markdown(whole_table, wholes))
    print("\n".join([*lines, *(whole_lines if whole_table else []), *skipped]))
    if len(table) == len(CLIENTS):
        replace_block(ROOT / "docs/portability.md", "matrix", lines)
    if len(whole_table) == sum(client.takes_whole for client in CLIENTS):
        replace_block(ROOT / "docs/portability.md", "whole models", whole_lines)
    if skipped and os.environ.get("CI"):
        sys.exit("in CI every toolchain must be there")


def hold(client: Client, project: Path, bundles: Bundles, what: str) -> dict[str, Answer]:
    """Return what a client that was built answers for each model; exit where it passes what is wrong, or fails."""
    start = time.monotonic()
    answers = {name: client.run_check(project, bundle) for name, bundle in bundles.passing.items()}
    for name, answer in answers.items():
        cases = len(list(bundles.passing[name].glob("test_data_set_*")))
        if (answer.status, answer.passed, answer.failed) != (0, cases, 0):
            sys.exit(f"{client.target} must pass {name}, it answered {answer.status}:\n{answer.output}")
    for name, bundle in bundles.mutants.items():
        answer = client.run_check(project, bundle)
        if answer.status != 1 or answer.failed == 0:
            sys.exit(
                f"{client.target} must fail on a wrong {name}, it answered {answer.status}:\n{answer.output}"
            )
    for name, bundle in bundles.refused.items():
        hold_to_refusal(client, project, str(bundle), bundles.refusals[name])
    hold_to_usage(client, project, str(next(iter(bundles.passing.values()))))
    seconds = time.monotonic() - start
    counts = (
        f"{len(bundles.passing)} {what} pass, {len(bundles.mutants)} mutants fail, {len(bundles.refused)} "
        "bundles are refused"
    )
    print(f"{client.target}: {counts}, {seconds:.0f} s", flush=True)
    return answers


def hold_to_refusal(client: Client, project: Path, bundle: str, words: tuple[str, ...]) -> None:
    """Exit unless the last line, of one where no runtime warns, states the rule and the remedy."""
    done = client.run_program(project, bundle)
    message = done.stderr.strip().rpartition("\n")[2]
    if (done.returncode, done.stdout) != (2, "") or not all(word in message for word in words):
        sys.exit(f"{client.target} must refuse {bundle} and say {words}, it answered {done}")


def hold_to_usage(client: Client, project: Path, bundle: str) -> None:
    """Exit where the program takes what it does not know, or an option for a folder."""
    for arguments in (["--tim", bundle], [bundle, "--tim"], ["-t"], [bundle, bundle], ["--help"]):
        done = client.run_program(project, *arguments)
        helped = arguments == ["--help"] and not done.returncode and done.stdout.startswith(USAGE)
        if not helped and (done.returncode, done.stdout, done.stderr) != (2, "", USAGE):
            sys.exit(f"{client.target} must refuse {arguments} with its usage, it answered {done}")


def markdown(table: Table, bundles: Bundles) -> Iterator[str]:
    yield f"| language | {' | '.join(bundles.passing)} |"
    yield f"|---|{'---|' * len(bundles.passing)}"
    for target, answers in table.items():
        yield f"| {target} | {' | '.join(answers[name].largest for name in bundles.passing)} |"
    yield ""
    yield f"onnxruntime {onnxruntime.__version__}, where a client does not bring its own."


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
