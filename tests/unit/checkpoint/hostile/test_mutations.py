"""Checkpoints changed at random: either the right model is loaded, or the error helps.

Every layout's tiny checkpoint is damaged in its tensors or in the bytes of its file.
``MUTATIONS=20000 pytest tests/unit/checkpoint/hostile/test_mutations.py`` tries many more.
"""

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

import dpt_core
from dpt_core.checkpoint.family import Family
from dpt_core.checkpoint.rules import source_pattern
from dpt_core.depth.families import FAMILIES
from tests.builders import tiny_checkpoint, write_checkpoint

MUTATIONS = int(os.environ.get("MUTATIONS", "300"))
SLOWEST = 2.0  # seconds of the processor
MOST_MEMORY = 300 * 2**20  # bytes that all of it may add to what the tests use; files have one MB
LONGEST_MESSAGE = 800

State = dict[str, Tensor]
# What may come of a mutation: the same depth, any depth (the values are other ones), an error.
SAME, OTHER, ERROR = "same depth", "other depth", "error"


@dataclass(repr=False)
class Original:
    """A sound checkpoint.

    Attributes:
        family: whose layout it has.
        state: its tensors.
        depth: what its model says of `IMAGE`.
        unused: keys that do not matter, whether they are there or not.
    """

    family: Family
    state: State
    depth: Tensor
    unused: set[str]


@dataclass
class Case:
    """A mutated state: what may come of it, and what the error must name."""

    state: State
    outcomes: tuple[str, ...]
    named: tuple[str, ...] = ()


IMAGE = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))


def estimate(model: dpt_core.DepthModel) -> Tensor:
    is_square = model.config.image.fit == "square"
    return model.infer(IMAGE, resolution=None if is_square else 64).values


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[Original]:
    folder = tmp_path_factory.mktemp("originals")
    found = []
    for number, family in enumerate(FAMILIES):
        state = tiny_checkpoint(family)
        depth = estimate(dpt_core.load(write_checkpoint(folder / f"{number}.safetensors", state)))
        assert depth.std() > 0.01, "a map without structure would hide a wrong model"
        is_unused = source_pattern([r for r in family.rules if r.unused]).fullmatch
        found.append(Original(family, state, depth, {key for key in state if is_unused(key)}))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("mutated")


def drop(draw: Callable, original: Original, key: str) -> Case:
    assume(not key.endswith("attn_mask"))  # Swin's window is a guess without it, and says so
    state = {k: t for k, t in original.state.items() if k != key}
    return Case(state, (SAME,) if key in original.unused else (ERROR,), (key,))


def rename(draw: Callable, original: Original, key: str) -> Case:
    new = draw(st.sampled_from([f"{key}x", f"x{key}", key.upper(), f"{key}.0", f"{key} "]))
    state = {new if k == key else k: t for k, t in original.state.items()}
    return Case(state, (ERROR,), (key, new))


def duplicate(draw: Callable, original: Original, key: str) -> Case:
    new = f"{draw(st.sampled_from(['copy', 'pretrained', 'neck']))}.{key}"
    return Case({**original.state, new: original.state[key].clone()}, (ERROR,), (new,))


def reshape(draw: Callable, original: Original, key: str) -> Case:
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "one row less": lambda t: t[:-1],
        "one column less": lambda t: t[..., :-1],
        "no rows": lambda t: t[:0],
        "twice the rows": lambda t: torch.cat([t, t]),
        "flat": lambda t: t.flatten(),
        "turned": lambda t: t.transpose(0, -1),
        "a dimension before": lambda t: t[None],
        "a dimension after": lambda t: t[..., None],
        "one number": lambda t: t.sum(),
    }
    tensor = original.state[key]
    changed = changes[draw(st.sampled_from(sorted(changes)))](tensor).contiguous()
    assume(changed.shape != tensor.shape)
    is_harmless = key in original.unused and not key.endswith("attn_mask")
    return Case({**original.state, key: changed}, (SAME,) if is_harmless else (ERROR,))


def retype(draw: Callable, original: Original, key: str) -> Case:
    floats = [torch.float16, torch.bfloat16, torch.float64]
    others = [torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool]
    dtype = draw(st.sampled_from(floats + others))
    state = {**original.state, key: original.state[key].to(dtype)}
    if key in original.unused or dtype == torch.float64:
        return Case(state, (SAME,))
    return Case(state, (OTHER,)) if dtype in floats else Case(state, (ERROR,), (key,))


def add_prefix(draw: Callable, original: Original, key: str) -> Case:
    prefix = draw(st.sampled_from(["module.", "model.", "module.model.", "_orig_mod."]))
    return Case({prefix + k: t for k, t in original.state.items()}, (SAME,))


