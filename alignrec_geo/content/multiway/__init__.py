"""The multiway transformer: attention over all tokens, a feed-forward network per modality."""
