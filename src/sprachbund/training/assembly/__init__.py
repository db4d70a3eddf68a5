"""Recipes -> the parts of a run."""
