"""Read images and videos, and write results; independent of any model."""
