"""Tokens to tokens, one after the other: reduced units of phonemes, and pronunciations of letters."""
