"""The memory that nodes ask for, against the tensors that are alive while a network runs."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

IMAGE = (1080, 1920)
VITS = {  # width, patch, trained side, positions, channels of the reassembled maps, features
    "ViT-S": (384, 14, 518, "dinov2", (48, 96, 192, 384), 64),
    "ViT-L": (1024, 14, 518, "dinov2", (256, 512, 1024, 1024), 256),
    "BEiT-L": (1024, 16, 384, "relative", (256, 512, 1024, 1024), 256),
}


def make_vit(config: Any, name: str) -> Any:
    """A model with a vision transformer; `config` is the pack's module of configurations."""
    width, patch, side, positions, channels, features = VITS[name]
    encoder = config.ViTConfig(
        width=width,
        heads=width // 64,
        mlp_hidden=4 * width,
        gated_mlp=False,
        patch=patch,
        stage_depths=(3, 3, 3, 3),
        grid=(side // patch, side // patch),
        positions=positions,
        layer_scale=True,
        norm_eps=1e-6,
        final_norm_eps=None,
    )
    reassembly = tuple(
        config.ReassembleConfig(width, count, False, projected=True, resampled=i != 2)
        for i, count in enumerate(channels)
    )
    return make_model(config, encoder, reassembly, features, side, "cover")


def make_swin(config: Any) -> Any:
    """A model with Swin V2-T."""
    encoder = config.SwinConfig(
        version=2,
        width=96,
        heads=(3, 6, 12, 24),
        mlp_hidden=(384, 768, 1536, 3072),
        bias_hidden=512,
        patch=4,
        stage_depths=(2, 2, 6, 2),
        window=16,
        pretrained_window=(0, 0, 0, 0),
        side=256,
        norm_eps=1e-5,
    )
    reassembly = tuple(
        config.ReassembleConfig(width, width, False, projected=False, resampled=False)
        for width in encoder.stage_widths
    )
    return make_model(config, encoder, reassembly, 256, 256, "square")


def make_model(
    config: Any, encoder: Any, reassembly: Any, features: int, side: int, fit: str
) -> Any:
    """A model with this encoder."""
    half = (0.5, 0.5, 0.5)
    image = config.ImageRule(half, half, side, encoder.multiple, fit, "bilinear", True)
    head = config.DepthHeadConfig((features // 2, 32))
    return config.DPTConfig("test", encoder, reassembly, features, head, image)


class LiveBytes(TorchDispatchMode):
    """The most bytes that results of operations take at once; weights do not count."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        weights = [*net.parameters(), *net.buffers()]
        self.weights = {weight.untyped_storage()._cdata for weight in weights}
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self.weights:
                    self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.alive = {key: one for key, one in self.alive.items() if not one[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return result


@pytest.mark.parametrize("name", [*VITS, "Swin-T"])
def test_the_working_memory_covers_the_live_tensors(host, monkeypatch, name):
    """On a device without data, where the decoder works in the order that it does on a GPU."""
    attend = "scaled_dot_product_attention"  # on a GPU it needs no matrix of all pairs of tokens
    monkeypatch.setattr(torch.nn.functional, attend, lambda q, k, v, **_: torch.empty_like(q))
    depth = host.pack.dpt_core.depth
    config = make_swin(depth.config) if name == "Swin-T" else make_vit(depth.config, name)
    size = depth.preprocessing.network_size(IMAGE, config.image)
    with torch.device("meta"):
        net = depth.network.DPT(config, nn).half()
    # The image has the network's size, so that resizing a photograph is not what counts.
    memory = host.pack.nodes.host.memory.depth_working_memory(config, size, size, itemsize=2)
    peaks = {}
    for count in (1, 8, 16):
        with torch.no_grad(), LiveBytes(net) as live:
            net.predict(torch.empty(count, 3, *size, device="meta", dtype=torch.float16))
        peaks[count] = live.peak
        assert live.peak < memory.for_images(count)
    by_image = (peaks[16] - peaks[8]) / 8  # what does not grow with the images has no part in it
    assert by_image < memory.per_image < 2.5 * by_image


def test_memory_is_requested_for_the_chunk(host, load, tiny, requested_bytes):
    (managed,) = load(tiny).result
    images = torch.rand(4, 45, 61, 3)
    inputs = {"model": managed, "image": images}
    for batch_size in (1, 4):
        host.run("DPTEstimateDepth", **inputs, resolution=70, batch_size=batch_size)
    host.run("DPTEstimateDepth", **inputs, resolution=140, batch_size=1)
    bands = 3 * host.pack.dpt_core.depth.heads.bands.GPU_BAND_BYTES
    one, four, larger = (requested - bands for requested in requested_bytes)
    assert four == 4 * one
    assert larger > 3 * one
    # The finest fused map, and a third more for the coarser ones.
    assert one > (1 + 1 / 3) * managed.model.config.features * 40 * 56 * 4


def test_other_models_stay_on_the_device(host, load, tiny):
    (managed,) = load(tiny).result
    largest_chunk = host.pack.nodes.host.models.largest_chunk
    memory = host.pack.nodes.host.memory.WorkingMemory(per_image=100, per_chunk=50)

    class Patcher:
        load_device = torch.device("cpu")

        def model_size(self) -> int:
            return 300

        def loaded_size(self) -> int:
            return 100

        def get_free_memory(self, device: torch.device) -> int:
            return 1000

    busy = replace(managed, patcher=Patcher())
    assert largest_chunk(busy, 16, memory) == 7  # 1000 free, 200 of them for missing weights
    assert largest_chunk(busy, 4, memory) == 4
    assert largest_chunk(busy, 16, memory._replace(per_image=5000)) == 1


def test_nothing_stays_on_the_device_unseen(host, load, tiny):
    (managed,) = load(tiny).result
    cache = host.pack.dpt_core.layers.relative_bias.BIASES
    module = managed.model.net.imgencoder
    cache.get(module, "some size", lambda: torch.zeros(8), lambda offsets: offsets)
    assert cache.bytes
    inputs = {"model": managed, "image": torch.rand(1, 45, 61, 3)}
    host.run("DPTEstimateDepth", **inputs, resolution=70, batch_size=0)
    assert not cache.bytes
