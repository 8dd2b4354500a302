"""Stage 1 for data sets that have feature matrices only: a token per matrix, whole modalities masked."""
