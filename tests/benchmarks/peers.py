"""Our models and those of other packages on the same random weights, as functions to time.

A checkpoint with published shapes is written first: in the official layout for the official code
and timm, in that of transformers for transformers and ONNX Runtime. Both sides load this file.
"""

import gzip
import json
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import dpt_core

MANIFESTS = Path(__file__).parents[1] / "fixtures" / "manifests.json.gz"

Array = Any  # a photograph, H×W×3 uint8


class Contestant(NamedTuple):
    """Functions to time.

    Attributes:
        net: normalised B×3×H×W → the network's result.
        whole: photograph → depth at its size; None: not compared.
    """

    net: Callable[[Tensor], Any]
    whole: Callable[[Array], Any] | None = None


def write_checkpoint(name: str, peer: str, folder: Path) -> Path:
    """Write random weights for the published checkpoint `name`, in the layout that `peer` reads."""
    torch.manual_seed(0)
    if peer in ("transformers", "onnxruntime"):
        import converted

        model = converted.MODELS[name]()
        model.load_state_dict(
            {k: _random(k, t.dtype, *t.shape) for k, t in model.state_dict().items()}
        )
        model.save_pretrained(folder)
        return folder
    shapes = json.loads(gzip.decompress(MANIFESTS.read_bytes()))[name]["state_dict"]
    path = folder / f"{name}.safetensors"
    tensors = {k: _random(k, getattr(torch, kind), *shape) for k, (kind, *shape) in shapes.items()}
    save_file(tensors, path)
    return path


def _random(key: str, kind: torch.dtype, *shape: int) -> Tensor:
    if not kind.is_floating_point:
        return torch.zeros(shape, dtype=kind)  # index tables, which every implementation rebuilds
    if len(shape) > 1:
        return torch.randn(shape) / math.sqrt(math.prod(shape[1:]))
    return 0.1 * torch.randn(shape) + (1 if key.endswith("weight") else 0)


def ours(path: Path, name: str, peer: str, dtype: torch.dtype) -> Contestant:
    """This repository's model on the weights of `peer`; only the encoder if the peer is one."""
    model = dpt_core.load(path, dtype=dtype)
    if peer == "timm":
        return Contestant(model.net.imgencoder)

    def whole(photograph: Array) -> Tensor:
        image = torch.from_numpy(photograph).permute(2, 0, 1).unsqueeze(0) / 255
        return model.infer(image).values

    return Contestant(lambda images: model.net(images.to(dtype)), whole)


def transformers(path: Path, name: str, dtype: torch.dtype) -> Contestant:
    """The transformers package's model, with the attention that it chooses by default."""
    from transformers import (  # pyright: ignore[reportMissingImports]
        AutoModelForDepthEstimation,
        DPTImageProcessor,
    )

    model = AutoModelForDepthEstimation.from_pretrained(path, torch_dtype=dtype).eval()
    processor = DPTImageProcessor(
        size={"height": 518, "width": 518},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )

    def net(images: Tensor) -> Tensor:
        return model(images.to(dtype)).predicted_depth

    def whole(photograph: Array) -> Tensor:
        depth = net(processor(photograph, return_tensors="pt")["pixel_values"])
        size = photograph.shape[:2]
        return torch.nn.functional.interpolate(depth[:, None], size, mode="bilinear")

    return Contestant(net, whole)


def official(path: Path, name: str, dtype: torch.dtype) -> Contestant:
    """The authors' own code, from a checkout on ``sys.path``."""
    stand_in_torchvision()
    if name.startswith("depth_anything"):
        from depth_anything_v2.dpt import DepthAnythingV2  # pyright: ignore[reportMissingImports]

        config = json.loads(gzip.decompress(MANIFESTS.read_bytes()))[name]["config"]
        sizes = {"features": config["features"], "out_channels": config["out_channels"]}
        model: Any = DepthAnythingV2(encoder=name.rpartition("_")[2], **sizes)
    else:
        from midas.dpt_depth import DPTDepthModel  # pyright: ignore[reportMissingImports]

        backbones = {
            "dpt_beit_base_384": "beitb16_384",
            "dpt_beit_large_512": "beitl16_512",
            "dpt_swin2_tiny_256": "swin2t16_256",
            "dpt_hybrid_384": "vitb_rn50_384",
        }
        model = DPTDepthModel(path=None, backbone=backbones[name], non_negative=True)
    # Keep the model's own tables of coordinates and masks: random ones would change its result.
    own = {name: buffer for name, buffer in model.state_dict().items() if name in _buffers(model)}
    model.load_state_dict({**load_file(path), **own})
    model = model.eval().to(dtype)
    whole: Callable[..., Any] | None = getattr(model, "infer_image", None)
    return Contestant(
        lambda images: model(images.to(dtype)),
        None if whole is None else lambda photograph: whole(photograph[..., ::-1], 518),
    )


