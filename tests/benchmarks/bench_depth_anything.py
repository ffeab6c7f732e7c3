"""Depth Anything V2-S at 518×518, float32: ours against transformers on the same weights.

    python tests/benchmarks/bench_depth_anything.py [--threads 2] [--rounds 7] [--json FILE]

Weights are random (time does not depend on them); transformers runs its own fused attention.
Also: what loading a 1.3 GB file costs in time and memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import timing
import torch
from safetensors.torch import save_file

import dpt_core

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import depth_anything_shapes, random_weights

SMALL = {"width": 384, "hidden": 1536, "channels": (48, 96, 192, 384), "features": 64, "grid": 37}
LARGE = {
    "blocks": 24,
    "width": 1024,
    "hidden": 4096,
    "channels": (256, 512, 1024, 1024),
    "features": 256,
    "grid": 37,
}


def peer(state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """transformers' model; only its speed matters, so its own random weights do."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        image_size=518,
        patch_size=14,
        out_indices=[3, 6, 9, 12],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone.to_dict(),
        reassemble_hidden_size=384,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
        head_hidden_size=32,
        patch_size=14,
    )
    return DepthAnythingForDepthEstimation(config).eval()


def compare(rounds: int) -> dict[str, object]:
    """The network alone, and the whole path from a 960×720 photograph to its depth."""
    state = random_weights(depth_anything_shapes(**SMALL))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "depth_anything_v2_vits.safetensors")
        save_file(state, path)
        model = dpt_core.load(path)
    theirs = peer(state)
    images = torch.rand(1, 3, 720, 960)
    results: dict[str, object] = {}
    with torch.inference_mode():
        for size in ((518, 518), (518, 924)):
            inputs = torch.randn(1, 3, *size)
            times = timing.interleaved(
                {"ours": lambda x=inputs: model.net(x), "transformers": lambda x=inputs: theirs(x)},
                rounds,
            )
            name = f"V2-S {size[0]}×{size[1]}, network"
            report(name, times)
            results[name] = times
        times = timing.interleaved({"ours": lambda: model.infer(images)}, rounds)
        report("V2-S 720×960 photograph, whole path", times)
        results["whole path"] = times
    return results


def report(name: str, times: timing.Times) -> None:
    """Print one comparison."""
    lines = [name, *(timing.row(who, seconds) for who, seconds in times.items())]
    lines += [
        f"{'transformers / ours':<28}{timing.ratio(times, peer, 'ours'):>9.2f} ×"
        for peer in times
        if peer != "ours"
    ]
    sys.stdout.write("\n".join(lines) + "\n\n")


def loading() -> dict[str, object]:
    """Seconds and peak memory of loading a 1.3 GB file, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "depth_anything_v2_vitl.safetensors")
        shapes = depth_anything_shapes(**LARGE)
        save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, path)
        result = subprocess.run(
            [sys.executable, __file__, "--load", str(path)],
            check=True,
            capture_output=True,
            text=True,
        )
        measured = json.loads(result.stdout)
        measured["file MB"] = path.stat().st_size / 1e6
    sys.stdout.write(
        f"Loading {measured['file MB']:.0f} MB: {measured['seconds']:.2f} s, memory grew by "
        f"{measured['grown MB']:.0f} MB at its peak\n"
    )
    return measured


def load_alone(path: Path) -> None:
    """The child process of `loading`."""
    before = peak_megabytes()
    start = time.perf_counter()
    model = dpt_core.load(path)
    seconds = time.perf_counter() - start
    assert model.inspection.parameters
    json.dump({"seconds": seconds, "grown MB": peak_megabytes() - before}, sys.stdout)


def peak_megabytes() -> float:
    """The most memory that this process has held (Linux; getrusage counts the parent's too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def main() -> None:
    """Run everything, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.load:
        load_alone(options.load)
        return
    results = {"times": compare(options.rounds), "loading": loading()}
    if options.json:
        timing.save(options.json, results)


if __name__ == "__main__":
    main()
