"""Named intermediate results, taken from outside the forward pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

Keep = Callable[[str, Any], Any]


def _as_it_is(_name: str, output: Any) -> Any:
    return output


@contextmanager
def capture(
    net: nn.Module, names: Iterable[str], keep: Keep = _as_it_is
) -> Iterator[dict[str, Any]]:
    """Collect what the named modules return while the block runs.

    Args:
        net: the network, for example ``DepthModel.net``.
        names: module names such as ``"imgencoder.patch_embed"``, ``"imgencoder"`` (the
            four stages), ``"reassemble.spatial_upx4"``, ``"fusion.blocks.0"``,
            ``"head.proj_1ch"`` (the logits).
        keep: what to keep of an output, given its name: called while the network runs, so
            that a copy can leave the device, or be made small, before the next one is there.

    Yields:
        A dictionary, filled by name as the modules run; a module that runs twice keeps the
        last result. Without `keep` tensors are the network's own: copy what you change.

    Raises:
        AttributeError: the network has no module of that name.
    """
    results: dict[str, Any] = {}

    def store(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            results[name] = keep(name, output)

        return hook

    handles = []
    try:
        for name in names:
            handles.append(net.get_submodule(name).register_forward_hook(store(name)))
        yield results
    finally:
        for handle in handles:
            handle.remove()
