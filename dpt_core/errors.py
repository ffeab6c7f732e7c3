"""The error for a file that is no usable checkpoint, and the warning about half precision."""


class CheckpointError(ValueError):
    """A checkpoint file is missing, damaged, unsafe, or not a supported model.

    The message is for the person who chose the file. It says what was found, what was expected,
    and what to do.
    """


class PrecisionWarning(UserWarning):
    """Half precision lost the depth of some images, which were run again in float32.

    Attributes:
        again: how many images were run again.
        dtype: the half precision, for example ``"bfloat16"``.
    """

    def __init__(self, again: int, dtype: str) -> None:
        self.again, self.dtype = again, dtype
        images = "1 image" if again == 1 else f"{again:,} images"
        # A node shows only the first words until it is enlarged.
        super().__init__(
            f"{images} ran again in float32: {dtype} lost the depth (NaN, infinite or all equal)."
        )


def cut_off(file: str, size: int, expected: int) -> CheckpointError:
    """The error for a file of `size` bytes that should have `expected`."""
    if expected - size < 100_000:
        found = f"{size:,} of {expected:,} bytes"
    else:
        found = f"{size / 1e6:,.1f} of {expected / 1e6:,.1f} MB"
    return CheckpointError(
        f"{file} is cut off: {found}. The download did not finish; download it again."
    )
