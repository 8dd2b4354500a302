"""Stage 1: images and texts of the items become vectors."""
