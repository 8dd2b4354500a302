"""Names of the files that serving reads, for those who only look whether they are there."""

EMBEDDINGS = "embeddings.safetensors"
"""The tables of a run."""
