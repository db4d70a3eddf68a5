"""Corpora that lie in the forms of other tools, read into manifests: one file a format, and the parts they share."""
