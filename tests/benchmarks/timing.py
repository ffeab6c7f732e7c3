"""Fair timing: contestants take turns within one process and are compared round by round."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

Times = dict[str, list[float]]
PAUSE = 0.2  # seconds
PACKAGES = ("transformers", "timm", "onnxruntime", "segment-anything")


def interleaved(contestants: Mapping[str, Callable[[], object]], rounds: int = 7) -> Times:
    """Seconds of every contestant in every round, after one warm-up each.

    There is a pause before each run: the threads of a pool wait for more work by spinning, and
    would keep the cores from the next contestant for some 30 ms.
    """
    for run in contestants.values():
        run()
    times: Times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Times, peer: str, ours: str) -> float:
    """Median over the rounds of the peer's time divided by ours; above 1, ours is faster."""
    pairs = zip(times[peer], times[ours], strict=True)
    return statistics.median(theirs / own for theirs, own in pairs)


def row(name: str, seconds: list[float]) -> str:
    """One line of a table: median and quartiles of the seconds."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{name:<28}{middle:>9.3f} s   ({low:.3f} … {high:.3f})"


def megabytes(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1.024e-3


def reset_peak() -> None:
    """Reset VmHWM to the memory in use now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def machine() -> dict[str, object]:
    """The machine and versions that the numbers depend on."""
    installed = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        **{name: installed[name] for name in PACKAGES if name in installed},
    }


def save(path: Path, results: dict[str, object]) -> None:
    """Write the results together with the machine they were measured on."""
    path.write_text(json.dumps({"machine": machine(), **results}, indent=2) + "\n")


def add(path: Path, case: str, peer: str, found: dict[str, Any]) -> None:
    """Add one result to a file that may hold others: case → peer → result.

    Rounds of the same contest are pooled: runs at different times differ by more than the rounds
    of one run.
    """
    results = json.loads(path.read_text()) if path.is_file() else {}
    before = results.setdefault(case, {}).get(peer)
    if before is not None:
        times = {who: before["seconds"][who] + times for who, times in found["seconds"].items()}
        found = {**found, "seconds": times, "ratio": ratio(times, peer, "ours")}
    results[case][peer] = found
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
