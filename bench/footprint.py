"""How long `make run` takes to the first page, and how much memory the whole stack needs at rest.

`make bench`. Starts a shop of its own beside whatever runs: its own state directory, its own port. Memory is the
proportional set size (a page shared by two processes counts half for each), so that the sum is what the machine gives.
Linux only, because /proc knows it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
WARM_STARTS = 3
VISITS = 20
REST_SECONDS = 10.0
LIMIT_START, LIMIT_MEMORY = 5.0, 450.0


def main() -> None:
    state = Path(tempfile.mkdtemp(prefix="foyer-bench-"))
    # Somebody else's account runs PostgreSQL when we are root, and has to pass.
    state.chmod(0o711)
    try:
        first, closing = time_one_start(state)
        warm = sorted(time_one_start(state)[0] for _ in range(WARM_STARTS))
        memory = measure_rest(state)
    finally:
        shutil.rmtree(state, ignore_errors=True)
    print_table(first, warm[len(warm) // 2], closing, memory)


def time_one_start(state: Path) -> tuple[float, float]:
    """Seconds from the command to the first whole page, and from Ctrl-C to the end."""
    with shop(state) as (process, url, began):
        fetch(url)
        opened = time.monotonic() - began
        process.send_signal(signal.SIGINT)
        stopping = time.monotonic()
        process.wait(30)
        return opened, time.monotonic() - stopping


def measure_rest(state: Path) -> Counter[str]:
    """Megabytes by kind of process, after some visits and a pause."""
    with shop(state) as (process, url, _):
        for _ in range(VISITS):
            fetch(url)
        time.sleep(REST_SECONDS)
        return memory_of(process.pid)


@contextmanager
def shop(state: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    port = free_port()
    env = {**os.environ, "FOYER_STATE": str(state), "PORT": str(port)}
    began = time.monotonic()
    process = subprocess.Popen(
        ["python3", "sandbox/bootstrap.py", "run"], cwd=CHECKOUT, env=env, stdout=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url, process)
        yield process, url, began
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            return fetch(url)
        except OSError:
            time.sleep(0.02)
    sys.exit(f"The shop did not open (exit code {process.returncode}). Try `make run` to see why.")


def fetch(url: str) -> None:
    with urllib.request.urlopen(url, timeout=30) as page:
        page.read()


def memory_of(root: int) -> Counter[str]:
    used: Counter[str] = Counter()
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            used[kind(pid)] += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:
            continue  # it ended meanwhile
    return Counter({name: round(kilobytes / 1024) for name, kilobytes in used.items()})


def tree(root: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name in brackets may contain spaces; the parent's number comes after it.
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


KINDS = {
    "uvicorn": "web (2 processes)",
    "tasks.worker": "worker",
    "sandbox.server": "sandbox",
    "valkey-server": "Valkey",
    "postgres": "PostgreSQL",
    "sandbox.run": "runner",
}


def kind(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return next((name for mark, name in KINDS.items() if mark in command), command[:40])


def print_table(first: float, warm: float, closing: float, memory: Counter[str]) -> None:
    total = sum(memory.values())
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    print("| what | measured | limit |\n|---|---:|---:|")
    print(f"| first start to first page, packages installed | {first:.1f} s | |")
    print(f"| warm start to first page, median of {WARM_STARTS} | {warm:.1f} s | {LIMIT_START:.0f} s |")
    print(f"| Ctrl-C to the end | {closing:.1f} s | |")
    print(f"| whole stack at rest | {total} MB | {LIMIT_MEMORY:.0f} MB |")
    for name, megabytes in memory.most_common():
        print(f"| — {name} | {megabytes} MB | |")
    if warm > LIMIT_START or total > LIMIT_MEMORY:
        sys.exit("\nOver the limit.")


if __name__ == "__main__":
    main()
