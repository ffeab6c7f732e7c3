"""Nodes that look inside a model."""
