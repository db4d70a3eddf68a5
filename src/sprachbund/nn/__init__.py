"""Layers that models share; none of them names a model."""
