"""Tables of interactions that do not fit into memory, made into data set folders by DuckDB, within a stated memory."""
