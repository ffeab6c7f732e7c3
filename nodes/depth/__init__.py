"""Nodes that estimate and render depth."""
