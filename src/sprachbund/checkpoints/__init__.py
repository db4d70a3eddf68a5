"""Weights on disk: model folders, and the names that foreign checkpoints give to our weights."""
