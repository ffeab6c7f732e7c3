"""Capture intermediate results by module name, without flags in the forward passes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the package imports this module at once, but torch only when needed
    from torch import nn

Keep = Callable[[str, Any], Any]


def _whole(_name: str, output: Any) -> Any:
    return output


@contextmanager
def capture(
    net: "nn.Module", names: Iterable[str], keep: Keep = _whole
) -> Iterator[dict[str, Any]]:
    """Collect the outputs of the named modules while the block runs.

    Outputs are whole and the same as in a forward pass without capture; nothing modifies them
    afterwards.

    Args:
        net: the network, for example ``DepthModel.net``.
        names: module names such as ``"imgencoder.patch_embed"``, ``"imgencoder"`` (the
            four stages), ``"reassemble.spatial_upx4"``, ``"fusion.blocks.0"``,
            ``"head.proj_1ch"`` (the logits).
        keep: called with the name and the output while the network runs; returns what to store,
            for example a smaller copy on the CPU. By default the output itself.

    Yields:
        A dictionary, filled by name as the modules run. A module that runs more than once leaves
        its last output. Without `keep` the tensors are the network's own: copy them before
        changing them.

    Raises:
        AttributeError: the network has no module with one of these names.
    """
    results: dict[str, Any] = {}

    def store(name: str) -> Any:
        def hook(_module: "nn.Module", _inputs: Any, output: Any) -> None:
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


def is_watched(*layers: "nn.Module") -> bool:
    """Whether a hook may keep the output of one of these layers, or of a layer inside."""
    return any(part._forward_hooks for layer in layers for part in layer.modules())
