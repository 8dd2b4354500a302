"""Tokens of frozen encoders, cached on disk, and the vocabularies of words and visual codes made of them."""
