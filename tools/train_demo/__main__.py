"""``python -m tools.train_demo``: train the demo checkpoint, or resume its training."""

import argparse
import logging
import sys
from pathlib import Path

import torch

from . import raycast
from .textures import read_photographs
from .train import Training, train

log = logging.getLogger(__package__)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_demo", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Path("demo"), help="folder for state and results"
    )
    parser.add_argument(
        "--hours", type=float, default=2.0, help="hours of training in all runs together"
    )
    parser.add_argument("--seed", type=int, default=0, help="for weights and scenes")
    threads = torch.get_num_threads()
    parser.add_argument("--threads", type=int, default=threads, help="PyTorch threads")
    parser.add_argument(
        "--textures",
        type=Path,
        nargs="*",
        default=[],
        help="folders of photographs to cut textures from",
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument(
        "--device", type=torch.device, default=torch.device(device), help="where to train"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    torch.set_num_threads(options.threads)
    raycast.compile_kernels()
    options.folder.mkdir(parents=True, exist_ok=True)
    photographs = read_photographs(options.textures)
    training = Training(options.folder, photographs, options.seed, options.device)
    if training.file.exists():
        training.resume()
        log.info("resuming after %s steps", f"{training.step:,}")
    train(training, options.hours, log.info)


main()
