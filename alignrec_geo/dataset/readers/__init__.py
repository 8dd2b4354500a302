"""Readers: from the files people have to a data set."""
