"""Nodes that estimate, render and select by depth."""
