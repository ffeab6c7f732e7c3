"""Nodes that make masks."""
