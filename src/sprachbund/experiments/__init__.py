"""Whole experiments as plans of stages: from corpora to a report."""
