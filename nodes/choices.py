"""What a DynamicCombo gives a node: the choice, and the settings of that choice."""

from typing import Any


def setting(choice: dict[str, Any], title: str, name: str) -> Any:
    """A choice's own setting.

    Args:
        choice: what the node was given, the choice itself under the input's title.
        title: the input.
        name: the setting.

    Raises:
        ValueError: it is missing. A graph queued by hand may lack it, and the host lets that pass.
    """
    if name not in choice:
        raise ValueError(
            f"{title}.{name} is missing; the choice {choice[title]!r} of {title} needs it."
        )
    return choice[name]
