"""Training on sampled subgraphs: approximate, with steps that cost what the surroundings of a batch cost."""
