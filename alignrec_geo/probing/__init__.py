"""Metrics that judge content before anything is trained on it: zero-shot, item-CF, agreement, mask-modality."""
