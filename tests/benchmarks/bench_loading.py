"""Time and memory for loading a 1.3 GB checkpoint, in a process of its own.

python tests/benchmarks/bench_loading.py
"""

import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import save_file

import dpt_core


def peak_megabytes() -> float:
    """Peak memory of this process in MB (Linux; getrusage counts the parent's too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def write_large(path: Path) -> None:
    """Write a file of the size of Depth Anything V2-L, all zeros."""
    import converted

    model = converted.MODELS["depth_anything_v2_vitl"]()
    save_file({name: tensor * 0 for name, tensor in model.state_dict().items()}, path)


def main() -> None:
    """Measure in this process if given a file, otherwise write one and measure in a child."""
    if len(sys.argv) == 2:
        before, start = peak_megabytes(), time.perf_counter()
        model = dpt_core.load(sys.argv[1])
        seconds, grown = time.perf_counter() - start, peak_megabytes() - before
        megabytes = model.inspection.bytes / 1e6
        sys.stdout.write(f"{megabytes:.0f} MB: {seconds:.2f} s, memory grew by {grown:.0f} MB\n")
        return
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "depth_anything_v2_vitl.safetensors")
        write_large(path)
        subprocess.run([sys.executable, __file__, str(path)], check=True)


if __name__ == "__main__":
    main()
