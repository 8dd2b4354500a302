"""What an update does if nothing else is said."""

EPOCHS = 20
"""Epochs at most."""
KEEP = 0.1
"""Share of the old parameters that it begins with."""
