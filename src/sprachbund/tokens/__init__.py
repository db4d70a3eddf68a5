"""Symbols to ids: text normalisation, vocabularies, tokenizers, and k-means units of speech."""
