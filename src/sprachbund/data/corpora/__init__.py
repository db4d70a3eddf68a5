"""Corpora that Linux distributions carry as packages: one file a corpus, and the parts they share."""
