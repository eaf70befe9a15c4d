"""How many threads a session gets, and where they run.

onnxruntime sizes its pool from the host: in a container with two CPUs of a hundred it starts a hundred
threads. Here it gets what this process may use.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

# A thread that waits this long for more work before it sleeps answers the next call of a loop without
# being woken, which takes longer than most calls; onnxruntime's own is milliseconds, a CPU lost to others.
_SPIN_MICROSECONDS = 20
_SPIN_SINCE = (1, 26)


def configure_threads(options: Any, ort: ModuleType, threads: int | None) -> None:
    """Set the threads of a session.

    Args:
        options: The `onnxruntime.SessionOptions` to change.
        ort: onnxruntime.
        threads: How many; None for one per CPU that this process may use.
    """
    # before that version there is no limit to the waiting: then none
    limited = tuple(map(int, ort.__version__.split(".")[:2])) >= _SPIN_SINCE
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if limited else "0")
    if limited:
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_MICROSECONDS))
    cpus, allowed = usable_cpus(), thread_count()
    if threads is None and allowed < len(cpus):
        threads = allowed
    if threads is not None:
        options.intra_op_num_threads = threads
    elif len(cpus) < (os.cpu_count() or 1):
        options.intra_op_num_threads = len(cpus)
        if len(cpus) > 1:  # the calling thread is one of them, and is not pinned
            options.add_session_config_entry(
                "session.intra_op_thread_affinities", ";".join(str(cpu + 1) for cpu in cpus[1:])
            )
    # otherwise onnxruntime's own choice: a thread per core, each pinned to one


def thread_count() -> int:
    """Return how many threads can compute at once: one per CPU of the affinity, within the quota."""
    quota = cpu_quota()
    cpus = len(usable_cpus())
    return cpus if quota is None else max(1, min(cpus, int(quota)))


def usable_cpus() -> list[int]:
    """Return the numbers of the CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cpu_quota(root: str | os.PathLike[str] = "/") -> float | None:
    """Return how many CPUs' time the control groups of this process allow, None for no limit.

    Args:
        root: Where `proc` and `sys` are.
    """
    quotas = []
    for line in _read_lines(os.path.join(root, "proc/self/cgroup")):
        _, controllers, group = line.split(":", 2)
        mount = os.path.join(root, "sys/fs/cgroup")
        if controllers and "cpu" not in controllers.split(","):
            continue
        if controllers:
            named = os.path.join(mount, controllers)
            mount = named if os.path.isdir(named) else os.path.join(mount, "cpu")
        # in a container the path is the host's, and what holds is at the mount itself
        parts = [part for part in group.split("/") if part]
        quotas += [_quota(os.path.join(mount, *parts[:depth])) for depth in range(len(parts) + 1)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: str) -> float | None:
    """Read the limit of one group: version 2 has one file for quota and period, version 1 has two."""
    words = " ".join(_read_lines(os.path.join(folder, "cpu.max"))).split()
    if not words:
        words = [
            word
            for name in ("quota", "period")
            for word in _read_lines(os.path.join(folder, f"cpu.cfs_{name}_us"))
        ]
    if len(words) != 2 or words[0] in ("max", "-1") or not float(words[1]):
        return None
    return float(words[0]) / float(words[1])


def _read_lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []
