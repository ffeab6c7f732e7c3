"""Make the README's table and plot from the results of bench_depth.py.

python tests/benchmarks/report.py tests/benchmarks/results/epyc.json docs/images/speed.svg
"""

import json
import statistics
import sys
from html import escape
from pathlib import Path
from typing import Any

PEERS = {
    "transformers": ("transformers", "#4c78a8"),
    "official": ("official code", "#f58518"),
    "timm": ("timm (encoder alone)", "#72b7b2"),
    "onnxruntime": ("ONNX Runtime", "#b279a2"),
}
LEFT, SCALE, BAR, GAP = 190, 190, 15, 9  # pixels; SCALE is the width of a ratio of 1

Results = dict[str, dict[str, dict[str, Any]]]


def seconds(case: dict[str, dict[str, Any]]) -> float:
    """Median seconds of ours over all rounds against peers that ran the whole network."""
    own = [found["seconds"]["ours"] for peer, found in case.items() if peer != "timm"]
    return statistics.median(second for rounds in own for second in rounds)


def table(results: Results) -> str:
    """A Markdown table: our seconds, then the peers' time and memory as multiples of ours."""
    names = [label for label, _ in PEERS.values()]
    lines = [
        "| | ours | " + " | ".join(names) + " | memory: transformers, official |",
        "|---|---|" + "---|" * (len(names) + 1),
    ]
    for name, case in results.items():
        cells = [f"{case[peer]['ratio']:.2f} ×" if peer in case else "" for peer in PEERS]
        memory = []
        for peer in ("transformers", "official"):
            if peer in case:
                own, theirs = (case[peer]["alone"][who]["above MB"] for who in ("ours", peer))
                memory.append(f"{theirs / own:.1f} ×")
        lines.append(
            f"| {name} | {seconds(case):.2f} s | {' | '.join(cells)} | {', '.join(memory)} |"
        )
    return "\n".join(lines)


def plot(results: Results) -> str:
    """An SVG with a bar for every case and peer, and a line where both are equally fast."""
    marks: list[str] = []
    y = 46.0
    for name, case in results.items():
        middle = y + len(case) * BAR / 2 + 4
        marks.append(f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(name)}</text>')
        for peer, (_, colour) in PEERS.items():
            if peer not in case:
                continue
            ratio = case[peer]["ratio"]
            width = ratio * SCALE
            marks.append(
                f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 3}" fill="{colour}"/>'
                f'<text x="{LEFT + max(width, SCALE) + 5:.1f}" y="{y + BAR - 5}">{ratio:.2f}</text>'
            )
            y += BAR
        y += GAP
    legend = "".join(
        f'<rect x="{LEFT + i * 150}" y="6" width="10" height="10" fill="{colour}"/>'
        f'<text x="{LEFT + 15 + i * 150}" y="15">{label}</text>'
        for i, (label, colour) in enumerate(PEERS.values())
    )
    equal = LEFT + SCALE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {y + 4:.0f}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="800" height="{y + 4:.0f}" fill="white"/>{legend}'
        f'<text x="{LEFT}" y="36" fill="#555">time of the peer / ours: '
        "right of the line ours is faster</text>"
        f"{''.join(marks)}"
        f'<line x1="{equal}" x2="{equal}" y1="42" y2="{y:.0f}" stroke="black"/></svg>\n'
    )


def main() -> None:
    """Print the table and write the plot."""
    results = json.loads(Path(sys.argv[1]).read_text())
    sys.stdout.write(table(results) + "\n")
    Path(sys.argv[2]).write_text(plot(results))


if __name__ == "__main__":
    main()
