"""The command line: parse, call, report."""

from .parser import main

__all__ = ["main"]
