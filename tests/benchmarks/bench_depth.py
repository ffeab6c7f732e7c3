"""Depth networks: ours against each peer, on the same weights, dtype and threads.

    python tests/benchmarks/bench_depth.py --json RESULTS.json [--cases NAME …] [--peers NAME …]
        [--threads 2] [--rounds 7] [--official FOLDER …]

Every pair takes turns in a process of its own, after one warm-up; peak memory and loading time
are measured again for each one alone in a process. A peer that is not installed is skipped with a
note; the official code is searched for in the FOLDERs (checkouts of Depth-Anything-V2 and
MiDaS, and an unpacked timm 0.6 for MiDaS). Results are added to RESULTS.json, so a run can be split
into parts, and rounds of a repeated contest are pooled; ``report.py`` makes the table and the plot
from it. Weights are random and most of the depth is cut off at 0, so σ, the unit in which
results are compared, is small: rely on the parity tests for accuracy.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import peers
import timing
import torch
from torch import Tensor

PHOTOGRAPH = (960, 1280)  # height and width, for the path from photograph to depth


class Case(NamedTuple):
    """One row of the table.

    Attributes:
        checkpoint: name of the published checkpoint whose shapes are used.
        size: height and width of the network's input in pixels.
        peers: what ours is compared with.
        batch: number of images.
        dtype: the number format to compute in.
        whole: whether a photograph's whole path to depth is timed, not only the network.
    """

    checkpoint: str
    size: tuple[int, int]
    peers: tuple[str, ...] = ("transformers", "official")
    batch: int = 1
    dtype: str = "float32"
    whole: bool = False


ALL = ("transformers", "official", "timm", "onnxruntime")
V2S, V2B, V2L = (f"depth_anything_v2_vit{size}" for size in "sbl")
SQUARE, WIDE = (518, 518), (518, 924)

CASES = {
    "V2-S 518×518": Case(V2S, SQUARE, ALL),
    "V2-S 518×924": Case(V2S, WIDE),
    "V2-S photograph": Case(V2S, SQUARE, whole=True),
    "V2-S 518×518 batch 4": Case(V2S, SQUARE, batch=4),
    "V2-S 518×518 batch 16": Case(V2S, SQUARE, batch=16),
    "V2-S 518×518 bfloat16": Case(V2S, SQUARE, ("transformers",), dtype="bfloat16"),
    "V2-B 518×518": Case(V2B, SQUARE, ALL),
    "V2-B 518×924": Case(V2B, WIDE),
    "V2-L 518×518": Case(V2L, SQUARE),
    "V2-L 518×924": Case(V2L, WIDE),
    "BEiT-B 384×384": Case("dpt_beit_base_384", (384, 384), ALL),
    "BEiT-L 512×512": Case("dpt_beit_large_512", (512, 512)),
    "Swin V2-T 256×256": Case("dpt_swin2_tiny_256", (256, 256), (*ALL[:2], "onnxruntime")),
    "hybrid 384×384": Case("dpt_hybrid_384", (384, 384)),
}


def load(who: str, peer: str, case: Case, path: Path) -> peers.Contestant:
    """Load ours or the peer's model from the file that both read."""
    dtype = getattr(torch, case.dtype)
    if who == "ours":
        return peers.ours(path, case.checkpoint, peer, dtype)
    return peers.PEERS[peer](path, case.checkpoint, dtype)


def work(contestant: peers.Contestant, case: Case) -> Callable[[], Any]:
    """The function to time: the network alone, or everything from a photograph to its depth."""
    torch.manual_seed(1)
    if not case.whole:
        images = torch.randn(case.batch, 3, *case.size)
        return lambda: contestant.net(images)
    photograph = torch.randint(0, 256, (*PHOTOGRAPH, 3), dtype=torch.uint8).numpy()
    assert contestant.whole is not None
    whole = contestant.whole
    return lambda: whole(photograph)


def compare(case: Case, peer: str, path: Path, rounds: int) -> dict[str, Any]:
    """Time both models: seconds, ratio, and how far apart their results are."""
    ours, theirs = load("ours", peer, case, path), load(peer, peer, case, path)
    contest = {"ours": work(ours, case), peer: work(theirs, case)}
    results = {who: run() for who, run in contest.items()}
    times = timing.interleaved(contest, rounds)
    found: dict[str, Any] = {"seconds": times, "ratio": timing.ratio(times, peer, "ours")}
    if not case.whole and peer != "timm":
        found["difference"] = difference(results["ours"], results[peer])
    if case.dtype != "float32":
        exact = work(load("ours", peer, case._replace(dtype="float32"), path), case)
        found["error"] = difference(results["ours"], exact())
        found["against float32"] = timing.ratio(
            timing.interleaved({"float32": exact, "ours": contest["ours"]}, rounds),
            "float32",
            "ours",
        )
    return found


