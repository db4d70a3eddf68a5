"""Corpora of the field, prepared from the folder where the user unpacked them; their recordings stay there."""
