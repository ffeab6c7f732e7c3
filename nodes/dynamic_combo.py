"""What a DynamicCombo hands to a node: the option chosen, and that option's own inputs."""

from typing import Any


def setting(choice: dict[str, Any], combo: str, name: str) -> Any:
    """The value of an input that belongs to the chosen option.

    Args:
        choice: what the node was given; the option itself is stored under the combo's id.
        combo: id of the DynamicCombo.
        name: id of the option's input.

    Raises:
        ValueError: it is missing. ComfyUI does not check this in graphs queued through the API.
    """
    if name not in choice:
        raise ValueError(
            f"{combo}.{name} is missing; {combo} is set to {choice[combo]!r}, which needs it."
        )
    return choice[name]
