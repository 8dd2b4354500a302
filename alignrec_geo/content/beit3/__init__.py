"""BEiT-3 on pixels and words: the model, its checkpoints and tokenizer, and how it is pre-trained on a data set."""