def _buffers(model: torch.nn.Module) -> set[str]:
    return {name for name, _ in model.named_buffers()}


def timm(path: Path, name: str, dtype: torch.dtype) -> Contestant:
    """The encoder alone, from timm, with all four taps."""
    stand_in_torchvision()
    import timm as package  # pyright: ignore[reportMissingImports]

    names = {
        "depth_anything_v2_vits": ("vit_small_patch14_dinov2", {"img_size": 518}),
        "depth_anything_v2_vitb": ("vit_base_patch14_dinov2", {"img_size": 518}),
        "dpt_beit_base_384": ("beit_base_patch16_384", {}),
    }
    architecture, options = names[name]
    model: Any = package.create_model(architecture, num_classes=0, **options)
    weights = {}
    for key, tensor in load_file(path).items():
        prefix, _, rest = key.partition("pretrained.")
        rest = rest.removeprefix("model.")
        if not prefix and rest in model.state_dict():
            weights[rest] = tensor
    missing = set(model.state_dict()) - set(weights)
    # The checkpoint has no index tables and no last norm of BEiT, whose stages do not use it.
    left = {key for key in missing if not key.endswith("relative_position_index")}
    if left - {"norm.weight", "norm.bias", "fc_norm.weight", "fc_norm.bias"}:
        raise ValueError(f"timm's {architecture} needs {sorted(left)}, which {name} lacks.")
    model.load_state_dict({**model.state_dict(), **weights})
    model = model.eval().to(dtype)
    has_norm = "norm.weight" in weights
    taps = {"indices": [2, 5, 8, 11], "norm": has_norm, "intermediates_only": True}
    return Contestant(lambda images: model.forward_intermediates(images.to(dtype), **taps))


def onnxruntime(path: Path, name: str, dtype: torch.dtype) -> Contestant:
    """The transformers package's model, exported to ONNX with unfused attention."""
    import onnxruntime as package  # pyright: ignore[reportMissingImports]
    from transformers import (  # pyright: ignore[reportMissingImports]
        AutoModelForDepthEstimation,
    )

    if dtype != torch.float32:
        raise ValueError(f"ONNX Runtime is compared in float32, not {dtype}.")
    side = {"dpt_beit_base_384": 384, "dpt_swin2_tiny_256": 256}.get(name, 518)
    model = AutoModelForDepthEstimation.from_pretrained(path, attn_implementation="eager").eval()
    model.config.return_dict = False
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "model.onnx"))
        image = torch.zeros(1, 3, side, side)
        torch.onnx.export(model, (image,), file, dynamo=False, input_names=["images"])
        settings = package.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        session = package.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    return Contestant(
        lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    )


PEERS: dict[str, Callable[[Path, str, torch.dtype], Contestant]] = {
    "transformers": transformers,
    "official": official,
    "timm": timm,
    "onnxruntime": onnxruntime,
}


def stand_in_torchvision() -> None:
    """Make packages importable that need torchvision only for images and training."""
    import importlib.abc
    import importlib.machinery
    import importlib.util

    if importlib.util.find_spec("torchvision"):
        return

    class Names(type):
        def __getattr__(cls, name: str) -> str:
            return name

    class Compose:
        def __init__(self, steps: list[Callable[[Any], Any]]) -> None:
            self.steps = steps

        def __call__(self, item: Any) -> Any:
            for step in self.steps:
                item = step(item)
            return item

    class Empty(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return Compose if name == "Compose" else Names(name, (), {})

    class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
            if fullname.partition(".")[0] == "torchvision":
                return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
            return None

        def create_module(self, spec: Any) -> ModuleType:
            module = Empty(spec.name)
            module.__path__ = []
            return module

        def exec_module(self, module: ModuleType) -> None:
            pass

    sys.meta_path.append(Finder())
