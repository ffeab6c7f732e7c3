"""SAM at 1024×1024, float32: ours against the segment-anything package on the same weights.

    python tests/benchmarks/bench_sam.py [--threads 2] [--rounds 5] [--size b] [--json FILE]

Weights are random (neither time nor memory depends on them). Memory is the peak while encoding one
image, minus what was in use before, in a process of its own (Linux). If the package is not
installed, ours runs alone.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import timing
import torch
from safetensors.torch import load_file, save_file

import dpt_core

MANIFESTS = Path(__file__).parents[1] / "fixtures" / "sam" / "manifests.json.gz"
NAMES = {"b": "sam_vit_b_01ec64", "l": "sam_vit_l_0b3195", "h": "sam_vit_h_4b8939"}
PROMPTS = 64


def write_weights(path: Path, size: str) -> None:
    """Write random weights with the keys and shapes of the published checkpoint."""
    keys = json.loads(gzip.decompress(MANIFESTS.read_bytes()))[NAMES[size]]["state_dict"]
    save_file({key: 0.02 * torch.randn(shape) for key, (_, *shape) in keys.items()}, path)


def official(path: Path, size: str):
    """The package's predictor; it needs torchvision only for images and boxes, so stubs suffice."""
    names = {
        "ops.boxes": ("batched_nms", "box_area"),
        "transforms.functional": ("resize", "to_pil_image"),
    }
    for module in ("", ".ops", ".transforms", *(f".{name}" for name in names)):
        sys.modules.setdefault(f"torchvision{module}", ModuleType(f"torchvision{module}"))
    for module, functions in names.items():
        for function in functions:
            vars(sys.modules[f"torchvision.{module}"]).setdefault(function, None)
    from segment_anything import (  # pyright: ignore[reportMissingImports]
        SamPredictor,
        sam_model_registry,
    )

    model = sam_model_registry[f"vit_{size}"]()
    model.load_state_dict(load_file(path))
    return SamPredictor(model)


Contestants = dict[str, Callable[[], object]]


def contestants(who: list[str], path: Path, size: str) -> tuple[Contestants, Contestants]:
    """Functions to time for each contestant: encoding one image, and decoding 64 points on it."""
    images = torch.rand(1, 3, 1024, 1024)
    points, labels = 1024 * torch.rand(PROMPTS, 1, 2), torch.ones(PROMPTS, 1)
    encode: Contestants = {}
    decode: Contestants = {}
    if "ours" in who:
        model = dpt_core.load_sam(path)
        embeddings: list[dpt_core.SamEmbedding] = []

        def encode_ours() -> None:
            embeddings[:] = [model.encode_image(images)]

        encode["ours"] = encode_ours
        decode["ours"] = lambda: model.predict(embeddings[0], points, labels)
    if "official" in who:
        predictor = official(path, size)
        decode["official"] = lambda: predictor.predict_torch(points, labels, return_logits=True)
        encode["official"] = lambda: predictor.set_torch_image(255 * images, (1024, 1024))
    return encode, decode


def megabytes(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1e3


def encode_alone(who: str, path: Path, size: str) -> None:
    """Measure the memory of encoding; runs in the child process of `memory`."""
    encode, _ = contestants([who], path, size)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = megabytes("VmRSS")
    encode[who]()
    peak = megabytes("VmHWM")
    json.dump({"before MB": before, "peak MB": peak, "encoding MB": peak - before}, sys.stdout)


def memory(who: str, path: Path, options: argparse.Namespace) -> dict[str, float]:
    """Memory in MB for encoding one image, in a process of its own."""
    arguments = ["--alone", who, "--weights", str(path), "--size", options.size]
    command = [sys.executable, __file__, *arguments, "--threads", str(options.threads)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    measured = json.loads(result.stdout)
    sys.stdout.write(
        f"{who:<28}{measured['encoding MB']:>9.0f} MB for encoding, peak of the process "
        f"{measured['peak MB']:.0f} MB\n"
    )
    return measured


def compare(name: str, contest: Contestants, rounds: int) -> timing.Times:
    """Time the contestants in turn and print the result."""
    times = timing.interleaved(contest, rounds)
    lines = [name, *(timing.row(who, seconds) for who, seconds in times.items())]
    if "official" in times:
        faster = timing.ratio(times, "official", "ours")
        lines.append(f"{'official / ours':<28}{faster:>9.2f} ×")
    sys.stdout.write("\n".join(lines) + "\n\n")
    return times


@torch.no_grad()
def main() -> None:
    """Run everything, print a table, and write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="PyTorch threads (default: 2)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds (default: 5)")
    parser.add_argument("--size", choices=NAMES, default="b", help="ViT size (default: b)")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.alone:
        encode_alone(options.alone, options.weights, options.size)
        return
    who = ["ours", "official"] if find_spec("segment_anything") else ["ours"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{NAMES[options.size]}.safetensors")
        write_weights(path, options.size)
        results: dict[str, object] = {"memory": {name: memory(name, path, options) for name in who}}
        encode, decode = contestants(who, path, options.size)
    results["encode"] = compare("encode 1024×1024", encode, options.rounds)
    results["decode"] = compare(f"decode {PROMPTS} points, 3 masks each", decode, options.rounds)
    if options.json:
        timing.save(options.json, results)


if __name__ == "__main__":
    main()
