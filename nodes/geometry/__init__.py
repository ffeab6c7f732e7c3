"""Nodes between depth and space."""
