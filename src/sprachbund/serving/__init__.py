"""A model folder in use."""
