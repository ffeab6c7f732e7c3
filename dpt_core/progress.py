"""How long work reports how far it has come."""

from collections.abc import Callable

Progress = Callable[[int, int], None]  # (done, in all); may raise an exception to end the work
