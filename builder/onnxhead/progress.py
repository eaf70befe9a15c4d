"""How far a run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator

_LINE_SECONDS = 10.0

Report = Callable[[int, int | None], None]


@contextlib.contextmanager
def shown(quiet: bool, unit: str = "rows") -> Iterator[Report | None]:
    """Show progress on standard error while the block runs; the block reports units done and their total."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar(unit) as report:
            yield report
    else:
        yield _Lines(unit)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, by KeyboardInterrupt, so that what is done is kept."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _bar(unit: str) -> Iterator[Report]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn(f"{{task.completed:,}} {unit}"),
        progress.TextColumn("{task.fields[speed]}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, speed="")
        begun = _Begun()

        def report(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total, speed=f"{begun.per_second(done):,.0f} {unit}/s")

        yield report


class _Lines:
    """Prints a line every ten seconds."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._begun = _Begun()
        self._next = time.monotonic() + _LINE_SECONDS

    def __call__(self, done: int, total: int | None) -> None:
        speed = self._begun.per_second(done)
        if time.monotonic() < self._next:
            return
        self._next += _LINE_SECONDS
        left = f" of {total:,}, {(total - done) / speed:,.0f} s left" if total and speed else ""
        print(f"{done:,} {self._unit}{left}, {speed:,.0f} {self._unit}/s", file=sys.stderr, flush=True)  # noqa: T201


class _Begun:
    """When the first report came, and of how many: a run that goes on begins with some."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def per_second(self, done: int) -> float:
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
        seconds = now - self._first[0]
        return (done - self._first[1]) / seconds if seconds > 0 else 0.0
