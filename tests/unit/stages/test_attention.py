"""Attention maps: weights times values are what the layer itself returns."""

from typing import Any

import pytest
import torch
from torch import Tensor

from dpt_core.stages import (
    FeatureSpec,
)
from dpt_core.stages.blocks import list_blocks
from tests.unit.stages.builders import first_map, make_model, network

POINTS = [(0.0, 0.0), (0.99, 0.0), (0.3, 0.7), (1.0, 1.0)]


class TestAttention:
    """Weights times values must be what the layer itself makes, wherever the window lies."""

    @pytest.mark.parametrize("point", POINTS)
    @pytest.mark.parametrize("number", [0, 1, 2])
    @pytest.mark.parametrize("name", ["swin1", "swin2"])
    def test_in_windows(self, name: str, number: int, point: tuple[float, float], images: Tensor):
        model = make_model(name)
        info = list_blocks(model.net)[number]
        block = network(model).get_submodule(info.name)
        seen: dict[str, Tensor] = {}

        def attended(_module: Any, _inputs: Any, output: Tensor) -> None:
            seen["out"] = merge(output, block)

        handles = [
            block.register_forward_pre_hook(lambda _m, inputs: seen.update(x=inputs[0])),
            block.attn.register_forward_hook(attended),
        ]
        heads = [
            first_map(model, images[:1], FeatureSpec("attention", number, head, "point", point))
            for head in range(2)
        ]
        for handle in handles:
            handle.remove()
        x = seen["x"] if name == "swin2" else block.norm_attn(seen["x"])
        value = block.attn.qkv(x)[0].chunk(3, dim=-1)[2].unflatten(-1, (2, -1))
        mixed = torch.cat(
            [
                (w[0, 0].nan_to_num()[..., None] * value[:, :, h]).sum((0, 1))
                for h, w in enumerate(heads)
            ]
        )
        side = heads[0].shape[-1]
        row, column = (min(int(p * side), side - 1) for p in (point[1], point[0]))
        torch.testing.assert_close(block.attn.proj(mixed), seen["out"][0, row, column])
        assert torch.isfinite(heads[0]).sum() == min(4, side) ** 2

    @pytest.mark.parametrize("name", ["dinov2", "beit", "hybrid"])
    def test_of_tokens(self, name: str, images: Tensor):
        model = make_model(name)
        info = list_blocks(model.net)[-2]
        block = network(model).get_submodule(info.name)
        seen: dict[str, Tensor] = {}
        handle = block.attn.register_forward_hook(
            lambda _m, inputs, output: seen.update(x=inputs[0], out=output)
        )

        def weights(source: Any, point: tuple[float, float], head: int | None) -> Tensor:
            spec = FeatureSpec("attention", info.index, head, source, point)
            return first_map(model, images[:1], spec)[0, 0]

        weights("point", (0, 0), 0)
        value = block.attn.qkv(seen["x"])[0].chunk(3, dim=-1)[2].unflatten(-1, (2, -1))
        rows, columns = weights("point", (0, 0), 0).shape
        for source, point in [("cls", (0, 0)), *(("point", p) for p in POINTS)]:
            mixed = []
            for head in range(2):
                line = weights(source, point, head).flatten()
                both = torch.cat([1 - line.sum()[None], line])  # the rest is on the cls token
                mixed.append(both @ value[:, head])
            row, column = (
                min(int(p * n), n - 1) for p, n in zip(point[::-1], (rows, columns), strict=True)
            )
            index = 0 if source == "cls" else 1 + row * columns + column
            torch.testing.assert_close(block.attn.proj(torch.cat(mixed)), seen["out"][0, index])
        handle.remove()

        centres = [
            ((c + 0.5) / columns, (r + 0.5) / rows) for r in range(rows) for c in range(columns)
        ]
        mean = torch.stack([weights("point", p, 1) for p in centres]).mean(dim=0)
        torch.testing.assert_close(weights("average", (0, 0), 1), mean)
        both = (weights("average", (0, 0), 0) + weights("average", (0, 0), 1)) / 2
        torch.testing.assert_close(weights("average", (0, 0), None), both)

    def test_average_in_windows_is_the_mean_within_each(self, images: Tensor):
        model = make_model("swin2")

        def weights(source: Any, point: tuple[float, float] = (0, 0)) -> Tensor:
            spec = FeatureSpec("attention", 1, 0, source, point)
            return first_map(model, images[:1], spec)[0, 0]

        total = torch.zeros(16, 16)
        for r in range(16):
            for c in range(16):
                total += weights("point", ((c + 0.5) / 16, (r + 0.5) / 16)).nan_to_num()
        torch.testing.assert_close(weights("average"), total / 16)

    def test_the_average_of_many_rows_is_taken_in_chunks(self, images: Tensor, monkeypatch):
        model = make_model("beit")
        whole = first_map(model, images, FeatureSpec("attention", query="average"))
        monkeypatch.setattr("dpt_core.stages.attention.ROWS", 3)
        parts = first_map(model, images, FeatureSpec("attention", query="average"))
        torch.testing.assert_close(parts, whole)


def merge(windows: Tensor, block: Any) -> Tensor:
    """B×n×n×L×C of a Swin layer → B×side×side×C in the order of the map."""
    side = int(windows.shape[3] ** 0.5)
    x = windows.unflatten(3, (side, side)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
    shift = side // 2 if block.shifted and x.shape[1] > side else 0
    return x.roll((shift, shift), dims=(1, 2))
