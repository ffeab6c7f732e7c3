"""Intermediate results by name, without a flag in any forward pass."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the package imports this module at once, and torch only when it is needed
    from torch import nn

Keep = Callable[[str, Any], Any]


def _whole(_name: str, output: Any) -> Any:
    return output


@contextmanager
def capture(
    net: "nn.Module", names: Iterable[str], keep: Keep = _whole
) -> Iterator[dict[str, Any]]:
    """Collect what the named modules return while the block runs.

    An output is what a plain forward pass gives, whole, and nothing writes into it afterwards.

    Args:
        net: the network, for example ``DepthModel.net``.
        names: module names such as ``"imgencoder.patch_embed"``, ``"imgencoder"`` (the
            four stages), ``"reassemble.spatial_upx4"``, ``"fusion.blocks.0"``,
            ``"head.proj_1ch"`` (the logits).
        keep: gets the name and the output while the network runs, and returns what to keep of
            it, for example a smaller copy on the CPU. By default the output itself.

    Yields:
        A dictionary, filled by name as the modules run; for a module that runs twice it holds the
        last output. Without `keep` the tensors are the network's own: copy them before you
        change them.

    Raises:
        AttributeError: the network has no module of that name.
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
