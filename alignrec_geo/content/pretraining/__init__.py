"""Mask-then-predict, whatever the model: the loop, masks, losses, whitening, and what is stored."""
