"""Depth from DPT-style checkpoints."""
