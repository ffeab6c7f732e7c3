"""Train the package's demo checkpoint on scenes that are rendered on the fly."""
