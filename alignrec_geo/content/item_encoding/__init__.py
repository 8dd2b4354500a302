"""The encoder of a stored feature matrix, opened again for items that the data set does not hold."""
