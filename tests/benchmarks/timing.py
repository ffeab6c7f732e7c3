"""Fair timing: contestants in turn within one process, compared pair by pair."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Times = dict[str, list[float]]


def interleaved(contestants: Mapping[str, Callable[[], object]], rounds: int = 7) -> Times:
    """Seconds of every contestant in every round, after one warm-up each."""
    for run in contestants.values():
        run()
    times: Times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Times, peer: str, ours: str) -> float:
    """Median over the rounds of the peer's time over ours: above 1 is faster than the peer."""
    pairs = zip(times[peer], times[ours], strict=True)
    return statistics.median(theirs / own for theirs, own in pairs)


def row(name: str, seconds: list[float]) -> str:
    """One line of a table: median and interquartile range."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{name:<28}{middle:>9.3f} s   ({low:.3f} … {high:.3f})"


def machine() -> dict[str, object]:
    """What the numbers depend on."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def save(path: Path, results: dict[str, object]) -> None:
    """Write results beside what they depend on."""
    path.write_text(json.dumps({"machine": machine(), **results}, indent=2) + "\n")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
