"""The one error for a file that cannot be used as a checkpoint."""


class CheckpointError(ValueError):
    """A checkpoint file is missing, damaged, unsafe, or not a supported model.

    The message is one sentence for the person who chose the file:
    what was found, what was expected, and what to do.
    """
