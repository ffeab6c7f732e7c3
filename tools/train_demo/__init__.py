"""Trains the small checkpoint of the package on scenes that it renders itself."""
