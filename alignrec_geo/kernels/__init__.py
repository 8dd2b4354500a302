"""Hot operations on plain tensors: each with a reference, the oracle of its tests, and a fast path."""
