"""Training that can be stopped and resumed at any time."""

import copy
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from .dead_units import reset_dead_units
from .loss import depth_loss
from .network import export, make_network
from .scene_types import HELD_OUT, TRAINED
from .score import score
from .stream import Stream


class Phase(NamedTuple):
    """A part of the training.

    Attributes:
        until: the share of the training at which it ends.
        side: side of the renderings in pixels, larger than the crops.
        sizes: rows and columns of the input in patches.
        batch: pictures per batch.
    """

    until: float
    side: int
    sizes: tuple[tuple[int, int], ...]
    batch: int


SCHEDULE = (
    Phase(0.3, 192, ((8, 8), (7, 9), (9, 7), (8, 11), (10, 7)), 24),
    Phase(0.6, 192, ((11, 11), (9, 13), (13, 9), (10, 14)), 20),
    Phase(1.0, 256, ((14, 14), (13, 17), (17, 13), (14, 18), (12, 14)), 16),
)
Batch = tuple[Tensor, Tensor]  # pictures and their inverse depth
# At higher rates, the decoder's weights grow faster than they learn.
MATRIX_RATE, RATE = 1e-3, 3e-4
WARM_UP, AVERAGE_DECAY = 150, 0.999
SAVE_EVERY, REPORT_EVERY = 600, 50  # seconds, steps


def learning_rate_share(progress: float, step: int) -> float:
    """The share of the full learning rate: a warm-up, a plateau, and a linear decay."""
    return min(1, step / WARM_UP) * min(1, max(0.0, 1 - progress) / 0.5)


def make_optimisers(net: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon (orthogonalised momentum) for the transformer's matrices, AdamW for the rest."""
    matrices, rest = [], []
    for name, parameter in net.named_parameters():
        is_matrix = parameter.dim() == 2 and "imgencoder.stages" in name
        (matrices if is_matrix else rest).append(parameter)
    return [
        torch.optim.Muon(
            [{"params": matrices, "peak": MATRIX_RATE}],
            weight_decay=0.05,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            [{"params": rest, "peak": RATE}], betas=(0.9, 0.98), weight_decay=0.05, fused=True
        ),
    ]


class Training:
    """Everything that is needed to resume training.

    Args:
        folder: for the state and the exported checkpoint.
        photographs: H×W×3 uint8, to cut textures from.
        seed: for weights and scenes.
        device: where the network is trained; scenes are rendered on the CPU.
    """

    def __init__(
        self, folder: Path, photographs: Iterable[np.ndarray], seed: int, device: torch.device
    ) -> None:
        torch.manual_seed(seed)
        self.folder, self.device = folder, device
        self.net = make_network().to(device)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.optimisers = make_optimisers(self.net)
        self.rng = np.random.default_rng(seed)
        self.stream = Stream(self.rng, list(photographs))
        self.step, self.images, self.seconds = 0, 0, 0.0
        self.since = 0  # the step at which the phase began
        self.phase: Phase | None = None
        # The next batch is rendered while the network trains on the last one.
        self.worker = ThreadPoolExecutor(1)
        self.next: Future[Batch] | None = None

    @property
    def file(self) -> Path:
        """The state on disk."""
        return self.folder / "state.pt"

    def save(self) -> None:
        """Write the state, and the averaged weights as a checkpoint."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "random": self.rng.bit_generator.state,
            "counts": (self.step, self.images, self.seconds, self.since),
        }
        partial = self.file.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.file)
        export(self.average.state_dict(), self.folder / "demo.safetensors", self.images)

    def resume(self) -> None:
        """Load the state on disk; the pool of pictures is filled again."""
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.rng.bit_generator.state = state["random"]
        self.step, self.images, self.seconds, self.since = state["counts"]

    def predict(self, images: Tensor) -> Tensor:
        """Inverse depth B×H×W of images B×3×H×W, with the averaged weights."""
        return self.average(images.to(self.device)).relu().cpu()

    def advance(self, progress: float) -> float:
        """Do one step and return its loss."""
        phase = next(phase for phase in SCHEDULE if progress <= phase.until)
        images, inverse = (self.next or self.worker.submit(self._prepare, phase)).result()
        self.next = self.worker.submit(self._prepare, phase)
        if self.phase not in (None, phase):
            self._start_phase(images)
        self.phase = phase
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * learning_rate_share(progress, self.step - self.since)
        with torch.autocast(self.device.type, torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            logits = self.net(images.to(self.device))
        loss = depth_loss(logits.float(), inverse.to(self.device))
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step, self.images = self.step + 1, self.images + len(images)
        self._update_average()
        return loss.item()

    def _start_phase(self, images: Tensor) -> None:
        """Continue with the averaged weights, without dead units, with a new warm-up."""
        reset_dead_units(self.average, images.to(self.device))
        self.net.load_state_dict(self.average.state_dict())
        self.optimisers = make_optimisers(self.net)
        self.since = self.step

    def _prepare(self, phase: Phase) -> Batch:
        rows, columns = phase.sizes[self.rng.integers(len(phase.sizes))]
        return self.stream.batch(phase.batch, (14 * rows, 14 * columns), phase.side)

    @torch.no_grad()
    def _update_average(self) -> None:
        steps = self.step - self.since
        decay = min(AVERAGE_DECAY, steps / (steps + 10))
        pairs = zip(self.average.parameters(), self.net.parameters(), strict=True)
        for average, parameter in pairs:
            average.lerp_(parameter, 1 - decay)


def train(training: Training, hours: float, report: Callable[[str], None]) -> None:
    """Train for this many hours in all runs together.

    `report` is called with a line of text from time to time. The state is saved every ten
    minutes, at the end, and when the training is interrupted.
    """
    budget = hours * 3600
    try:
        while training.seconds < budget:
            _train_until_save(training, budget, report)
            training.save()
            for name, types in (("trained types", TRAINED), ("unseen types", HELD_OUT)):
                found = score({"net": training.predict}, types, count=32, seed=0)["net"]
                report(f"  {name}: AbsRel {found.relative:.4f}  δ<1.25 {found.close:.4f}")
    except KeyboardInterrupt:
        training.save()
        report("stopped; the state is saved")


def _train_until_save(training: Training, budget: float, report: Callable[[str], None]) -> None:
    losses: list[float] = []
    end = min(budget, training.seconds + SAVE_EVERY)
    while training.seconds < end:
        start = time.monotonic()
        losses.append(training.advance(training.seconds / budget))
        training.seconds += time.monotonic() - start
        if training.step % REPORT_EVERY == 0:
            report(
                f"step {training.step:,}  pictures {training.images:,}  "
                f"{training.seconds / 60:.0f} of {budget / 60:.0f} min  "
                f"loss {math.fsum(losses) / len(losses):.4f}"
            )
            losses.clear()
