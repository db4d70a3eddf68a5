"""Phones of text: how lines are read, drawn out to labels, and written."""
