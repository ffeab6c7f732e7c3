"""What docs/adding-a-family.md shows of the code stands there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding-a-family.md").read_text(encoding="utf-8")
SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "dpt_core/depth").rglob("*.py")]


def squeeze(text: str) -> str:
    """Spaces differ: tables are aligned, and code is indented."""
    return " ".join(text.split())


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    "line",
    [line for language in ("python", "text") for b in blocks(language) for line in b.splitlines()],
)
def test_each_line_of_code_is_real(line: str) -> None:
    # Keys of a signature stand side by side on the page.
    parts = [line] if re.search(r"->|<-|[=()]", line) else line.split()
    for part in map(squeeze, parts):
        assert any(part in squeeze(source) for source in SOURCES), part


def test_each_file_that_a_family_may_touch_is_there() -> None:
    table = PAGE.partition("| file | when |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert len(cells) > 15
    for cell in cells:
        first, *others = re.findall(r"`([^`]+)`", cell)
        beside = [name if "/" in name else Path(first).parent / name for name in others]
        for path in map(Path, (first, *beside)):
            if path.stem != "NAME":
                assert (ROOT / path).exists(), path
