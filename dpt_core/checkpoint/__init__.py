"""Checkpoint files: read without running code, with keys renamed by one table per layout."""
