"""The nodes' help pages: their pictures, and how a browser shows them."""

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "web/docs").glob("*.md"))
LARGEST, ALL = 40_000, 500_000  # bytes that the pack's pictures may have


def test_every_page_has_a_small_picture():
    """By its bare name: the editor puts the folder of the pages before it."""
    sizes = []
    for page in PAGES:
        ((alt, name),) = re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text(encoding="utf-8"))
        assert len(alt) > 20
        assert name == f"{page.stem}.jpg"
        with Image.open(page.with_name(name)) as picture:
            picture.verify()
        sizes.append(page.with_name(name).stat().st_size)
    assert max(sizes) <= LARGEST
    assert sum(sizes) <= ALL


def test_the_editor_shows_every_page_with_its_picture(browse, tmp_path):
    """Needs Node, Chromium and playwright-core."""
    nodes = [page.stem for page in PAGES]
    shown = browse("help_pages.mjs", tmp_path, *nodes)
    assert [one["node"] for one in shown] == nodes
    for page, one in zip(PAGES, shown, strict=True):
        assert page.read_text(encoding="utf-8").startswith(f"# {one['heading']}\n")
        with Image.open(page.with_suffix(".jpg")) as picture:
            assert one["widths"][0] == picture.width
        assert one["widths"][1] > 100