MUTATE_STATE = (drop, rename, duplicate, reshape, retype, add_prefix)


def cut(draw: Callable, data: bytes, header: int) -> tuple[bytes, tuple[str, ...]]:
    return data[: draw(st.integers(0, len(data) - 1))], (ERROR,)


def append(draw: Callable, data: bytes, header: int) -> tuple[bytes, tuple[str, ...]]:
    return data + draw(st.sampled_from([b"\0", b"{}", b"PK\5\6", data])), (SAME, ERROR)


def flip_in_header(draw: Callable, data: bytes, header: int) -> tuple[bytes, tuple[str, ...]]:
    place = draw(st.integers(0, header - 1))
    changed = data[place] ^ draw(st.integers(1, 255))
    return data[:place] + bytes([changed]) + data[place + 1 :], (SAME, ERROR)


def flip_anywhere(draw: Callable, data: bytes, header: int) -> tuple[bytes, tuple[str, ...]]:
    # Most often in the header or, of an archive, in the list at its end: weights have no check.
    near = draw(st.integers(0, 4 * header))
    place = draw(st.sampled_from([near, -1 - near])) % len(data)
    changed = data[place] ^ draw(st.integers(1, 255))
    return data[:place] + bytes([changed]) + data[place + 1 :], (SAME, OTHER, ERROR)


def overwrite(draw: Callable, data: bytes, header: int) -> tuple[bytes, tuple[str, ...]]:
    piece = draw(st.binary(min_size=1, max_size=40))
    place = draw(st.integers(0, 2 * header))
    return data[:place] + piece + data[place + len(piece) :], (SAME, OTHER, ERROR)


MUTATE_BYTES = (cut, append, flip_anywhere, overwrite)


def mutated_file(draw: Callable, original: Original, folder: Path) -> tuple[Path, Case]:
    """A mutated checkpoint in a file of any format."""
    suffix = draw(st.sampled_from([".safetensors", ".pth", ".legacy.pth"]))
    mutate: Any = draw(st.sampled_from((*MUTATE_STATE, *MUTATE_BYTES, flip_in_header)))
    path = folder / f"mutated{suffix}"
    if mutate in MUTATE_STATE:
        case = mutate(draw, original, draw(st.sampled_from(sorted(original.state))))
    else:
        case = Case(original.state, ())
    if suffix == ".legacy.pth":
        torch.save(case.state, path, _use_new_zipfile_serialization=False)
    else:
        write_checkpoint(path, case.state)
    if mutate not in MUTATE_STATE:
        data = path.read_bytes()
        header = data.find(b"}}") + 2 if suffix == ".safetensors" else len(original.state) * 100
        if mutate is flip_in_header and suffix != ".safetensors":
            mutate = flip_anywhere  # the other formats' headers have no check of their own
        data, case.outcomes = mutate(draw, data, header)
        path.write_bytes(data)
    return path, case


@settings(
    max_examples=MUTATIONS,
    deadline=None,  # the processor's time is measured below; other programs do not count
    derandomize="MUTATIONS" not in os.environ,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_outcome_is_a_right_model_or_a_helpful_error(data, originals, folder):
    original = data.draw(st.sampled_from(originals), "original")
    path, case = mutated_file(data.draw, original, folder)
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dpt_core.inspect(path)
            model = dpt_core.load(path)
        except dpt_core.CheckpointError as error:
            message = str(error)
            assert ERROR in case.outcomes, message
            assert path.name in message
            assert not case.named or any(name in message for name in case.named), message
            assert len(message) < LONGEST_MESSAGE
            return
        finally:
            assert time.process_time() - started < SLOWEST
        depth = estimate(model)
    if OTHER not in case.outcomes:
        assert SAME in case.outcomes, "a damaged file was loaded"
        assert torch.equal(depth, original.depth)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("number", range(len(FAMILIES)))
def test_weights_that_are_not_finite_are_named_and_load(number, bad, originals, tmp_path):
    original = originals[number]
    used = sorted(set(original.state) - original.unused)
    key = used[number * 7 % len(used)]
    state = {**original.state, key: original.state[key].clone()}
    state[key].view(-1)[-1] = bad
    with pytest.warns(UserWarning, match="NaN or infinite") as caught:
        model = dpt_core.load(write_checkpoint(tmp_path / "poisoned.safetensors", state))
    assert key in str(caught[0].message)
    assert "poisoned.safetensors" in str(caught[0].message)
    assert key in model.inspection.summary()


def test_memory_stays_near_the_size_of_the_files(originals, folder):
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for original in originals:
        dpt_core.load(write_checkpoint(folder / "whole.safetensors", original.state))
        dpt_core.load(write_checkpoint(folder / "whole.pth", original.state))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_MEMORY