def difference(ours: Tensor, expected: Tensor) -> float:
    """The largest difference, in units of the expected values' standard deviation."""
    apart = ours.float().squeeze() - expected.float().squeeze()
    return (apart.abs().max() / expected.float().std()).item()


def alone(who: str, case: Case, peer: str, path: Path) -> dict[str, float]:
    """Seconds to load, and the peak memory of two runs beyond the loaded model."""
    start = time.perf_counter()
    run = work(load(who, peer, case, path), case)
    seconds = time.perf_counter() - start
    timing.reset_peak()
    before = timing.megabytes("VmRSS")
    run()
    run()
    return {"load s": seconds, "loaded MB": before, "above MB": timing.megabytes("VmHWM") - before}


def child(arguments: list[str], options: argparse.Namespace, peer: str) -> Any:
    """The result that this script prints in a child process; None if the peer is not installed."""
    command = [sys.executable, __file__, *arguments, "--threads", str(options.threads)]
    command += ["--rounds", str(options.rounds)]
    if peer == "official":
        command += ["--official", *map(str, options.official)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode == 0:
        return json.loads(result.stdout.splitlines()[-1])
    reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
    if "ModuleNotFoundError" in reason:
        sys.stdout.write(f"  {peer}: skipped, not installed ({reason})\n")
        return None
    raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr}")


def contest(name: str, peer: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """Compare one case with one peer: times, then the memory of each."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        path = peers.write_checkpoint(case.checkpoint, peer, Path(folder))
        task = ["--cases", name, "--peers", peer, "--weights", str(path)]
        found = child(task, options, peer)
        if found is None:
            return None
        # Exporting the model to ONNX would count towards its loading time and memory.
        who_else = () if peer == "onnxruntime" else (peer,)
        found["alone"] = {
            who: child([*task, "--alone", who], options, peer) for who in ("ours", *who_else)
        }
    for who, seconds in found["seconds"].items():
        cost = found["alone"].get(who)
        memory = f"   + {cost['above MB']:.0f} MB, loaded in {cost['load s']:.2f} s" if cost else ""
        sys.stdout.write(f"  {timing.row(who, seconds)}{memory}\n")
    apart = f"   (results differ by {found['difference']:.0e} σ)" if "difference" in found else ""
    sys.stdout.write(f"  {peer + ' / ours':<28}{found['ratio']:>9.2f} ×{apart}\n")
    if "error" in found:
        sys.stdout.write(
            f"  {case.dtype}: {found['against float32']:.2f} × as fast as float32, "
            f"error {found['error']:.0e} σ\n"
        )
    return {**found, **timing.machine()}


@torch.inference_mode()
def main() -> None:
    """Run the cases, print the results, and add them to the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=CASES,
        default=list(CASES),
        metavar="NAME",
        help=f"cases to run (default: all): {', '.join(CASES)}",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=peers.PEERS,
        default=list(peers.PEERS),
        metavar="NAME",
        help=f"peers to compare with (default: all): {', '.join(peers.PEERS)}",
    )
    parser.add_argument("--threads", type=int, default=2, help="PyTorch threads (default: 2)")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (default: 7)")
    parser.add_argument(
        "--official", nargs="+", type=Path, default=[], help="checkouts of the official code"
    )
    parser.add_argument("--json", type=Path, help="file to add the results to")
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.weights:
        sys.path[:0] = map(str, options.official)
        case, peer = CASES[options.cases[0]], options.peers[0]
        if options.alone:
            found = alone(options.alone, case, peer, options.weights)
        else:
            found = compare(case, peer, options.weights, options.rounds)
        sys.stdout.write("\n" + json.dumps(found) + "\n")
        return
    for name in options.cases:
        sys.stdout.write(f"{name}\n")
        for peer in CASES[name].peers:
            found = contest(name, peer, options) if peer in options.peers else None
            if found is not None and options.json:
                timing.add(options.json, name, peer, found)


if __name__ == "__main__":
    main()
