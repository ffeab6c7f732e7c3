"""The demo checkpoint that comes with the package, so that a first run needs no download.

It has Depth Anything V2's official layout and was trained by ``tools/train_demo`` on rendered
scenes; ``docs/demo-checkpoint.md`` reports how good it is.
"""

from pathlib import Path

DEMO_CHECKPOINT = Path(__file__).with_name("dpt_depth_demo.safetensors")
