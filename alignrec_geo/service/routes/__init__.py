"""The addresses of the service, by what is asked there."""
