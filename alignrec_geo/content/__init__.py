"""Stage 1: pictures and texts of the items become vectors."""
