"""Depth in space: cameras, surfaces, and what distances one knows."""
