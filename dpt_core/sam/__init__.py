"""Segment Anything v1: masks from points, boxes and masks, or of everything."""
