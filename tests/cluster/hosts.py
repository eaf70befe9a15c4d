"""Three hosts of a Ray cluster, in network namespaces of this machine; one is cut off in the middle of a run.

`hosts.py`, as root, with `ip` (Debian: iproute2). The hosts share a file system; the second does not see the
folder of the model.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

import onnxhead
from onnxhead_runtime import score

BRIDGE, NETWORK, PORT = "onnxhead0", "10.231.77", 6379
HOSTS = ("head", "second", "third")
BIN = Path(sys.executable).parent
ROWS, FILES = 2**17 * 24, 4
FEATURES = 16
SECONDS = 180
# a host that does not answer for four seconds is given up; by default it takes half a minute
HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
}


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextlib.contextmanager
def network() -> Iterator[None]:
    """Give each host a network namespace with one address, on a bridge."""
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "up")
        for number, host in enumerate(HOSTS, 1):
            space = f"onnxhead-{host}"
            ip("netns", "add", space)
            ip("link", "add", f"ohv{number}", "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", f"ohv{number}", "master", BRIDGE, "up")
            ip("-n", space, "addr", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "set", "eth0", "up")
        yield
    finally:
        for number, host in enumerate(HOSTS, 1):
            for line in _output("ip", "netns", "pids", f"onnxhead-{host}").split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), 9)
            subprocess.run(["ip", "netns", "del", f"onnxhead-{host}"], stderr=subprocess.DEVNULL)
            subprocess.run(["ip", "link", "del", f"ohv{number}"], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", BRIDGE], stderr=subprocess.DEVNULL)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def start(host: str, folder: Path, hidden: Path) -> None:
    """Start a host's Ray."""
    number = HOSTS.index(host) + 1
    ray = [str(BIN / "ray"), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    ray += [f"--node-ip-address={NETWORK}.{number}", f"--object-store-memory={100 * 2**20}"]
    if host == "head":
        ray += ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={folder / 'r'}"]
    else:
        ray += [f"--address={NETWORK}.1:{PORT}"]
        # `ip netns exec` has its own mounts: each host its own folder for Ray, and the second no model
        folders = [folder / "r", *([hidden] if host == "second" else [])]
        mounts = "".join(f"mount -t tmpfs none {each} && " for each in folders)
        ray = ["sh", "-c", f'{mounts}exec "$@"', "sh", *ray]
    with (folder / f"{host}.log").open("wb") as log:
        subprocess.Popen(
            ["ip", "netns", "exec", f"onnxhead-{host}", *ray],
            stdout=log,
            stderr=log,
            env={**os.environ, **HEALTH},
        )


def write_inputs(folder: Path) -> tuple[Path, Path, list[Path]]:
    random = np.random.default_rng(0)
    model, rows = folder / "model", folder / "rows"
    model.mkdir()
    rows.mkdir()
    weight = random.normal(size=(10, FEATURES)).astype(np.float32)
    onnxhead.save(onnxhead.Head(weight, random.normal(size=10).astype(np.float32)), model / "model.onnx")
    files = []
    for number in range(FILES):
        values = random.standard_normal((ROWS // FILES, FEATURES), dtype=np.float32)
        lists = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(values.ravel()), FEATURES)
        table = {"id": np.arange(len(values)) + number * len(values), "features": lists}
        files.append(rows / f"{number}.parquet")
        parquet.write_table(pyarrow.table(table), files[-1], row_group_size=2**15)
    return model / "model.onnx", rows, files


def wait_for(what: str, condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"waited {seconds} s for {what}")
        time.sleep(0.1)


def rows_done(journal: Path) -> int:
    try:
        return json.loads(journal.read_text())["rows"]
    except (OSError, ValueError):
        return 0


def works(host: str) -> bool:
    """Tell whether a worker runs on a host."""
    pids = _output("ip", "netns", "pids", f"onnxhead-{host}").split()
    return any(b"MapWorker(MapBatches(Scorer)).submit" in _command(pid) for pid in pids)


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def in_head(*command: object) -> list[str]:
    return ["ip", "netns", "exec", "onnxhead-head", *map(str, command)]


def alive() -> int:
    program = (
        "import ray; ray.init(address='auto', log_to_driver=False, logging_level=50)\n"
        "print(sum(node['Alive'] for node in ray.nodes()))"
    )
    done = subprocess.run(
        in_head(sys.executable, "-c", program),
        capture_output=True,
        text=True,
        env={**os.environ, **HEALTH, "RAY_ADDRESS": f"{NETWORK}.1:{PORT}"},
    )
    return int(done.stdout or 0)


def main() -> None:
    if os.geteuid() or not shutil.which("ip"):
        if os.environ.get("CI"):
            sys.exit("in CI there must be root and ip")
        print("SKIPPED: three hosts need root and ip")
        return
    folder = Path(tempfile.mkdtemp(prefix="onnxhead-"))
    try:
        model, rows, files = write_inputs(folder)
        classify = onnxhead.load(model, device="cpu")
        local = []
        for file in files:
            score(classify, file, folder / "local.parquet", keep=["id"])
            local.append(parquet.read_table(folder / "local.parquet"))
        expected = pyarrow.concat_tables(local)
        with network():
            for host in HOSTS:
                start(host, folder, model.parent)
                if host == "head":
                    wait_for("the head", lambda: "Ray runtime started" in (folder / "head.log").read_text())
            wait_for("three hosts", lambda: alive() == len(HOSTS))
            print("three hosts")
            run(folder, model, rows, expected, cut="third")
            wait_for("two hosts", lambda: alive() == len(HOSTS) - 1)
            print("the third host was given up")
    finally:
        for log in folder.glob("*.log"):
            if sys.exc_info()[0]:
                print(log.read_text()[-2000:], file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, model: Path, rows: Path, expected: pyarrow.Table, cut: str) -> None:
    """Run from the head, and cut a host off when a part of the rows is done."""
    command = in_head(
        *(BIN / "onnxhead", "run", model, rows, "-o", folder / "out", "--engine", "ray", "--keep", "id"),
        *("--address", f"{NETWORK}.1:{PORT}", "--workers", "3", "--json", "--quiet"),
    )
    began = time.monotonic()
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **HEALTH}
    )
    journal = folder / ".out.partial/journal.json"
    wait_for("the first rows", lambda: (rows_done(journal) and works(cut)) or running.poll() is not None)
    done = rows_done(journal)
    ip("link", "set", f"ohv{HOSTS.index(cut) + 1}", "down")
    try:
        said, errors = running.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        running.kill()
        sys.exit("the run did not end")
    if running.returncode:
        sys.exit(f"the run failed: {errors}")
    assert 0 < done < len(expected), f"{cut} was cut off at {done} rows, not in the middle"
    assert errors == "", "Ray does not talk"
    report = json.loads(said)
    answers = parquet.read_table(folder / "out")
    assert report["rows"] == len(expected)
    assert answers.equals(expected, check_metadata=True), "the answers are those of one machine"
    print(f"{cut} was cut off at {done:,} of {len(expected):,} rows, {time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
