"""Memory for 500 frames compared with 5, without the results, each in its own process.

python tests/benchmarks/bench_frames.py
"""

import subprocess
import sys

import timing
import torch

import dpt_core
from dpt_core.demo import DEMO_CHECKPOINT

SIZE, CHUNK = (480, 640), 5


def grown(count: int) -> float:
    """Peak memory in MB beyond what was in use before, without the returned depth."""
    model = dpt_core.load(DEMO_CHECKPOINT)
    frames = torch.rand(1, 3, *SIZE).expand(count, -1, -1, -1)
    timing.reset_peak()
    before = timing.megabytes("VmRSS")
    depth = model.infer(frames, batch_size=CHUNK)
    return timing.megabytes("VmHWM") - before - depth.values.nbytes / 1e6


def main() -> None:
    """Measure in this process if given a number of frames, otherwise in a child for each."""
    if len(sys.argv) == 2:
        sys.stdout.write(f"{grown(int(sys.argv[1])):.1f}")
        return
    few, many = (
        float(subprocess.check_output([sys.executable, __file__, str(count)], text=True))
        for count in (CHUNK, 500)
    )
    sys.stdout.write(
        f"{CHUNK} frames: {few:.1f} MB, 500 frames: {many:.1f} MB ({many / few - 1:+.1%})\n"
    )


if __name__ == "__main__":
    main()
