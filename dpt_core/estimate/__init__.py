"""Run a depth model: in chunks, in tiles, mirrored, in half precision."""
