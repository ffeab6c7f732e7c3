"""Depth networks in float32: ours against transformers, on the same weights.

    python tests/benchmarks/bench_depth.py [--models NAME …] [--threads 2] [--rounds 7]
                                           [--batch 1] [--json FILE]

transformers runs its own fused attention where it has one. Needs ``transformers`` installed.
"""

import argparse
import sys
from pathlib import Path

import peers
import timing
import torch


def compare(name: str, batch: int, rounds: int) -> dict[str, object]:
    """One model: seconds, ratio, and how far apart the two results are."""
    ours, theirs, size = peers.pair(name)
    images = torch.randn(batch, 3, *size)
    with torch.inference_mode():
        expected = theirs(images).predicted_depth
        difference = ((ours.net(images) - expected).abs().max() / expected.std()).item()
        times = timing.interleaved(
            {"ours": lambda: ours.net(images), "transformers": lambda: theirs(images)}, rounds
        )
    ratio = timing.ratio(times, "transformers", "ours")
    lines = [
        f"{name}, batch {batch}",
        *(f"  {timing.row(who, seconds)}" for who, seconds in times.items()),
        f"  {'transformers / ours':<28}{ratio:>9.2f} ×   (results differ by {difference:.0e} σ)",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return {"seconds": times, "ratio": ratio, "batch": batch, "difference": difference}


def main() -> None:
    """Run, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=peers.MODELS, default=list(peers.MODELS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results: dict[str, object] = {
        name: compare(name, options.batch, options.rounds) for name in options.models
    }
    if options.json:
        timing.save(options.json, results)


if __name__ == "__main__":
    main()
