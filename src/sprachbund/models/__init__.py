"""Compositions of layers, each a folder with the same files: config, model, keys."""
