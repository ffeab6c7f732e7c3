"""Checkpoint files: read without running code, then rename keys by one table per layout."""
