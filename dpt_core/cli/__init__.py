"""The command line: each command parses its arguments, calls the library and reports.

A command is a module with a function ``add``; `main.COMMANDS` lists them.
"""

from .main import main

__all__ = ["main"]
