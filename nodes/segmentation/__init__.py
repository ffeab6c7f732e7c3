"""Nodes that segment images with Segment Anything."""
