"""Nodes that place depth in space and align it."""
