"""The callback by which long work reports its progress."""

from collections.abc import Callable

Progress = Callable[[int, int], None]  # (done, total); may raise an exception to stop the work
