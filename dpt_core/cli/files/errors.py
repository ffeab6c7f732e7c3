"""What can go wrong with files."""


class FileError(ValueError):
    """A file cannot be read, written or named; the message is a sentence for the user."""


class InputError(FileError):
    """One input gives no result, though others may; the message is only the reason."""
