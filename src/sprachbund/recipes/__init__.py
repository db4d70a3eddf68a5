"""YAML: choices only, one file an experiment."""
