"""Print a checkpoint's manifest: every key with its number format and shape, without values.

``python -m tools.make_manifest FILE --name NAME`` prints one JSON object like those that
``tests/fixtures/manifests.json.gz`` holds by name; ``--add-to`` puts it there. Weights are not
read. A file of an unsupported family gets a manifest too: that is where support for a new family
begins.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dpt_core.checkpoint.read import read
from dpt_core.checkpoint.shapes import format_dtype
from dpt_core.errors import CheckpointError
from dpt_core.loading import prepare_any


def make_manifest(path: Path, name: str | None = None) -> dict[str, Any]:
    """The manifest of a checkpoint.

    Args:
        path: a checkpoint file, or a folder as downloaded from Hugging Face.
        name: the checkpoint's name; None for that of the file.

    Returns:
        ``name``; ``family`` and ``layout``, None if unsupported; ``params_total``, the number of
        values in all tensors; ``config``, the ``config.json`` of a folder; ``notes``, the
        file's metadata; ``optional_keys``, empty, for keys that other copies of the file lack;
        ``state_dict``, key → number format and sides, in the file's order.

    Raises:
        CheckpointError: the file cannot be read.
    """
    state = read(path, header_only=True)
    keys = {
        state.prefix + key: [format_dtype(tensor.dtype), *tensor.shape]
        for key, tensor in state.tensors.items()
    }
    total = sum(tensor.numel() for tensor in state.tensors.values())
    config = path / "config.json"
    try:
        inspection = prepare_any(state).inspection
        family, layout = inspection.family, inspection.layout
    except CheckpointError:
        family = layout = None  # unsupported, and perhaps why its manifest is wanted
    return {
        "name": name or path.stem,
        "family": family,
        "layout": layout,
        "params_total": total,
        "config": json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {},
        "notes": state.metadata,
        "optional_keys": [],
        "state_dict": keys,
    }


def add_manifest(manifest: dict[str, Any], packed: Path) -> None:
    """Add a manifest to the compressed ones, sorted by name, replacing any of the same name."""
    manifests = json.loads(gzip.decompress(packed.read_bytes()))
    manifests[manifest["name"]] = manifest
    text = json.dumps(dict(sorted(manifests.items())), ensure_ascii=False)
    packed.write_bytes(gzip.compress(text.encode(), mtime=0))  # the same bytes on every day


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status is 1 if the file cannot be read."""
    parser = argparse.ArgumentParser(description="Print the manifest of a checkpoint as JSON.")
    parser.add_argument("file", type=Path, help="checkpoint file, or folder from Hugging Face")
    parser.add_argument("--name", help="the checkpoint's name (default: the file's)")
    parser.add_argument(
        "--add-to",
        type=Path,
        metavar="PACKED",
        help="add the manifest to this .json.gz instead of printing it",
    )
    chosen = parser.parse_args(arguments)
    try:
        manifest = make_manifest(chosen.file, chosen.name)
    except CheckpointError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if chosen.add_to is not None:
        add_manifest(manifest, chosen.add_to)
        return 0
    sys.stdout.write(json.dumps(manifest, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
