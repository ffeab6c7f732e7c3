"""Which module may import which: dpt_core stands alone, and nodes/host alone reaches into ComfyUI.

The order of dpt_core's own rooms is import-linter's, in pyproject.toml.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANYWHERE = sys.stdlib_module_names | {"torch", "numpy", "PIL", "safetensors", "tqdm"}
OPTIONAL = {"av"}  # for videos on the command line
STABLE_API = {"comfy_api"}  # what ComfyUI promises to packs
INSIDES = {"comfy", "comfy_execution", "execution", "folder_paths", "nodes", "server"}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, those in functions too; the pack's own start with a dot."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                folders = path.relative_to(ROOT).parts[: -node.level]
                module = ".".join(("", *folders, module))
            yield node.lineno, module


def not_allowed(folder: str, is_allowed: Callable[[Path, str], bool]) -> list[str]:
    """The imports in a folder's files that are not allowed: FILE:LINE MODULE."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    found = [(path, line, module) for path in paths for line, module in imports(path)]
    assert found
    return [
        f"{path}:{line} {module}" for path, line, module in found if not is_allowed(path, module)
    ]


def test_dpt_core_stands_alone() -> None:
    def is_allowed(path: Path, module: str) -> bool:
        return module.startswith(".dpt_core") or module.partition(".")[0] in ANYWHERE | OPTIONAL

    assert not not_allowed("dpt_core", is_allowed)


def test_only_the_host_room_reaches_into_comfyui() -> None:
    def is_allowed(path: Path, module: str) -> bool:
        top = module.partition(".")[0]
        if top in INSIDES:
            return path.relative_to(ROOT / "nodes").parts[0] in ("host", "host.py")
        return module.startswith((".nodes", ".dpt_core")) or top in ANYWHERE | STABLE_API

    assert not not_allowed("nodes", is_allowed)
