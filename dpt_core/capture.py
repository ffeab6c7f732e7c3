"""Named intermediate results, taken from outside the forward pass."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def capture(net: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Collect what the named modules return while the block runs.

    Args:
        net: the network, for example ``DepthModel.net``.
        names: module names such as ``"imgencoder.patch_embed"``, ``"imgencoder"`` (the
            four stages), ``"reassemble.spatial_upx4"``, ``"fusion.blocks.0"``,
            ``"head.proj_1ch"`` (the logits).

    Yields:
        A dictionary, filled by name as the modules run; a module that runs twice keeps the
        last result. Tensors are the network's own: copy what you change.

    Raises:
        AttributeError: the network has no module of that name.
    """
    results: dict[str, Any] = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            results[name] = output

        return hook

    handles = [net.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield results
    finally:
        for handle in handles:
            handle.remove()
