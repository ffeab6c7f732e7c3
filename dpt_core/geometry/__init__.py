"""Depth in space: cameras, point maps, normals, and alignment to known distances."""
