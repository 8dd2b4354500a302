"""Stage 1 on the cached tokens of frozen image and text encoders."""
