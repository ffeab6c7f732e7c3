"""Segment Anything v1: masks from points, boxes, masks and depth, or of everything."""
