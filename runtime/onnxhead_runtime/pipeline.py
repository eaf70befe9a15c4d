"""Work that overlaps: the next items are made in a thread of their own while the earlier ones are used."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_POLL_SECONDS = 0.1
_END = object()


class Ahead(Generic[Item]):
    """Lets a thread take items, a few ahead of who uses them.

    An exception is raised where the items are used. When the `with` block ends, however it does, the thread
    has ended too, and a generator is closed.

    Example:
        >>> with Ahead(number * number for number in range(4)) as squares:
        ...     print(*squares)
        0 1 4 9
    """

    def __init__(self, items: Iterable[Item], depth: int = 2) -> None:
        """Prepare to take items, at most `depth` of them ahead."""
        self._items = items
        self._ready: queue.Queue[object] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="onnxhead-ahead", daemon=True)

    def __enter__(self) -> Iterator[Item]:
        """Start the thread."""
        self._thread.start()
        return self._take()

    def __exit__(self, *_: object) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _take(self) -> Iterator[Item]:
        while (item := self._ready.get()) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            yield item  # type: ignore[misc]

    def _fill(self) -> None:
        try:
            for item in self._items:
                self._put(item)
                if self._stopped.is_set():
                    break
            self._put(_END)
        except BaseException as error:
            self._put(_Raised(error))
        finally:
            if isinstance(self._items, Generator):
                self._items.close()

    def _put(self, item: object) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._ready.put(item, timeout=_POLL_SECONDS)
                return


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, depth: int = 1
) -> Generator[Result, None, None]:
    """Yield the results of work on items, in their order, worked on by several threads.

    At most `depth` more items than there are workers are taken before the first result is used.

    Example:
        >>> list(in_order(abs, [-1, 2, -3], workers=2))
        [1, 2, 3]
    """
    with ThreadPoolExecutor(workers, "onnxhead-work") as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) == workers + depth:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class _Raised:
    """An exception on its way to the other thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
